"""Drafts for all rows of a pass at once, so that a drafter can batch its work."""

from collections.abc import Callable
from collections.abc import Sequence as Rows

from ngramspec.decoding.budget import Terms
from ngramspec.decoding.costs import Costs
from ngramspec.decoding.row import Row, share_of
from ngramspec.decoding.way import BLIND, NONE, STEERED
from ngramspec.drafting.types import NO_DRAFT, Draft, propose_all, propose_trees

CHEAP = 0.05
"""Highest survival threshold at which trees are drafted. Above it columns are expensive, and drafts are chains: on a
CPU, trees cost more than they gained (`benchmarks.real`). A GPU loses 0.5 to 2 % by this at 8 to 24 rows, and hardly
anything with more."""

_NONE = Draft(NO_DRAFT, is_unsure=True)
"""The draft of a row that is not drafted for; unsure, because at another price it would have one."""


def propose(
    rows: Rows[Row],
    max_tokens: Rows[int],
    terms: Terms,
    costs: Costs,
    clock: Callable[[], float],
    *,
    takes_trees: bool = False,
) -> list[Draft]:
    """A draft for each row, of at most `max_tokens` of that row and no more than could be accepted.

    A draft longer than requested is cut. costs: records the time of each way of drafting, measured by `clock`.
    takes_trees: whether the target does. Rows in step get chains nevertheless; so do all rows where columns are
    expensive.
    """
    rooms = [row.room(most) for row, most in zip(rows, max_tokens, strict=True)]
    drafts, blind, steered = [_NONE] * len(rows), [], []
    start = clock()
    for index, (row, way) in enumerate(zip(rows, terms.ways, strict=True)):
        led = None
        if way is STEERED:
            branches = takes_trees and terms.min_survivals[STEERED] <= CHEAP and row.may_branch()
            led = row.steered_draft(rooms[index], terms.min_survivals[STEERED], branches=branches)
        if led is not None:
            drafts[index] = led
            steered += [] if row.ended else [index]
        elif way is not NONE:
            blind.append(index)
    between = clock()
    branching = [i for i in blind if _branches(rows[i])] if takes_trees and terms.min_survivals[BLIND] <= CHEAP else []
    sessions, most = [rows[index].session for index in branching], [rooms[index] for index in branching]
    for index, tree in zip(branching, propose_trees(sessions, most, terms.min_survivals[BLIND]), strict=True):
        drafts[index] = rows[index].legal_head(tree)
    chains = sorted({*blind}.difference(branching)) if branching else blind
    sessions, most = [rows[index].session for index in chains], [rooms[index] for index in chains]
    for index, draft in zip(chains, propose_all(sessions, most, terms.min_survivals[BLIND]), strict=True):
        drafts[index] = rows[index].legal_head(draft)
    end = clock()
    for way, indices, seconds in ((STEERED, steered, between - start), (BLIND, blind, end - between)):
        if indices:
            costs.record_drafting(way, seconds, len(indices), sum([drafts[index].tokens.size for index in indices]))
    if steered:
        share = share_of(between - start, len(steered))
        for index in steered:
            rows[index].counters.steering_seconds += share
    if blind:
        share = share_of(end - between, len(blind))
        for index in blind:
            rows[index].counters.drafting_seconds += share
    return [
        row.readable_head(draft).head(room) if draft.tokens.size else draft
        for row, draft, room in zip(rows, drafts, rooms, strict=True)
    ]


def _branches(row: Row) -> bool:
    """Whether a tree is drafted for `row`; sessions that draft only chains are batched."""
    return row.may_branch() and hasattr(row.session, "propose_tree")
