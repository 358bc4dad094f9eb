"""Reading vLLM's requests."""

from types import SimpleNamespace
from typing import Any

import pytest

from ngramspec.guards.source import Language, Source
from ngramspec.stats import GuardOutcome
from ngramspec.vllm.requests import Forms, segment_of, source_of


def request(arguments: Any) -> Any:
    return SimpleNamespace(sampling_params=SimpleNamespace(extra_args=arguments))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (None, ("default", True)),
        ({"other": 1}, ("default", True)),
        ({"segment": "mail"}, ("mail", True)),
        ({"segment": "x" * 1024}, ("x" * 1024, True)),
        *(({"segment": name}, (None, False)) for name in (3, "", "x" * 1025, "\0salt:mine", ["a"], b"a")),
    ],
)
def test_a_segment_is_a_name_or_nothing(arguments: Any, expected: tuple[str | None, bool]) -> None:
    assert expected == segment_of(request(arguments), "default")


def test_pooling_requests_have_the_default_segment() -> None:
    assert ("default", True) == segment_of(SimpleNamespace(sampling_params=None), "default")


def asked(**given: Any) -> Any:
    nothing = dict.fromkeys(("json", "json_object", "regex", "choice", "grammar", "structural_tag"))
    return SimpleNamespace(**(nothing | given))


@pytest.mark.parametrize(
    ("given", "language", "text"),
    [
        ({"json": {"type": "null"}}, Language.JSON_SCHEMA, '{"type": "null"}'),
        ({"json": '{"type":"null"}'}, Language.JSON_SCHEMA, '{"type":"null"}'),
        ({"json_object": True}, Language.JSON_SCHEMA, '{"type": "object"}'),
        ({"regex": "a+"}, Language.REGEX, "a+"),
        ({"grammar": 'root ::= "a"'}, Language.GBNF, 'root ::= "a"'),
        ({"grammar": 'start: "a"'}, Language.LARK, 'start: "a"'),
    ],
)
def test_forms_are_known_by_their_language(given: Any, language: Language, text: str) -> None:
    assert Source(language, text, salt="s") == source_of(asked(**given), "s", is_compact=False)


@pytest.mark.parametrize("given", [{"choice": ["a"]}, {"structural_tag": "{}"}])
def test_of_other_forms_nothing_is_foreseen(given: Any) -> None:
    assert source_of(asked(**given), "", is_compact=False) is None


def test_schemas_without_whitespace_are_compact() -> None:
    found = source_of(asked(json="{}"), "", is_compact=True)
    assert found is not None
    assert "compact" == found.whitespace


def ended(status: str, *, is_terminated: bool) -> Any:
    """A request in a form, with a grammar whose state cannot be copied."""
    grammar = SimpleNamespace(is_terminated=lambda: is_terminated)
    form = SimpleNamespace(grammar=grammar, reasoning_ended=False)
    parameters = SimpleNamespace(all_stop_token_ids={1})
    return SimpleNamespace(
        structured_output_request=form, status=SimpleNamespace(name=status), sampling_params=parameters
    )


@pytest.mark.parametrize(
    ("request_", "outcome"),
    [
        (SimpleNamespace(structured_output_request=None), None),
        (SimpleNamespace(structured_output_request=SimpleNamespace(grammar=None)), None),
        (SimpleNamespace(structured_output_request=SimpleNamespace(grammar=ValueError("no schema"))), None),
        (ended("FINISHED_STOPPED", is_terminated=True), GuardOutcome.COMPLETE),
        (ended("FINISHED_LENGTH_CAPPED", is_terminated=False), GuardOutcome.CUT_OFF),
        (ended("FINISHED_ABORTED", is_terminated=False), GuardOutcome.CUT_OFF),
        (ended("FINISHED_ERROR", is_terminated=False), GuardOutcome.FAILED),
        (ended("FINISHED_ERROR", is_terminated=True), GuardOutcome.FAILED),
    ],
)
def test_a_text_in_a_form_ends_as_its_grammar_and_vllm_say(request_: Any, outcome: GuardOutcome | None) -> None:
    manager = SimpleNamespace(reasoner_cls=None, enable_in_reasoning=False)
    assert outcome == Forms(manager, None).outcome(request_)
