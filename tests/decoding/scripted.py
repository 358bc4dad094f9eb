"""A target that reads from a script per row, token by token, as a model would choose."""

from collections.abc import Sequence as Rows

from ngramspec.decoding import Plan, Reading, Row, Shape, Target


class Scripted:
    """What is chosen of one row: `upcoming`, which is used up as it is chosen."""

    def __init__(self, row: Row, draft: list[int], upcoming: list[int]) -> None:
        self.rows, self.drafts = (row,), (draft,)
        self._upcoming = upcoming

    def at(self, position: int) -> Rows[int | None]:
        return (self._upcoming.pop(0),)

    def end_rows(self) -> bool:
        (row,) = self.rows
        row.ended = not self._upcoming
        return row.ended


class ScriptedTarget(Target):
    """Goes by a script for each row; keeps a token less of what was accepted where `forgets` says so.

    lengths: of the drafts of each pass.
    """

    def __init__(self, scripts: dict[Row, list[int]], forgets: int = 0) -> None:
        self.scripts = scripts
        self.forgets = forgets
        self.lengths: list[tuple[int, ...]] = []

    def shape(self, rows: Rows[Row]) -> Shape:
        return Shape(len(rows), 1, len(rows), 0)

    def read(self, plans: Rows[Plan]) -> Reading:
        self.lengths.append(tuple(plan.draft.tokens.size for plan in plans))
        width = 1 + max(self.lengths[-1])
        choices = [Scripted(plan.row, plan.draft.tokens.tolist(), self.scripts[plan.row]) for plan in plans]
        return Reading(Shape(len(plans), width, width * len(plans), 0), choices)

    def keep(self, rows: Rows[Row]) -> list[int]:
        return [
            max(row.num_cached, row.num_cached + len(row.pending) + len(row.committed) - 1 - self.forgets)
            for row in rows
        ]
