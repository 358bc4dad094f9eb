"""Why a pass verifies no draft for a row."""

from ngramspec.decoding.budget import Budget
from ngramspec.decoding.row import Row
from ngramspec.drafting import NoDraftsSession
from ngramspec.drafting.types import Draft
from ngramspec.stats import Undrafted


def why_undrafted(row: Row, draft: Draft, budget: Budget) -> Undrafted | None:
    """Why there was nothing to verify for `row`; None if the budget refused it. draft: the proposal for `row`."""
    if draft.tokens.size:
        return None
    if isinstance(row.session, NoDraftsSession):
        return Undrafted.SWITCHED_OFF
    if row.reads_prompt and not row.drafts_with_prompt:
        return Undrafted.PROMPT
    if not budget.max_draft_tokens:
        return Undrafted.SWITCHED_OFF
    if not row.room(1):
        return Undrafted.NO_ROOM
    return None if draft.is_unsure else Undrafted.NO_MATCH


def why_refused(*, is_priced: bool, waits: bool) -> Undrafted:
    """Why the budget allotted nothing to a draft.

    is_priced: whether the pass without drafts has a price. waits: whether the row is in step with one without a draft.
    """
    if not is_priced:
        return Undrafted.NO_PRICE
    return Undrafted.IN_STEP if waits else Undrafted.TOO_DEAR
