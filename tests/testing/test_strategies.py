"""The strategies draw what they claim: texts fit, tokens cross borders, mistakes shrink."""

import subprocess
import sys
from random import Random

from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ngramspec.testing import Constraint, Slip
from ngramspec.testing.strategies import (
    combined_schema,
    constraints,
    grammars,
    json_schemas,
    json_value,
    mutants,
    regexes,
    slips,
    spellings,
    vocabularies,
)  # fmt: skip

ANY = settings(max_examples=150, deadline=None, database=None, derandomize=True)
SEEN = settings(ANY, max_examples=1000, phases=[Phase.generate])
"""To see that something is drawn, not how small it can be."""


@ANY
@given(constraints(), st.data())
def test_guards_accept_the_valid_texts_and_refuse_the_others(constraint: Constraint, data: st.DataObject) -> None:
    guard = constraint.guard(data.draw(vocabularies(constraint.valid)))
    assert constraint.valid
    for text in constraint.valid:
        assert guard.accepts(text), text
    for text in constraint.invalid:
        assert not guard.accepts(text), text


@ANY
@given(json_schemas())
def test_jsonschema_says_the_same_of_the_texts_of_a_schema(constraint: Constraint) -> None:
    alone = Constraint("schema", constraint.source)
    assert [True] * len(constraint.valid) == [alone.verdict(text) for text in constraint.valid]
    assert [False] * len(constraint.invalid) == [alone.verdict(text) for text in constraint.invalid]


@ANY
@given(regexes())
def test_re_matches_the_texts_of_a_regex(constraint: Constraint) -> None:
    alone = Constraint("regex", constraint.source)
    assert all(alone.verdict(text) for text in constraint.valid)


def test_all_kinds_of_constraints_come_with_texts_that_say_something() -> None:
    nested = find(json_schemas(), lambda c: "anyOf" in c.source and "properties" in c.source, settings=SEEN)
    assert nested.valid
    assert find(json_schemas(), lambda c: "$ref" in c.source and "children" in c.valid[0], settings=SEEN)
    assert find(json_schemas(), lambda c: len(c.invalid) > 1, settings=SEEN)
    assert find(regexes(), lambda c: "|" in c.source and "{2,}" in c.source, settings=SEEN)
    assert find(grammars(), lambda c: "((" in c.valid[0], settings=SEEN)


def test_combined_schemas_have_all_keywords_and_values_that_fit_them_and_that_do_not() -> None:
    keywords: set[str] = set()
    verdicts: set[bool] = set()
    for seed in range(300):
        schema, value = combined_schema(Random(seed)), json_value(Random(seed + 1))
        Draft202012Validator.check_schema(schema)
        keywords |= set(schema)
        verdicts.add(Draft202012Validator(schema).is_valid(value))
    assert {"not", "oneOf", "contains", "unevaluatedProperties", "patternProperties", "$ref", "uniqueItems"} <= keywords
    assert {True, False} == verdicts


def test_a_value_is_spelled_with_its_keys_in_each_order() -> None:
    expected = {'[{"a": 1, "b": {}}]', '[{"b": {}, "a": 1}]'}
    assert expected == set(spellings([{"a": 1.0, "b": {}}]))


def test_mutants_are_nearly_right() -> None:
    for nearly in ("b", "bb", "aab", "bab", "aba", r"\u0061b"):
        assert nearly == find(mutants(["ab"]), lambda text, wanted=nearly: text == wanted, settings=ANY)  # type: ignore[misc]


@ANY
@given(vocabularies(['{"a":1}'], ["<t>"]))
def test_a_vocabulary_has_ends_that_are_special(vocabulary: object) -> None:
    from ngramspec import Vocabulary

    assert isinstance(vocabulary, Vocabulary)
    assert 1 <= len(vocabulary.eos_tokens) <= 3
    assert set(vocabulary.eos_tokens) < vocabulary.special


def test_vocabularies_have_the_tokens_that_are_hard() -> None:
    text = 'go <t>{"a":1}'
    drawn = vocabularies([text], ["<t>"])

    def has(*texts: bytes) -> object:
        return find(drawn, lambda vocabulary: set(texts) <= set(vocabulary.tokens), settings=SEEN)

    assert has(b'<t>{"')  # continues after the marker
    assert has(b" <")  # ends inside it
    assert has(b"<t>", b"<end>", b"</s>", b"<eot>")
    assert find(drawn, lambda v: len(v.tokens) > len(set(v.tokens)), settings=SEEN)
    assert find(drawn, lambda v: v.hidden_tokens, settings=SEEN)
    assert find(drawn, lambda v: any(v.tokens[token] == b"<t>" for token in v.special), settings=SEEN)


def test_slips_shrink_to_one_at_the_start() -> None:
    assert (Slip("end", 0, 0),) == find(slips(), lambda found: any(slip.kind == "end" for slip in found), settings=ANY)


def test_only_strategies_need_hypothesis() -> None:
    code = """
import sys
sys.modules["hypothesis"] = None
from ngramspec.testing import assert_valid
try:
    import ngramspec.testing.strategies
except ImportError as error:
    print(error)
print([name for name in ("torch", "transformers") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ["ngramspec.testing.strategies needs hypothesis: pip install 'ngramspec[fuzz]'", "[]"] == (
        done.stdout.splitlines()
    )
