"""Which models are drafted for: those that are known, and those that have passed a trial.

What was found is remembered per model, and per kind of call: what else is fed to the model, how rows are laid out, and
which strangers (`strangers.py`) are in it. All Speculators of a process share it.
"""

from collections.abc import Hashable, Sequence
from weakref import WeakKeyDictionary

from ngramspec import forking
from ngramspec.guards import Guard, GuardProcessor, RowGuards
from ngramspec.hf.choice.adopting import is_adopted
from ngramspec.hf.choice.known_processors import are_pure, are_pure_criteria
from ngramspec.hf.facts.identity import is_gone
from ngramspec.hf.facts.strangers import Stranger
from ngramspec.hf.rows.request import Request
from ngramspec.hf.seam import attention_of
from ngramspec.hf.trials.trial import Trial
from ngramspec.hf.types import Model

MOST_KINDS = 16
"""Kinds of calls per model beyond which those are forgotten whose strangers are gone."""

SHOWN = 3
"""Strangers that a message names."""


class Trust:
    """What trials have found; safe to share between threads."""

    def __init__(self) -> None:
        """Nothing was tried."""
        self._found: WeakKeyDictionary[Model, dict[Hashable, tuple[str, int]]] = WeakKeyDictionary()
        self._lock = forking.lock()

    def finding(self, request: Request, strangers: Sequence[Stranger]) -> tuple[str, int] | None:
        """What is known of such a call to a model with `strangers` in it; None where it must be tried first.

        Returns why nothing is drafted, in a clause that follows the model's name, "" where it is; and how wide a pass
        was tried, in tokens.
        """
        if any(stranger.identity is None for stranger in strangers):
            return f"has {_named(strangers)}, which cannot be told from another one", 0
        if any(stranger.runs_code for stranger in strangers) and not _keep_to_themselves(request):
            reason = (
                f"has {_named(strangers)}, which may see the newest position alone, and a logits processor or stopping"
                " criterion that nobody knows, which may look at what that has seen"
            )
            return reason, 0
        with self._lock:
            return self._found.get(request.model, {}).get(_kind(request, strangers))

    def trial_of(self, request: Request, strangers: Sequence[Stranger]) -> Trial:
        """A trial of this call, for `note`."""
        return Trial(request, strangers, _kind(request, strangers))

    def note(self, trial: Trial) -> str | None:
        """Remember what a trial has found; returns what is to be said of it, None where that is nothing."""
        if trial.finding is None:
            return None
        finding = f"{trial.finding} (it has {_named(trial.strangers)})" if trial.finding else ""
        with self._lock:
            found = self._found.setdefault(trial.request.model, {})
            found[trial.kind] = finding, trial.width
            gone = [kind for kind in found if is_gone(kind)] if len(found) > MOST_KINDS else []
            for kind in gone:
                del found[kind]
        if len(gone) >= MOST_KINDS and not finding:
            return f"has {_named(trial.strangers)}, other ones in each call, which are tried each time"
        return finding or None


TRUST = Trust()
"""What this process has found."""


def _kind(request: Request, strangers: Sequence[Stranger]) -> Hashable:
    """What a finding holds for."""
    return (
        tuple(stranger.identity for stranger in strangers),
        frozenset(request.given_inputs),
        len(request.input_ids) > 1,
        request.mask is not None,
        request.cache.length > 0,
        attention_of(request.model),
        request.model.dtype,
    )


def _keep_to_themselves(request: Request) -> bool:
    """Whether what processes scores, and ends rows, looks at nothing but scores and text."""
    others = [
        processor
        for processor in request.processors
        if not isinstance(processor, Guard | RowGuards | GuardProcessor) and not is_adopted(processor)
    ]
    return are_pure(others) and are_pure_criteria(request.criteria)


def _named(strangers: Sequence[Stranger]) -> str:
    names = list(dict.fromkeys(stranger.name for stranger in strangers))
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
