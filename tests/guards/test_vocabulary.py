"""What a guard reads from each kind of tokenizer: bytes, special tokens, ends, and how text is split."""

import copy
import gc
import weakref
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from transformers.tokenization_mistral_common import MistralCommonBackend
from transformers.utils.import_utils import is_mistral_common_available

from ngramspec.guards import Guard, Vocabulary
from ngramspec.pico import load_pico
from ngramspec.replay import load_tokenizer
from tests.guards.test_ends import mask
from tests.hf.tokenizers import character_tokenizer

MARK = "▁"


@pytest.fixture(scope="module")
def pico() -> Any:
    return load_pico()[1]


def byte_fallback_bpe() -> Any:
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), MARK, *"abehlo", "ll", "he"]
    pieces += ["hell", "hello", f"{MARK}hello", "ab"]
    merges = [("l", "l"), ("h", "e"), ("he", "ll"), ("hell", "o"), (MARK, "hello"), ("a", "b")]
    raw = Tokenizer(
        models.BPE(vocab={piece: token for token, piece in enumerate(pieces)}, merges=merges, byte_fallback=True)
    )
    raw.normalizer = normalizers.Sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)])
    raw.decoder = decoders.Sequence([decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse()])
    return PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


def unigram(*, byte_fallback: bool) -> Any:
    pieces = ["<unk>", "</s>", MARK, *"abehlo", f"{MARK}hello", "hello", "ab"]
    pieces += [f"<0x{byte:02X}>" for byte in range(256)] if byte_fallback else []
    raw = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], unk_id=0, byte_fallback=byte_fallback))
    raw.pre_tokenizer = pre_tokenizers.Metaspace(MARK, prepend_scheme="always")
    spaces = decoders.Metaspace(MARK, prepend_scheme="always")
    raw.decoder = decoders.Sequence([decoders.ByteFallback(), spaces]) if byte_fallback else spaces
    return PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="<unk>", eos_token="</s>")


def word_piece() -> Any:
    raw = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1, "##b": 2}, unk_token="[UNK]"))
    raw.decoder = decoders.WordPiece()
    return PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="[UNK]")


@pytest.mark.parametrize(
    "make", [byte_fallback_bpe, lambda: unigram(byte_fallback=True), lambda: unigram(byte_fallback=False)]
)
def test_tokens_of_sentencepiece_have_spaces_where_it_writes_marks(make: Any) -> None:
    tokenizer = make()
    vocabulary = Vocabulary.of(tokenizer)
    ids = tokenizer.get_vocab()
    assert b" hello" == vocabulary.tokens[ids[f"{MARK}hello"]]
    assert (tokenizer.eos_token_id,) == vocabulary.eos_tokens
    assert {ids["<unk>"], ids["</s>"]} <= vocabulary.special
    assert [ids["hello"], ids[MARK], ids["ab"]] == vocabulary.encode("hello ab")
    guard = Guard.regex("( hello|hello)( ab)+", tokenizer)
    matcher = guard.matcher()
    matcher.advance([ids[f"{MARK}hello"], ids[MARK], ids["ab"], tokenizer.eos_token_id])
    assert guard.accepts("hello ab ab")


def test_byte_tokens_are_bytes() -> None:
    vocabulary = Vocabulary.of(byte_fallback_bpe())
    assert [bytes([byte]) for byte in range(256)] == list(vocabulary.tokens[3:259])
    assert "ü€".encode() == vocabulary.decode(vocabulary.encode("ü€"))


def test_a_tokenizer_of_whole_words_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"needs the bytes of each token.*WordPiece.*pass Vocabulary\(tokens\)"):
        Guard.regex("ab", word_piece())


class Slow:
    """A tokenizer that says nothing of bytes."""

    def __len__(self) -> int:
        return 3


@pytest.mark.parametrize("tokenizer", [Slow(), "gpt2", None, object()])
def test_what_does_not_say_its_bytes_is_refused_by_name(tokenizer: object) -> None:
    with pytest.raises(TypeError, match=f"needs the bytes of each token.*got {type(tokenizer).__name__}"):
        Vocabulary.of(tokenizer)


