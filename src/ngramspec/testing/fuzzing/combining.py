"""JSON schemas with any keywords beside and inside one another: their guards' verdicts, compared with `jsonschema`.

Defects in combinations of keywords are rare, and show without drafts, so many schemas are tried in little time.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from ngramspec.errors import GuardError
from ngramspec.guards.source import Backend
from ngramspec.testing.constraints import Constraint, dumped, fits
from ngramspec.testing.fuzzing.agreeing import agree
from ngramspec.testing.fuzzing.checks import DefectError, check_refusal
from ngramspec.testing.fuzzing.scene import vocabulary_of
from ngramspec.testing.fuzzing.tally import Tally
from ngramspec.testing.strategies import combined_constraint
from ngramspec.testing.tokens import Tokens


class CombinedError(Exception):
    """A defect that a schema shows; the schema is shrunk."""

    def __init__(self, error: DefectError, constraint: Constraint) -> None:
        super().__init__(str(error))
        self.error = error
        self.constraint = constraint


def judge_combined(count: int, seed: int, backends: Sequence[Backend], tally: Tally) -> None:
    """Compare `count` schemas with `jsonschema`, by each backend in turn. Raises CombinedError for a defect."""
    chance = Random(seed)
    for number in range(count):
        constraint, backend = combined_constraint(chance), backends[number % len(backends)]
        if _defect(constraint, backend, tally) is not None:
            small = smallest(constraint, backend)
            error = _defect(small, backend, Tally())
            assert error is not None
            raise CombinedError(error, small)


def smallest(constraint: Constraint, backend: Backend) -> Constraint:
    """A minimal schema and text: nothing can be removed without losing the defect."""
    for text in constraint.valid + constraint.invalid if len(constraint.valid + constraint.invalid) > 1 else ():
        alone = _judged_anew(replace(constraint, valid=(text,), invalid=()))
        if _defect(alone, backend, Tally()) is not None:
            return smallest(alone, backend)
    for schema in _smaller(constraint.schema):
        other = _judged_anew(replace(constraint, source=dumped(schema)))
        if _defect(other, backend, Tally()) is not None:
            return smallest(other, backend)
    return constraint


def _defect(constraint: Constraint, backend: Backend, tally: Tally) -> DefectError | None:
    try:
        try:
            guard = constraint.guard(vocabulary_of(Tokens()), backend=backend)
        except GuardError as error:
            check_refusal(constraint, backend, error)
            tally.refused.update(Counter([f"{backend}: {type(error).__name__}"]))
            return None
        for text in (*constraint.valid, *constraint.invalid):
            agree(constraint, {backend: guard}, text, tally)
    except DefectError as error:
        return error
    return None


def _judged_anew(constraint: Constraint) -> Constraint:
    """The constraint with its texts classified again."""
    verdicts = {text: fits(constraint.source, text) for text in (*constraint.valid, *constraint.invalid)}
    valid, invalid = (tuple(text for text, fit in verdicts.items() if fit is said) for said in (True, False))
    return replace(constraint, valid=valid, invalid=invalid)


def _smaller(value: Any) -> Iterator[Any]:
    """`value` with a part of it left out, the largest parts first."""
    parts: list[Any] = sorted(value, key=lambda name: -len(dumped(value[name]))) if isinstance(value, dict) else []
    parts = parts or (list(range(len(value))) if isinstance(value, list) else [])
    for part in parts:
        rest = value.copy()
        del rest[part]
        yield rest
    for part in parts:
        for smaller in _smaller(value[part]):
            other = value.copy()
            other[part] = smaller
            yield other
