"""`make demo-real`: every job in every way, and the origin of each accepted draft token; here on the packaged model."""

import io
import tomllib
from dataclasses import replace

import pytest
from rich.console import Console

from benchmarks.demo import SOURCES, Demo, Job, Shown, jobs, show, table
from benchmarks.real import PROMPTS
from ngramspec.pico import PICO_PATH
from ngramspec.serve.text.chats import PICO_TEMPLATE

LETTER = "Order T/95746 came in. Flus Sheabailfla placed it. Deliver to Tomton. Flus Sheabailfla placed it."
SCHEMA = (
    '{"type": "object", "additionalProperties": false, "required": ["order", "buyer"],'
    ' "properties": {"order": {"type": "string", "maxLength": 12}, "buyer": {"type": "string", "maxLength": 20}}}'
)
FREE = Job("copy", f"### repeat\n{LETTER}", 24)
ORDER = Job("extraction", f"### extract\n{LETTER}", 48, SCHEMA, "orders")


@pytest.fixture(scope="module")
def demo() -> Demo:
    made = Demo(PICO_PATH)
    made.tokenizer.chat_template = PICO_TEMPLATE
    return made


@pytest.fixture(scope="module")
def shown(demo: Demo) -> list[Shown]:
    return [demo.run(job) for job in (FREE, ORDER, replace(ORDER, name="next order"))]


def test_a_text_is_plain_decodings_and_each_accepted_token_has_a_source(shown: list[Shown]) -> None:
    for each in shown:
        assert each.plain.tokens == each.ours.tokens
        assert len(each.ours.tokens) == len(each.sources)
        assert {*SOURCES, None} >= set(each.sources)
        # A pass brings one token of the model's own, but for the last one, which may end within its draft.
        num_own = each.sources.count(None)
        assert each.ours.passes - 1 <= num_own <= each.ours.passes
        assert each.ours.passes < each.plain.passes == len(each.plain.tokens)


def test_free_text_is_drafted_from_prompt_and_answer_and_guarded_text_from_the_schema_too(shown: list[Shown]) -> None:
    free, first, _ = (set(each.sources) for each in shown)
    assert "prompt" in free
    assert {"history", "schema"}.isdisjoint(free)
    assert "schema" in first
    assert "history" not in first


def test_a_later_answer_of_a_segment_is_drafted_from_the_earlier_one(shown: list[Shown]) -> None:
    assert "history" in shown[2].sources
    assert shown[2].ours.passes < shown[1].ours.passes


def test_the_lookup_of_transformers_is_left_out_under_a_schema(shown: list[Shown]) -> None:
    free, *guarded = (each.lookup for each in shown)
    assert free is not None
    assert free.tokens == shown[0].plain.tokens
    assert [None, None] == guarded


def test_what_is_shown_fits_eighty_columns(demo: Demo, shown: list[Shown]) -> None:
    console = Console(file=io.StringIO(), width=80, highlight=False)
    for each in shown:
        show(console, demo.tokenizer, each)
    console.print(table(shown))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert 80 >= max(map(len, lines))
    assert ["same", "same"] == lines[-3].split()[-2:]


def test_the_jobs_are_the_first_of_their_kinds_and_two_of_them_share_schema_and_segment() -> None:
    prompts = tomllib.loads(PROMPTS.read_text())
    made = jobs(prompts)
    assert ["summary", "edit", "extraction", "next order", "chat"] == [job.name for job in made]
    firsts = [prompts[kind][0]["prompt"] for kind in ("summary", "rename", "schema", "chat")]
    assert firsts == [job.prompt for job in made if job.name != "next order"]
    assert [(made[2].schema, "orders")] * 2 == [(job.schema, job.segment) for job in made[2:4]]