def test_every_token_of_a_byte_level_tokenizer_is_what_it_decodes_to(pico: Any) -> None:
    vocabulary = Vocabulary.of(pico)
    assert len(pico) == len(vocabulary)
    for text in ("def f(x):\n\treturn {'é': 1}", "   ", "€"):
        tokens = pico.encode(text, add_special_tokens=False)
        assert text.encode() == vocabulary.decode(tokens)
        assert tokens == vocabulary.encode(text)


def test_characters_of_the_test_tokenizer_are_bytes() -> None:
    tokenizer = character_tokenizer("ab0")
    vocabulary = Vocabulary.of(tokenizer)
    assert (b"<pad>", b"<end>", b"a", b"b", b"0") == vocabulary.tokens
    assert {0, 1} == vocabulary.special
    guard = Guard.regex("a0", tokenizer)
    assert {2} == mask(guard.matcher())


def test_added_tokens_are_special_whatever_they_are_called(pico: Any) -> None:
    tokenizer = copy.deepcopy(pico)
    tokenizer.add_tokens(["<plain>"])
    tokenizer.add_tokens(["<special>"], special_tokens=True)
    vocabulary = Vocabulary.of(tokenizer)
    plain, special = tokenizer.convert_tokens_to_ids(["<plain>", "<special>"])
    assert {plain, special} <= vocabulary.special
    assert (b"<plain>", b"<special>") == (vocabulary.tokens[plain], vocabulary.tokens[special])


@pytest.mark.parametrize("name", ["<plain>", "</s>"])
def test_text_that_has_the_name_of_a_special_token_is_spelled_out(pico: Any, name: str) -> None:
    """transformers and llguidance would cut it into the special token, which the grammar then refuses."""
    tokenizer = copy.deepcopy(pico)
    tokenizer.add_tokens(["<plain>"])
    written = follow(Guard.regex(f"a{name}b", tokenizer))
    assert f"a{name}b".encode() == Vocabulary.of(tokenizer).decode(written[:-1])
    assert tokenizer.eos_token_id == written[-1]


@pytest.mark.parametrize("normalizer", [normalizers.NFC(), normalizers.Lowercase(), normalizers.NFKC()])
def test_guarded_text_is_not_normalized(pico: Any, normalizer: Any) -> None:
    """A tokenizer with NFC, as Qwen's, cuts another text than the one that must come."""
    tokenizer = copy.deepcopy(pico)
    tokenizer.backend_tokenizer.normalizer = normalizer
    text = "Ae\u0301\ufb01"
    written = follow(Guard.regex(text, tokenizer))
    assert text.encode() == Vocabulary.of(tokenizer).decode(written[:-1])


def follow(guard: Guard) -> list[int]:
    """What a model writes that always takes the first token that is allowed."""
    matcher = guard.matcher()
    while not matcher.ended:
        matcher.advance([min(mask(matcher))])
    return matcher._committed


def test_the_same_tokenizer_gives_the_same_vocabulary_until_it_grows(pico: Any) -> None:
    tokenizer = copy.deepcopy(pico)
    first = Vocabulary.of(tokenizer)
    assert first is Vocabulary.of(tokenizer)
    assert first.fingerprint == Vocabulary.of(pico).fingerprint
    tokenizer.add_tokens(["<new>"])
    grown = Vocabulary.of(tokenizer)
    assert len(first) + 1 == len(grown)
    assert first.fingerprint != grown.fingerprint


def test_a_token_that_becomes_special_is_noticed(pico: Any) -> None:
    tokenizer = copy.deepcopy(pico)
    first = Vocabulary.of(tokenizer)
    token = tokenizer.convert_tokens_to_ids("color")
    assert token not in first.special
    tokenizer.add_special_tokens({"pad_token": "color"})
    assert token in Vocabulary.of(tokenizer).special


