"""Why a pass checks no draft of a row."""

from collections.abc import Sequence as Rows

from ngramspec.decoding.budget import Budget, InStepBudget, PromptBudget
from ngramspec.decoding.costs import Costs, Shape
from ngramspec.decoding.sequence import Sequence
from ngramspec.drafting import NoDraftsSession
from ngramspec.drafting.types import Draft
from ngramspec.stats import Undrafted


def why_undrafted(
    sequence: Sequence, draft: Draft, drafts: Rows[Draft], budget: Budget, shape: Shape, costs: Costs
) -> Undrafted:
    """Why `budget` allotted nothing to a row; draft: what was proposed for it, drafts: for all rows of the pass."""
    if isinstance(sequence.session, NoDraftsSession):
        return Undrafted.SWITCHED_OFF
    if isinstance(budget, PromptBudget):
        return Undrafted.PROMPT
    if not budget.max_draft_tokens:
        return Undrafted.SWITCHED_OFF
    if not sequence.room(1):
        return Undrafted.NO_ROOM
    if not draft.tokens.size and not draft.is_unsure:
        return Undrafted.NO_MATCH
    if costs.prices(shape, 0) is None:
        return Undrafted.NO_PRICE
    if isinstance(budget, InStepBudget) and not all(other.tokens.size for other in drafts):
        return Undrafted.IN_STEP
    return Undrafted.TOO_DEAR
