"""Drafts for an engine that decodes on its own: within its limits, from the right histories, and counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.decoding import FixedBudget
from ngramspec.drafting import AdaptiveLookup, Draft, TokenArray
from ngramspec.stats import Undrafted
from ngramspec.vllm.rows import EngineRow
from tests.vllm.engines import VOCABULARY, decode, drafting_of

PROMPT = [*range(100, 160)]
ANSWER = [7, *range(110, 150), 8, 9]


def test_what_repeats_is_drafted_and_accepted_and_counted() -> None:
    drafting = drafting_of()
    offered = decode(drafting, [PROMPT], [ANSWER], segment="invoices")
    counters = drafting.stats.segments["invoices"]
    assert len(ANSWER) == counters.tokens
    assert counters.num_accepted_tokens > 20
    assert sum(map(len, offered[0])) == counters.num_draft_tokens
    assert counters.tokens == counters.target_passes + counters.num_accepted_tokens
    assert {} == drafting.rows


texts = st.lists(st.integers(0, 5), min_size=2, max_size=40)


@given(rows=st.lists(st.tuples(texts, texts), min_size=1, max_size=4), most=st.integers(0, 5))
def test_no_draft_is_longer_than_what_may_be_accepted_or_checked(
    rows: list[tuple[list[int], list[int]]], most: int
) -> None:
    drafting = drafting_of(max_draft_tokens=most)
    offered = decode(drafting, [prompt for prompt, _ in rows], [answer for _, answer in rows])
    for (_, answer), drafts in zip(rows, offered, strict=True):
        assert max(map(len, drafts)) <= most
        assert [] == drafts[-1] or len(drafts[-1]) < len(answer)
    assert sum(len(answer) for _, answer in rows) == drafting.stats.total.tokens
    assert 0 == sum(row.trouble.num_errors for row in drafting.rows.values())


def test_the_last_token_of_an_answer_is_not_drafted() -> None:
    offered = decode(drafting_of(), [PROMPT], [ANSWER[:12]])
    drafted = sum(map(len, offered[0]))
    assert 0 < drafted < len(ANSWER[:12])


class Beyond:
    """A drafter whose history holds ids of another model."""

    def open(self, segment: str | None = None, references: object = ()) -> "Beyond":
        return self

    def extend(self, tokens: TokenArray) -> None: ...

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        return Draft(np.array([1, 2, VOCABULARY, 3], np.int32)[:max_tokens])

    def observe(self, draft: Draft, num_accepted: int) -> None: ...

    def close(self) -> None: ...


def test_ids_that_the_model_does_not_know_are_not_offered() -> None:
    offered = decode(drafting_of(Beyond()), [PROMPT], [[1, 2, 1, 2, 3, 1, 2, 3, 4, 5]])
    drafted = [draft for draft in offered[0] if draft]
    assert drafted
    assert all(draft in ([1], [1, 2]) for draft in drafted)


@pytest.mark.parametrize(
    ("segment", "cache_salt", "is_drafted"),
    [("a", None, True), ("b", None, False), ("a", "tenant", False), (None, None, False)],
)
def test_an_answer_is_drafted_for_its_segment_and_tenant_alone(
    segment: str | None, cache_salt: str | None, is_drafted: bool
) -> None:
    drafting = drafting_of()
    answer = [*range(300, 340)]
    decode(drafting, [PROMPT], [answer], segment="a")
    offered = decode(drafting, [PROMPT], [answer], segment=segment, cache_salt=cache_salt)
    assert is_drafted == any(offered[0])


def test_a_tenants_segment_is_counted_under_its_name() -> None:
    drafting = drafting_of()
    decode(drafting, [PROMPT], [ANSWER], segment="a", cache_salt="secret")
    assert ["a"] == list(drafting.stats.segments)
    assert "secret" not in str(drafting.stats.as_dict())


def test_what_does_not_pay_is_not_drafted() -> None:
    """Each token costs as much as a whole pass, and none is accepted."""
    drafting = drafting_of(AdaptiveLookup())
    rows = 4
    prompts = [[1, 2, 3, 4, 5, 6, 7, 8] * 8 for _ in range(rows)]
    answers = [
        [token for step in range(300) for token in (1, 2, 3, 500 + (7 * step + row) % 90)] for row in range(rows)
    ]
    done = dict.fromkeys(range(rows), 1)
    for key in done:
        drafting.open(key, np.array(prompts[key], np.int32)).read(answers[key][:1], len(answers[key]))
    widths = []
    for _ in range(600):
        keys = list(done)
        drafts = dict(zip(keys, drafting.draft(keys), strict=True))
        widths.append(sum(map(len, drafts.values())))
        verified = {key: draft for key, draft in drafts.items() if draft}
        drafting.passed({key: 1 + len(drafts[key]) for key in keys}, verified, rows, 1e-2 * (rows + widths[-1]))
        for key in keys:
            new = answers[key][done[key] % 1200 :][:1]
            done[key] += 1
            drafting.rows[key].read(new, 1000)
    assert sum(widths[300:]) < 0.1 * rows * 300


def test_each_row_of_a_pass_has_an_equal_share_of_its_time_from_the_reading_of_its_prompt_on() -> None:
    drafting = drafting_of()
    for key in "abc":
        drafting.expect(key)
    drafting.passed({"a": 9, "b": 9, "c": 9}, {}, 1, 3.0)
    row = drafting.open("a", np.array(PROMPT, np.int32), segment="a")
    row.read([7], 9)
    drafting.forget("c")  # dropped by its client while the next pass was made
    drafting.passed({"a": 1, "b": 9, "c": 9, "unknown": 1}, {}, 2, 8.0)
    row = drafting.open("b", np.array(PROMPT, np.int32), segment="b")
    row.read([7], 9)
    for key in "ab":
        drafting.close(key)
    seconds = {name: counters.verifying_seconds for name, counters in drafting.stats}
    assert {"a": 3.0, "b": 3.0} == seconds
    drafting.passed({"a": 1, "c": 1}, {}, 2, 8.0)
    drafting.open("c", np.array(PROMPT, np.int32))
    drafting.close("c")
    assert 0.0 == drafting.stats.unnamed.verifying_seconds


def test_traffic_that_changes_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    drafting = drafting_of()
    rng = np.random.default_rng(0)
    for number in range(120):
        prompt = rng.integers(0, VOCABULARY, 30).tolist()
        answer = prompt[4:16] if number < 96 else rng.integers(0, VOCABULARY, 12).tolist()
        decode(drafting, [prompt], [answer], segment="orders")
    (record,) = [record for record in caplog.records if record.name == "ngramspec.watching.drift"]
    assert ("ngramspec.drift", "orders", "fell") == (record.event, record.segment, record.direction)  # type: ignore[attr-defined]
    assert 1 == drafting.drifts.counts["orders"].fell


@given(
    rows=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 40)), min_size=1, max_size=5),
    room=st.integers(0, 40),
)
def test_drafts_that_the_pass_has_no_room_for_are_cut_to_their_surest_tokens(
    rows: list[tuple[int, int]], room: int
) -> None:
    """rows: where each of them continues its prompt, and how many tokens it may emit."""

    def drafts(room: int | None) -> tuple[list[list[int]], list[EngineRow]]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ngramspec.vllm.drafting.AdaptiveBudget", lambda: FixedBudget(8))
            drafting = drafting_of()
        for key, (start, remaining) in enumerate(rows):
            drafting.open(key, np.array(PROMPT, np.int32)).read(PROMPT[start : start + 8], remaining)
        return drafting.draft(range(len(rows)), room), [*drafting.rows.values()]

    (whole, _), (cut, cut_rows) = drafts(None), drafts(room)
    assert min(room, sum(map(len, whole))) == sum(map(len, cut))
    for full, head, row in zip(whole, cut, cut_rows, strict=True):
        assert full[: len(head)] == head
        assert head or not full or row.undrafted is Undrafted.NO_ROOM


class Sure:
    """A drafter of four tokens, each as sure as its row's first token says, in percent."""

    def open(self, segment: str | None = None, references: object = ()) -> "Sure":
        return Sure()

    def extend(self, tokens: TokenArray) -> None:
        self.percent = int(tokens[0])

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        survival = np.array([(self.percent / 100) ** size for size in range(1, 5)])
        return Draft(np.arange(4, dtype=np.int32), survival=survival)

    def observe(self, draft: Draft, num_accepted: int) -> None: ...

    def close(self) -> None: ...


def test_of_several_rows_the_surest_tokens_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ngramspec.vllm.drafting.AdaptiveBudget", lambda: FixedBudget(8))
    drafting = drafting_of(Sure())
    for percent in (90, 50, 99):
        drafting.open(percent, np.array([percent], np.int32)).read([percent], 9)
    assert [3, 0, 4] == [len(draft) for draft in drafting.draft([90, 50, 99], 7)]