def test_another_end_of_sequence_is_noticed(pico: Any) -> None:
    tokenizer = copy.deepcopy(pico)
    assert (1,) == Vocabulary.of(tokenizer).eos_tokens
    tokenizer.eos_token = "<pad>"
    assert (2,) == Vocabulary.of(tokenizer).eos_tokens


def test_a_tokenizer_is_not_kept_alive_by_its_vocabulary(pico: Any) -> None:
    tokenizer = copy.deepcopy(pico)
    alive = weakref.ref(tokenizer)
    vocabulary = Vocabulary.of(tokenizer)
    Guard.regex("a", tokenizer)
    del tokenizer
    gc.collect()
    assert alive() is None
    assert vocabulary.encode("a")


def test_a_tokenizer_without_an_end_has_none() -> None:
    tokenizer = character_tokenizer("ab")
    endless = copy.deepcopy(tokenizer)
    endless.eos_token = None
    vocabulary = Vocabulary.of(endless)
    assert () == vocabulary.eos_tokens
    guard = Guard.regex("a", endless)
    assert guard.accepts("a")
    matcher = guard.matcher()
    matcher.advance([2])
    assert set() == mask(matcher)


def test_tekken_is_read_by_name() -> None:
    tekken = load_tokenizer("tekken")
    vocabulary = tekken.vocabulary
    assert 131_072 == len(vocabulary)
    assert set(range(1000)) == vocabulary.special
    assert (2,) == vocabulary.eos_tokens
    assert b"</s>" == vocabulary.tokens[2]
    text = '{"name": "Zoë €"}'
    assert list(tekken.encode(text)) == vocabulary.encode(text)
    guard = Guard.regex(r"\d{4}-\d{2}", tekken)
    assert vocabulary is guard.vocabulary
    assert guard.accepts("2026-11")


@pytest.mark.skipif(not is_mistral_common_available(), reason="transformers asks for a newer mistral-common")
def test_tekken_from_transformers_is_the_same_vocabulary() -> None:
    tekken = load_tokenizer("tekken")
    from_transformers = MistralCommonBackend(str(tekken._tokenizer.file_path))
    assert tekken.vocabulary.fingerprint == Vocabulary.of(from_transformers).fingerprint


def test_pico_is_read_by_name(pico: Any) -> None:
    assert Vocabulary.of(pico).fingerprint == load_tokenizer("pico").vocabulary.fingerprint


@pytest.mark.parametrize(
    ("tokens", "special", "ends", "message"),
    [
        ([], (), (), "tokens must be at least one"),
        ([b"a"], (1,), (), "special tokens must be ids from 0 to 0, got .1."),
        ([b"a"], (), (-1,), "special tokens must be ids from 0 to 0, got .-1."),
    ],
)
def test_a_vocabulary_must_have_tokens_and_its_special_ones_among_them(
    tokens: list[bytes], special: tuple[int, ...], ends: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Vocabulary(tokens, special=special, eos_tokens=ends)


def test_tokens_must_be_bytes() -> None:
    with pytest.raises(TypeError, match="each as bytes, got 'a'"):
        Vocabulary(["a"])  # type: ignore[list-item]


def test_without_an_encoder_text_is_cut_into_the_fewest_tokens() -> None:
    vocabulary = Vocabulary([b"aa", b"ab", b"a", b"c"])
    assert [2, 1] == vocabulary.encode("aab")
    assert [0, 3] == vocabulary.encode("aac")
    assert [1, 4 + vocabulary.hidden_tokens.index(b"z")] == vocabulary.encode("abz")


def test_special_tokens_are_part_of_the_fingerprint() -> None:
    tokens = [b"a", b"b"]
    prints = [
        Vocabulary(tokens),
        Vocabulary(tokens, special=[1]),
        Vocabulary(tokens, eos_tokens=[1]),
        Vocabulary([b"ab"]),
    ]
    assert 4 == len({vocabulary.fingerprint for vocabulary in prints})
