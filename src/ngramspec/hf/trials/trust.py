"""Decides which models are drafted for: known ones, and those that have passed a trial.

Findings are kept by model and type of call: the inputs besides ids, the layout of rows, and the untried parts
(`facts/strangers.py`). All Speculators of a process share them.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple
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

MOST_CALL_TYPES = 16
"""Types of calls per model, beyond which those with freed untried parts are dropped."""

SHOWN = 3
"""Most untried parts that a message names."""


class TrialFinding(NamedTuple):
    """The result of a trial.

    why_plainly: why nothing is drafted, as a clause that follows the model's name, or "" if drafts are fine.
    width: of the tried block, in tokens. takes_trees: whether drafts may be trees.
    """

    why_plainly: str
    width: int = 0
    takes_trees: bool = False


class Trust:
    """Findings of trials; safe to share between threads."""

    def __init__(self) -> None:
        """No findings."""
        self._found: WeakKeyDictionary[Model, dict[Hashable, TrialFinding]] = WeakKeyDictionary()
        self._lock = forking.lock()

    def finding(self, request: Request, strangers: Sequence[Stranger]) -> TrialFinding | None:
        """The finding for such a call of a model with untried parts; None if a trial must come first."""
        if any(stranger.identity is None for stranger in strangers):
            return TrialFinding(f"has {_named(strangers)}, which cannot be told from another one")
        if any(stranger.runs_code for stranger in strangers) and not _keep_to_themselves(request):
            reason = (
                f"has {_named(strangers)}, which may see the newest position only, and an unknown logits processor or"
                " stopping criterion, which may depend on what that has seen"
            )
            return TrialFinding(reason)
        with self._lock:
            return self._found.get(request.model, {}).get(_call_type(request, strangers))

    def trial_of(self, request: Request, strangers: Sequence[Stranger]) -> Trial:
        """A trial of this call, to pass to `note`."""
        return Trial(request, strangers, _call_type(request, strangers))

    def note(self, trial: Trial) -> str | None:
        """Keep the finding of a trial; returns what to warn of, or None."""
        if trial.finding is None:
            return None
        finding = f"{trial.finding} (it has {_named(trial.strangers)})" if trial.finding else ""
        with self._lock:
            found = self._found.setdefault(trial.request.model, {})
            found[trial.call_type] = TrialFinding(finding, trial.width, trial.takes_trees)
            gone = [each for each in found if is_gone(each)] if len(found) > MOST_CALL_TYPES else []
            for call_type in gone:
                del found[call_type]
        if len(gone) >= MOST_CALL_TYPES and not finding:
            return f"has {_named(trial.strangers)}, other ones in each call, which are tried each time"
        return finding or None


TRUST = Trust()
"""The findings of this process."""


def _call_type(request: Request, strangers: Sequence[Stranger]) -> Hashable:
    """The type of a call, to which its finding applies."""
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
    """Whether the processors and criteria read only scores and text."""
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
