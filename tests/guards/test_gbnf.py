"""GBNF: the same language on both backends, with llama.cpp's meaning, character by character."""

import pytest

from ngramspec.errors import GuardError
from ngramspec.guards import Guard, Vocabulary
from ngramspec.guards.source import Backend

VOCABULARY = Vocabulary([bytes([byte]) for byte in range(256)] + [b"<end>"], eos_tokens=[256])
BACKENDS: tuple[Backend, ...] = ("llguidance", "xgrammar")

SUMS = r"""
# equations, one per line: as llama.cpp's example of arithmetic goes, whose blanks may consume what comes after them
root  ::= (expr "=" ws term "\n")+
expr  ::= term ([-+*/] term)*
term  ::= ident | num | "(" ws expr ")" ws
ident ::= [a-z] [a-z0-9_]* ws   # a name
num   ::= [0-9]+ ws
ws    ::= [ \t\n]*
"""
CHESS = r"""
root     ::= "1. " move " " move "\n" ([1-9] [0-9]? ". " move " " move "\n")+
move     ::= (pawn | nonpawn | castle) [+#]?
nonpawn  ::= [NBKQR] [a-h]? [1-8]? "x"? [a-h] [1-8]
pawn     ::= ([a-h] "x")? [a-h] [1-8] ("=" [NBKQR])?
castle   ::= "O-O" "-O"?
"""
JSON = r"""
root ::= object
value ::= object | array | string | number | ("true" | "false" | "null") ws
object ::=
  "{" ws (
    string ":" ws value
    ("," ws string ":" ws value)*
  )? "}" ws
array ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [0-9]{0,15})? ws
ws ::= ([ \t\n] ws)?
"""
LIST = r"""root ::= Item-1{2,3} Item_2?
Item-1 ::= "- " [^\r\n\x0b]+ "\n"
Item_2 ::= "\u00e9" [д-й] "\U0001F600" | "" [\]\-^a] """

CASES = {
    "sums": (
        SUMS,
        ["1=1\n", "1+2=3\n", "x=1\ny=2\n", "( a +1 ) *2 = b\n", "1=1\n\n\n2=2\n", "a_1-b/2*(3)= (x)\n\n"],
        ["", "1=1", "1+=2\n", "1 = = 2\n", "(1=2\n", "A=1\n", "1=2\n+", " 1=1\n"],
    ),
    "chess": (
        CHESS,
        ["1. e4 e5\n2. Nf3 Nc6\n", "1. e4 e5\n2. O-O-O+ exd5#\n", "1. d4 d5\n2. e8=Q Raxb1\n13. O-O O-O\n"],
        ["", "1. e4 e5\n", "1. e9 e5\n2. a1 a1\n", "1. e4 e5\n2. a1 a1", "1. O-O-O-O a1\n2. a1 a1\n"],
    ),
    "json": (
        JSON,
        ['{}', '{"a": [1, -2.5e3, "é😀\\n\\u00e9"]}', '{"a":{"b":[[],{}]}}\n', '{"\\/":[0 ,{}]}'],
        ["", "[1]", "1", '{"a":}', '{"a":1,}', '{"a":"\n"}', '{"a":"\\x"}', '{a:1}', '{"a":01}', '{"a":1}}'],
    ),
    "list": (
        LIST,
        ["- a\n- b\n", "- a\n- é😀\n- \t\n", "- a\n- b\néж😀", "- a\n- b\n]", "- a\n- b\n-", "- a\n- b\n- c\n^"],
        ["- a\n", "- a\n- b\n- c\n- d\n", "- \n- b\n", "- a\n- b\né", "- a\n- b\néz😀", "- a\r\n- b\n", "- a\n- b\nb"],
    ),
    "left-recursive": ('root ::= root "+" num | num\nnum ::= [0-9]+', ["1", "12+3+4"], ["", "+", "1+", "1++2"]),
    "shared heads": ('root ::= a b\na ::= [a-z]+\nb ::= "c" | "=" | "=="', ["ac", "abcc", "cc=="], ["a", "a==="]),
    "empty": ('root ::= "" | "a" | ( ) "b"', ["", "a", "b"], ["ab", " "]),
}  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CASES)
def test_gbnf_is_read_alike_on_both_backends(name: str, backend: Backend) -> None:
    text, accepted, rejected = CASES[name]
    guard = Guard.grammar(text, VOCABULARY, backend=backend)
    assert dict.fromkeys(accepted, True) == {text: guard.accepts(text) for text in accepted}
    assert dict.fromkeys(rejected, False) == {text: guard.accepts(text) for text in rejected}


def test_a_point_is_any_character_to_llguidance_and_refused_by_xgrammar() -> None:
    guard = Guard.grammar("root ::= .+", VOCABULARY)
    assert guard.accepts("a\né😀")
    assert not guard.accepts("")
    with pytest.raises(
        GuardError, match=r'xgrammar must .* GBNF grammar, got: EBNF parser error at line 1.*"\." is not'
    ):
        Guard.grammar("root ::= .+", VOCABULARY, backend="xgrammar")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('root ::= "a" foo\n', "line 1 .*a rule for each name.*'foo'"),
        ('rot ::= "a"\n', "one for root, got 'root'"),
        ('root ::= "a"\nroot ::= "b"\n', "line 2 .*must be defined once, got 'root'"),
        ('root ::= "a"\n\nb ::= (?= "b")\n', r"line 3 .*a repetition sign must follow what it repeats, got '\?'"),
        ('root ::= "a" ("b"\nc ::= "c"\n', r"line 1 .*a group must be closed in its rule"),
        ('root ::= "a" "b")\n', r"line 1 .*a group must be opened before it is closed"),
        ('root ::= "a" [a-\n', r"line 1 .*names, texts, sets, groups and signs, got '\[a-"),
        ('root ::= "a\n"', "line 1 .*names, texts, sets"),
        ('root ::= []\n', r"a set must have at least one character, got '\[\]'"),
        ('root ::= "\\q"\n', r"an escape must be .* got '\\\\q'"),
        ('root ::= "\\ud83d"\n', r"an escape must be .* got '\\\\ud83d'"),
        ('"a"\nroot ::= "a"\n', "line 1 .*a grammar must begin with a rule"),
        ("root ::= [z-a]\n", "invalid character class range"),
        ("root ::= [a]{3,2}\n", "range end must be >= start"),
    ],
)  # fmt: skip
def test_gbnf_that_cannot_be_imported_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(GuardError, match=f"(?s)llguidance must be able to compile the GBNF grammar, got: .*{message}"):
        Guard.grammar(text, VOCABULARY)
