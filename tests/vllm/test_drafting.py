"""Drafts for an engine that decodes by itself: within its limits, from the right histories, and counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.drafting import AdaptiveLookup, Draft, TokenArray
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
        checked = {key: draft for key, draft in drafts.items() if draft}
        drafting.passed({key: 1 + len(drafts[key]) for key in keys}, checked, rows, 1e-2 * (rows + widths[-1]))
        for key in keys:
            new = answers[key][done[key] % 1200 :][:1]
            done[key] += 1
            drafting.rows[key].read(new, 1000)
    assert sum(widths[300:]) < 0.1 * rows * 300
