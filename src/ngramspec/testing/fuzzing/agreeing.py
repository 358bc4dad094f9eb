"""Checks that backends, `jsonschema` and `re` agree about a text."""

from collections.abc import Mapping

from ngramspec.errors import GuardError
from ngramspec.guards import Guard
from ngramspec.guards.source import Backend
from ngramspec.testing.constraints import Constraint
from ngramspec.testing.fuzzing.checks import DefectError, check_agreement, check_backends, check_refusal
from ngramspec.testing.fuzzing.tally import Tally
from ngramspec.testing.tokens import Tokens

BACKENDS: tuple[Backend, ...] = ("llguidance", "xgrammar")


def agree(constraint: Constraint, guards: Mapping[Backend, Guard], text: str, tally: Tally) -> None:
    """Raise DefectError if the guards, `jsonschema` and `re` disagree about `text` for no known reason."""
    try:
        known = [check_agreement(constraint, guard, backend, text) for backend, guard in guards.items()]
        if constraint.verdict(text) is None:
            check_backends(guards, text)
    except DefectError as error:
        error.example = f"judge({constraint!r}, {text!r}, {tuple(guards)!r})"
        raise
    tally.known.update(name for name in known if name is not None)
    tally.texts += 1


def judge(constraint: Constraint, text: str, backends: tuple[Backend, ...] = BACKENDS) -> None:
    """`agree` about one text, as a failure prints it. Raises GuardError if a backend refuses the constraint."""
    vocabulary, guards = Tokens().vocabulary(), dict[Backend, Guard]()
    for name in backends:
        try:
            guards[name] = constraint.guard(vocabulary, backend=name)
        except GuardError as error:
            check_refusal(constraint, name, error)
            raise
    agree(constraint, guards, text, Tally())
