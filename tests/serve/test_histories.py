"""Histories of segments outlive the service, however it ends; and samples of one prompt draft from each other."""

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ngramspec import AdaptiveLookup, Speculator
from ngramspec.errors import HistoryError
from ngramspec.pico import repeat_prompt
from ngramspec.serve.app import histories
from tests.serve.families import with_markers
from tests.serve.serving import NAME, Reply, pico, serving
from tests.serve.test_process import address_in, asked, process, until

ANSWER = "An answer that no prompt has, of a few words."
SEGMENT: Any = {"metadata": {"segment": "words"}}
FINGERPRINT = histories._fingerprint(pico()[1])


def ask_once(path: Path, **settings: Any) -> Reply:
    async def ask() -> Reply:
        async with serving(history=path, **settings) as client:
            return await client.complete("### rename value to column\ndef double(value):\n", max_tokens=40, **SEGMENT)

    return asyncio.run(ask())


def accepted(reply: Reply) -> int:
    count: int = reply.json["metrics"]["speculative_decoding"]["num_accepted_draft_tokens"]
    return count


def test_a_service_goes_on_with_what_an_earlier_one_has_learnt(tmp_path: Path) -> None:
    first, second = (ask_once(tmp_path / "history") for _ in range(2))
    assert first.json["choices"] == second.json["choices"]
    assert accepted(first) < accepted(second)


def test_histories_of_another_tokenizer_are_refused_when_the_service_starts(tmp_path: Path) -> None:
    ask_once(tmp_path / "history")
    with pytest.raises(HistoryError, match="serves the tokenizer that it was made with"):
        ask_once(tmp_path / "history", load=lambda: with_markers("<x>"))


def test_a_file_that_cannot_be_written_is_told_of_when_the_service_starts(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no/history"):
        ask_once(tmp_path / "no" / "history")


def test_answers_go_on_where_histories_cannot_be_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    save, num_saved = AdaptiveLookup.save, 0

    def full(self: AdaptiveLookup, path: Path, fingerprint: str) -> None:
        nonlocal num_saved
        num_saved += 1
        if num_saved > 1:
            raise OSError("no space is left")
        save(self, path, fingerprint)

    monkeypatch.setattr(AdaptiveLookup, "save", full)
    assert 200 == ask_once(tmp_path / "history").status
    assert "so the earlier file stays" in caplog.text
    AdaptiveLookup.load(tmp_path / "history", FINGERPRINT)


def test_a_service_that_is_killed_leaves_histories_that_can_be_read(tmp_path: Path) -> None:
    """It saves all the time here, so that it is killed while it does."""
    path = tmp_path / "history"
    often = (
        "import ngramspec.serve.app.histories as saved; saved.SECONDS = 0.001; from ngramspec.cli import main; main()"
    )

    def is_saved(segment: str) -> bool:
        return segment in AdaptiveLookup.load(path, FINGERPRINT).segments

    for number in range(2):
        with process("--history", str(path), program=often) as (_, line):  # which kills it at the end
            body = {"model": NAME, "prompt": repeat_prompt(ANSWER), "max_tokens": 20}
            named = {"metadata": {"segment": f"number {number}"}}
            json.load(asked(address_in(line), "/v1/completions", body | named))
            until(partial(is_saved, f"number {number}"))
    assert ["number 0", "number 1"] == list(AdaptiveLookup.load(path, FINGERPRINT).segments)


def samples(spec: Speculator, *prompts: str, **fields: Any) -> list[Reply]:
    async def ask() -> list[Reply]:
        async with serving(spec=spec, max_rows=1, api_keys={"ada": "1", "ben": "2"}) as client:
            body = {"model": NAME, "max_tokens": 40, **fields}
            return [
                await client.ask(
                    "/v1/completions", {**body, "prompt": prompt}, headers={"Authorization": f"Bearer {key}"}
                )
                for prompt in prompts
                for key in "12"
            ]

    return asyncio.run(ask())


PROMPTS = [f"### rename value to column\ndef {name}(value):\n" for name in ("double", "triple")]


def test_samples_of_one_prompt_draft_from_each_other_and_from_no_others() -> None:
    """One row at a time, so that the second sample comes after the first one; and no token comes twice in one."""
    spec, fields = Speculator(), {"repetition_penalty": 100, "ignore_eos": True}
    alone = samples(Speculator(), *PROMPTS, **fields)
    reply = samples(spec, *PROMPTS, n=2, **fields)
    for single, both in zip(alone, reply, strict=True):
        assert 2 * single.json["choices"] == [{**each, "index": 0} for each in both.json["choices"]]
        assert 5 > accepted(single)
        assert 20 < accepted(both)
    assert isinstance(spec.drafter, AdaptiveLookup)
    assert 4 == len(spec.drafter.segments)  # for each prompt and tenant
    assert {} == dict(spec.stats.segments)


@pytest.mark.parametrize(("fields", "expected"), [({}, 0), ({"n": 2, **SEGMENT}, 2), ({"n": 2, "speculate": False}, 0)])
def test_samples_have_no_history_of_their_own_where_there_is_another_or_none(fields: Any, expected: int) -> None:
    spec = Speculator()
    samples(spec, *PROMPTS, **fields)
    assert isinstance(spec.drafter, AdaptiveLookup)
    assert expected == len(spec.drafter.segments)


def test_a_segment_that_looks_like_a_tenants_is_refused() -> None:
    spec = Speculator()
    samples(spec, "### repeat\na", **SEGMENT)
    assert isinstance(spec.drafter, AdaptiveLookup)
    name = next(iter(spec.drafter.segments))

    async def ask() -> Reply:
        async with serving() as client:
            return await client.complete("a", metadata={"segment": name})

    reply = asyncio.run(ask())
    assert (400, "metadata.segment") == (reply.status, reply.error["param"])
