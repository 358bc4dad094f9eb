"""The fuzz finds planted defects, shrinks them, and tries what it claims to try."""

from collections.abc import Sequence
from typing import Any

import pytest

from ngramspec import Guard, GuardError, Speculator
from ngramspec.guards import Matcher
from ngramspec.guards.types import BitmaskArray, set_bits
from ngramspec.hf.choice import masks
from ngramspec.testing.fuzzing import (
    SHARES,
    Campaign,
    Constraint,
    DefectError,
    Failure,
    Scene,
    Slip,
    Tally,
    Tokens,
    Writer,
    judge,
    play,
    playing,
)
from ngramspec.testing.fuzzing.combining import CombinedError, judge_combined

DATE = Constraint("regex", r"[0-9]{4}-[0-9]{2}", valid=("2026-11",))


def first_failure(campaign: Campaign) -> tuple[Failure, Scene]:
    """What a campaign finds first, and the scene that it prints."""
    failures = campaign.run().failures
    assert failures, "nothing was found"
    scope = {"Constraint": Constraint, "Scene": Scene, "Slip": Slip, "Tokens": Tokens, "Writer": Writer}
    scene = eval(failures[0].example.removeprefix("play"), scope)
    assert isinstance(scene, Scene)
    return failures[0], scene


def test_nothing_fails_and_each_thing_is_tried_often_enough() -> None:
    result = Campaign(400, seed=1).run()
    assert [] == result.failures
    assert 400 <= result.tally.cases
    shares = {name: result.tally.seen[name] / result.tally.cases for name in SHARES}
    assert {} == {name: share for name, share in shares.items() if share < 0.02}


def test_the_same_seed_does_the_same() -> None:
    first, again, other = (Campaign(60, seed=seed, backends=("llguidance",)).run().tally for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_a_lost_token_is_found_and_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Speculator):
        def __call__(self, *arguments: Any, **more: Any) -> Any:
            output = super().__call__(*arguments, **more)
            return output[:, :-1] if self.stats.total.num_accepted_tokens > 2 else output

    monkeypatch.setattr(playing, "Speculator", Broken)
    failure, scene = first_failure(Campaign(200, given=(DATE,), backends=("llguidance",)))
    assert "identity" == failure.kind
    assert (1, False) == (len(scene.rows), scene.is_sampled)
    assert len(scene.markers) < 2
    assert {Slip()} >= {slip for slips in scene.drafters for slip in slips}
    with pytest.raises(DefectError, match="identity: without drafts"):
        play(scene)


def test_masks_of_the_wrong_position_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = masks._fill_all

    def wrong(matchers: Sequence[Matcher], drafts: Sequence[list[int]]) -> Any:
        found = right(matchers, drafts)
        for filled in found.rows:
            filled.bits[1:] = filled.bits[:-1].copy()
        return found

    monkeypatch.setattr(masks, "_fill_all", wrong)
    failure, _ = first_failure(Campaign(100, given=(DATE,), backends=("llguidance",)))
    assert "identity" == failure.kind


def test_a_guard_that_is_too_wide_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Guard.regex

    def wide(pattern: str, *arguments: Any, **more: Any) -> Guard:
        return right(f"({pattern})[0-9]?", *arguments, **more)

    monkeypatch.setattr(Guard, "regex", wide)
    (failure,) = Campaign(200, given=(DATE,), backends=("llguidance",)).run().failures
    assert failure.kind in ("agreement", "validity")  # of a text that was tried, or of one that was written
    scope = {"Constraint": Constraint, "Scene": Scene, "Slip": Slip, "Tokens": Tokens, "Writer": Writer}
    with pytest.raises(DefectError, match=failure.kind):
        eval(failure.example, scope | {"judge": judge, "play": play})


def test_an_end_of_sequence_in_the_middle_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Matcher._fill_row

    def wrong(self: Matcher, row: BitmaskArray) -> None:
        right(self, row)
        set_bits(row, self._ends, allowed=True)

    monkeypatch.setattr(Matcher, "_fill_row", wrong)
    failure, _ = first_failure(Campaign(300, given=(DATE,), backends=("llguidance",)))
    assert failure.kind in ("validity", "matcher", "identity")


def test_a_matcher_that_lookahead_moves_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Matcher._undo

    def wrong(self: Matcher, pushed: Sequence[int], kept: list[int] | None = None) -> None:
        right(self, list(pushed)[1:] if len(pushed) > 2 else list(pushed), kept)

    monkeypatch.setattr(Matcher, "_undo", wrong)
    with pytest.raises((DefectError, GuardError)):
        play(Scene(DATE, Tokens(), (Writer("2026-11"),)))


@pytest.mark.parametrize("keyword", ["exclusiveMinimum", "oneOf"])
def test_a_keyword_that_guards_leave_out_is_found_and_made_small(keyword: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Guard.json_schema

    def loose(schema: str, *arguments: Any, **more: Any) -> Guard:
        return right(schema.replace(f'"{keyword}":', f'"x-{keyword}":'), *arguments, **more)

    monkeypatch.setattr(Guard, "json_schema", loose)
    with pytest.raises(CombinedError, match=r"agreement: llguidance: .*jsonschema") as found:
        judge_combined(100, 5, ("llguidance",), Tally())
    source = found.value.constraint.source
    assert f'"{keyword}":' in source
    assert len(source) < 100
    with pytest.raises(DefectError, match=r"agreement: llguidance: .*jsonschema"):
        eval(found.value.error.example, {"judge": judge, "Constraint": Constraint})


def test_a_campaign_tries_schemas_of_any_keywords_and_that_no_value_fits_is_a_defect_where_one_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = Guard.json_schema

    def narrow(schema: str, *arguments: Any, **more: Any) -> Guard:
        return right("false" if '"dependentRequired"' in schema else schema, *arguments, **more)

    monkeypatch.setattr(Guard, "json_schema", narrow)
    *_, failure = Campaign(100, seed=5, backends=("llguidance",)).run().failures  # a scene may show it too, before
    assert '"dependentRequired":' in failure.constraint
    assert len(failure.constraint) < 120
    with pytest.raises(
        DefectError, match=r"agreement: llguidance: .*one that no value fits, and to jsonschema .* fits"
    ):
        eval(failure.example, {"judge": judge, "Constraint": Constraint})
