"""Why a pass checks no draft for a row."""

from ngramspec.decoding.budget import Budget
from ngramspec.decoding.costs import Costs, Shape
from ngramspec.decoding.row import Row
from ngramspec.drafting import NoDraftsSession
from ngramspec.drafting.types import Draft
from ngramspec.stats import Undrafted


def why_undrafted(row: Row, draft: Draft, waits: bool, budget: Budget, shape: Shape, costs: Costs) -> Undrafted:
    """Why `budget` allotted nothing to `row`; draft: the proposal for it. waits: in step with a row without a draft."""
    if isinstance(row.session, NoDraftsSession):
        return Undrafted.SWITCHED_OFF
    if row.reads_prompt and not row.drafts_with_prompt:
        return Undrafted.PROMPT
    if not budget.max_draft_tokens:
        return Undrafted.SWITCHED_OFF
    if not row.room(1):
        return Undrafted.NO_ROOM
    if not draft.tokens.size and not draft.is_unsure:
        return Undrafted.NO_MATCH
    if costs.prices(shape, 0) is None:
        return Undrafted.NO_PRICE
    if waits:
        return Undrafted.IN_STEP
    return Undrafted.TOO_DEAR
