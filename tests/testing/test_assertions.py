"""`assert_valid` and `assert_lossless` pass if the claim holds, and otherwise say where it does not."""

import re
from typing import Any

import pytest
import torch

from ngramspec import Guard, GuardError, Speculator, Vocabulary
from ngramspec.guards.backends.llguidance import LLGuidanceMatcher
from ngramspec.guards.types import BitmaskArray
from ngramspec.testing import assert_lossless, assert_valid, equivalence
from tests.hf.models import EOS, PAD, tiny

ALPHABET = '{}":,abcdeflnorstu0123456789'
VOCABULARY = Vocabulary(
    [b"<pad>", b"<end>", *(letter.encode() for letter in ALPHABET)], special=[PAD], eos_tokens=[EOS]
)
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string", "maxLength": 9}, "b": {"enum": ["ab", "lo"]}},
    "required": ["a", "b"],
    "additionalProperties": False,
}
PROMPTS = [[2, 3, 4, 5], [9, 8, 7], [4, 4, 4]]


def model() -> Any:
    return tiny("llama", vocabulary=len(VOCABULARY))


def schema_guard() -> Guard:
    return Guard.json_schema(SCHEMA, VOCABULARY, whitespace="compact")


@pytest.mark.parametrize("text", ['{"a":"","b":"ab"}', '{"a":"lo","b":"lo"}'])
def test_a_valid_text_passes(text: str) -> None:
    assert_valid(schema_guard(), text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '{"a":"","c":1}',
            """violates the guard at character 9: '{"a":"","' is a legal beginning, 'c":1}' may not follow""",
        ),
        ('{"a":"","b":"ab"', "is legal so far, but not complete: more must follow"),
        ('{"a":"","b":"x"}', "jsonschema says: $.b: "),
        ("[]", """at character 0: '' is a legal beginning, '[]' may not follow"""),
    ],
)
def test_it_is_said_where_a_text_leaves_its_guard(text: str, said: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(said)):
        assert_valid(schema_guard(), text)


def test_a_letter_of_several_bytes_is_cut_where_it_begins() -> None:
    with pytest.raises(AssertionError, match="the guard at character 1: 'é' is a legal beginning, 'è' may not"):
        assert_valid(Guard.regex("éé", VOCABULARY), "éè")


def test_half_a_surrogate_pair_leaves_every_guard() -> None:
    with pytest.raises(AssertionError, match="violates the guard at character 1: 'é' is a legal beginning, "):
        assert_valid(Guard.regex("é.", VOCABULARY), "é\ud83d")


def test_what_the_guard_allows_jsonschema_must_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guard, "accepts", lambda _self, _text: True)
    with pytest.raises(AssertionError, match=r"which does not fit its schema\njsonschema says: .*'b' is a required"):
        assert_valid(schema_guard(), '{"a":""}')


@pytest.mark.parametrize("markers", [(), ("a",), ("a", "b")])
def test_regexes_and_markers_hold_too(markers: tuple[str, ...]) -> None:
    guard = Guard.regex("[0-9]+", VOCABULARY)
    guard = guard.between(*markers) if len(markers) == 2 else guard.after(*markers) if markers else guard
    whole = {0: "12", 1: "la12", 2: "a12b"}[len(markers)]
    assert_valid(guard, whole)
    with pytest.raises(AssertionError, match="does not allow"):
        assert_valid(guard, whole.replace("12", "1:2"))


@pytest.mark.filterwarnings("ignore:what a prompt has after")
@pytest.mark.parametrize("guard", [schema_guard(), Guard.regex("(ab|cd|0[1-9]{2}){3,5}", VOCABULARY).after("a")])
def test_drafts_change_nothing_under_a_guard(guard: Guard) -> None:
    report = assert_lossless(model(), guard, PROMPTS, batch=2, max_new_tokens=40, eos_token_id=EOS)
    assert "identical" == report.finding
    for mode in report.modes:
        assert 0 < mode.num_accepted_tokens
        assert 0 < mode.num_rolled_back_tokens


def test_settings_of_generate_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    report = assert_lossless(
        model(), schema_guard(), PROMPTS, batch=2, max_new_tokens=30, eos_token_id=EOS, top_k=5, repetition_penalty=1.3
    )
    assert "identical" == report.finding


class Broken(Speculator):
    """Loses the last token of every text."""

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        return super().__call__(*arguments, **more)[:, :-1]


def test_a_lost_token_is_found_and_can_be_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equivalence, "Speculator", Broken)
    with pytest.raises(AssertionError) as caught:
        assert_lossless(model(), schema_guard(), PROMPTS, batch=1, max_new_tokens=40, eos_token_id=EOS, seed=3)
    assert "must be plain decoding's, got defect:\ngreedy, batch 1: defect" in str(caught.value)
    assert "prompt 0, emitted token " in str(caught.value)
    assert str(caught.value).endswith(
        "again: assert_lossless(model, guard, prompts, max_new_tokens=40, batch=1, max_draft_tokens=10, seed=3,"
        f" eos_token_id={EOS})"
    )


def test_a_mask_that_allows_too_much_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drafted and plain text are the same, and both are wrong: then the guard itself must say so."""
    right = LLGuidanceMatcher._mask

    def wrong(self: LLGuidanceMatcher, row: BitmaskArray) -> None:
        right(self, row)
        row[0] |= (1 << 20) - 1

    monkeypatch.setattr(LLGuidanceMatcher, "_mask", wrong)
    with pytest.raises((AssertionError, GuardError), match="is not allowed"):
        assert_lossless(
            model(), Guard.regex("a{30}", VOCABULARY), PROMPTS, batch=1, max_new_tokens=30, eos_token_id=EOS
        )


def test_a_text_without_drafts_proves_nothing() -> None:
    with pytest.raises(AssertionError, match="got untested"):
        assert_lossless(model(), schema_guard(), PROMPTS, batch=1, max_new_tokens=1, eos_token_id=EOS)


def test_random_generators_are_left_as_they_were() -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    assert_lossless(model(), schema_guard(), PROMPTS[:1], batch=1, max_new_tokens=20, eos_token_id=EOS)
    assert torch.equal(state, torch.get_rng_state())
