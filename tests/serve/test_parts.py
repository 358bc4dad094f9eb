"""The parts of an answer are the same, however its text is split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.serve.text.call_forms import HERMES, LLAMA, MISTRAL, MISTRAL_IDS, MISTRAL_NAMED, CallForm
from ngramspec.serve.text.parts import CallArguments, CallBegun, Content, Part, Reasoning, joined
from ngramspec.serve.text.parts_reader import PartsReader

CALLS = """I look.

<tool_call>
{"name": "find", "arguments": {"a": "}\\"{ </tool_call>", "b": [{}, 1]}}
</tool_call>
<tool_call>{"name":"go","arguments":{}}</tool_call>
Done. """
PARTED: list[Part] = [
    Content("I look."),
    CallBegun(0, "find"),
    CallArguments(0, '{"a": "}\\"{ </tool_call>", "b": [{}, 1]}'),
    CallBegun(1, "go"),
    CallArguments(1, "{}"),
    Content("Done. "),
]
LIST = '[TOOL_CALLS] [{"name": "find", "arguments": {"a": 1}}, {"name": "go", "arguments": {}}]'
LISTED: list[Part] = [CallBegun(0, "find"), CallArguments(0, '{"a": 1}'), CallBegun(1, "go"), CallArguments(1, "{}")]
CASES: list[tuple[CallForm | None, str, bool, str, list[Part]]] = [
    (HERMES, "", False, CALLS, PARTED),
    (HERMES, "<think>", False, "<think>\nA <tool_call>?\n</think>\n\n" + CALLS, [Reasoning("A <tool_call>?"), *PARTED]),
    (HERMES, "<think>", True, "\nhm </thin </think>" + CALLS, [Reasoning("hm </thin"), *PARTED]),
    (HERMES, "<think>", False, "No <tool_cal", [Content("No <tool_cal")]),
    (HERMES, "", False, '<tool_call>\n{"name": "find", "argu', [Content('<tool_call>\n{"name": "find", "argu')]),
    (HERMES, "", False, '<tool_call>{"name": "find", "arguments": {"a', [*PARTED[1:2], CallArguments(0, '{"a')]),
    (MISTRAL, "", False, LIST, LISTED),
    (MISTRAL, "", False, "So: " + LIST, [Content("So:"), *LISTED]),
    (MISTRAL, "", False, "So: [TOOL_CALLS] find", [Content("So:"), Content("[TOOL_CALLS] find")]),
    (LLAMA, "", False, '{"name": "find", "parameters": {"a": 1}}', LISTED[:2]),
    (LLAMA, "", False, 'It is {"name": 1}', [Content('It is {"name": 1}')]),
    (LLAMA, "", False, '{"name": "find"}', [Content('{"name": "find"}')]),
    (LLAMA, "<think>", False, '<think>a</think>\n{"order": "name"}', [Reasoning("a"), Content('{"order": "name"}')]),
    (
        MISTRAL_NAMED,
        "",
        False,
        'So: [TOOL_CALLS]find[ARGS]{"a": 1}[TOOL_CALLS]go[ARGS]{}',
        [Content("So:"), *LISTED],
    ),
    (MISTRAL_NAMED, "", False, "[TOOL_CALLS]find[ARG", [Content("[TOOL_CALLS]find[ARG")]),
    (MISTRAL_IDS, "", False, '[TOOL_CALLS]find[CALL_ID]a23456789[ARGS]{"a": 1}', LISTED[:2]),
    (None, "<think>", False, "<think>a</think> b", [Reasoning("a"), Content("b")]),
    (None, "<think>", False, " <think>a</think>", [Content(" <think>a</think>")]),
    (None, "<think>", False, "<thin", [Content("<thin")]),
    (None, "\n<think>", False, "\n<think>a</think> b", [Reasoning("a"), Content("b")]),
    (None, "\n<think>", False, "\n{}", [Content("\n{}")]),
    (None, "<think>", True, "a", [Reasoning("a")]),
    (None, "<think>", False, "", []),
]


@pytest.mark.parametrize(("form", "opening", "is_reasoning", "text", "expected"), CASES)
@given(data=st.data())
def test_the_parts_of_a_text_do_not_depend_on_how_it_is_cut(
    form: CallForm | None, opening: str, is_reasoning: bool, text: str, expected: list[Part], data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=len(text))))
    reader = PartsReader(form, opening=opening, is_reasoning=is_reasoning)
    parts = []
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        parts += reader.feed(text[start:end])
    assert joined(expected) == joined(parts + reader.finish())


def test_nothing_that_is_sure_is_kept_back() -> None:
    reader = PartsReader(HERMES, opening="", is_reasoning=False)
    assert [Content("so <t")] == reader.feed("so <t ")
    assert [] == reader.feed('<tool_call>\n{"name": "find", "arguments": ')
    assert [CallBegun(0, "find"), CallArguments(0, '{"a')] == reader.feed('{"a')
    assert [CallArguments(0, '": 1}')] == reader.feed('": 1}}\n')
    alone = PartsReader(LLAMA, opening="", is_reasoning=False)
    assert ([], [Content('{"na"')]) == (alone.feed('{"na'), alone.feed('"'))
