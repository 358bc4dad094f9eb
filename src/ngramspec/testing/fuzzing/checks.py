"""Properties that must hold for a guard and any text; each check raises DefectError if one does not."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from ngramspec.errors import GuardError, shortened
from ngramspec.guards import BitmaskArray, Guard, Vocabulary
from ngramspec.guards.source import Backend
from ngramspec.guards.types import num_words
from ngramspec.testing.constraints import Constraint
from ngramspec.testing.fuzzing.known import SURROGATES, has_surrogates, known_difference

NOTHING = "one that no value fits"
"""Part of the error message of a guard under which nothing can be written."""

DefectKind = Literal["identity", "validity", "matcher", "agreement"]


class DefectError(AssertionError):
    """A property does not hold; example: a call that shows it, if a text suffices."""

    def __init__(self, kind: DefectKind, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.example = ""


def check_text(guard: Guard, tokens: Sequence[int], eos_tokens: Sequence[int]) -> bytes | None:
    """The text of the row `tokens`, which ends with its end of sequence; None if it did not end.

    A matcher that has seen no drafts must allow every token, and accept the text where the row ended.
    """
    matcher = guard.matcher(eos_tokens)
    try:
        matcher.advance(tokens)
    except GuardError as error:
        raise DefectError("validity", f"{guard!r} does not allow what was emitted: {error}") from error
    if not matcher.ended:
        return None
    return guard.vocabulary.decode(tokens[:-1])


def check_fits(constraint: Constraint, guard: Guard, backend: Backend, written: bytes) -> str | None:
    """A text that the guard let end must fit by `jsonschema` or `re`; returns the name of a known difference."""
    try:
        text = written.decode()
    except UnicodeDecodeError as error:
        if backend == "xgrammar" and has_surrogates(written):
            return SURROGATES.name
        raise DefectError("validity", f"{backend}: {guard!r} wrote bytes that are not UTF-8: {written!r}") from error
    verdict = constraint.verdict(text)
    if verdict is not False:
        return None
    known = known_difference(constraint, guard, backend, text, is_accepted=True)
    if known is None:
        raise DefectError(
            "validity", f"{backend}: {guard!r} wrote {shortened(text, 300)}, which does not fit {constraint}"
        )
    return known


def check_refusal(constraint: Constraint, backend: Backend, error: GuardError) -> None:
    """A guard may be refused for many reasons, but not because no value fits when a fitting one is known."""
    if NOTHING not in str(error) or not constraint.valid:
        return
    text = constraint.valid[0]
    defect = DefectError("agreement", f"{backend}: {error}, and to jsonschema {shortened(text, 300)} fits {constraint}")
    defect.example = f"judge({constraint!r}, {text!r}, {(backend,)!r})"
    raise defect from error


def check_agreement(constraint: Constraint, guard: Guard, backend: Backend, text: str) -> str | None:
    """The guard must accept `text` if and only if `jsonschema` or `re` does; returns the name of a known difference."""
    verdict, accepted = constraint.verdict(text), guard.accepts(text)
    if verdict is None or verdict == accepted:
        return None
    known = known_difference(constraint, guard, backend, text, is_accepted=accepted)
    if known is None:
        does = "accepts" if accepted else "refuses"
        other = "jsonschema" if constraint.kind == "schema" else "re" if constraint.kind == "regex" else "its grammar"
        raise DefectError(
            "agreement", f"{backend}: {guard!r} {does} {shortened(text, 300)}, and {other} does not: {constraint}"
        )
    return known


def check_backends(guards: Mapping[Backend, Guard], text: str) -> None:
    """If neither `jsonschema` nor `re` can tell, the backends must agree with each other."""
    verdicts = {backend: guard.accepts(text) for backend, guard in guards.items()}
    if len(set(verdicts.values())) > 1:
        raise DefectError(
            "agreement",
            f"backends disagree whether {next(iter(guards.values()))!r} allows {shortened(text, 300)}: {verdicts}",
        )


def check_matcher(guard: Guard, tokens: Sequence[int], eos_tokens: Sequence[int]) -> None:
    """Filling along a text, stepping through it and looking ahead must equal a fresh matcher at every position.

    tokens: of a row, all of them allowed. Only `advance` may change the state.
    """
    size = num_words(len(guard.vocabulary))
    moving, at_once = guard.matcher(eos_tokens), np.zeros((len(tokens) + 1, size), np.int32)
    num_legal = moving.fill(tokens, at_once)
    for position, token in enumerate([*tokens, None]):
        here = np.zeros((1, size), np.int32)
        moving.fill((), here)
        if position <= num_legal:
            _check_equal(
                guard, tokens[:position], at_once[position], here[0], "filled along the text", "stepped to there"
            )
        if token is None:
            break
        with moving.lookahead() as ahead:
            pushed = [ahead.push(each) for each in tokens[position : position + 4]]
        if not all(pushed):
            raise DefectError("matcher", f"{guard!r} looks ahead and refuses a token of {_text(guard, tokens)!r}")
        moving.advance([token])
    fresh, ahead_of_it = guard.matcher(eos_tokens), np.zeros((1, size), np.int32)
    fresh.advance(tokens)
    fresh.fill((), ahead_of_it)
    _check_equal(guard, tokens, ahead_of_it[0], here[0], "fed to a fresh matcher", "stepped to there")


def _check_equal(
    guard: Guard, tokens: Sequence[int], expected: BitmaskArray, actual: BitmaskArray, one: str, other: str
) -> None:
    if not np.array_equal(expected, actual):
        raise DefectError(
            "matcher", f"{guard!r} has other masks after {_text(guard, tokens)!r} where it is {one} than {other}"
        )


def _text(guard: Guard, tokens: Sequence[int]) -> bytes:
    vocabulary: Vocabulary = guard.vocabulary
    return vocabulary.decode(tokens)
