"""How should rows of a batch keep their running states? Each its own, or all aligned; and how they merge. Simulated.

python -m benchmarks.running_states

A pass costs 1 plus a price for each further column of each row. Drafts have 8 tokens, each accepted with one
probability; a row has a draft with another. Rows that cannot keep the state of a pass read known tokens again.
"""

import random
from collections.abc import Callable

from rich.table import Table

from benchmarks.console import wide_console
from ngramspec.decoding.reading_again import MOST_KNOWN
from ngramspec.hf.rows.row import REACH

TOKENS, DRAFTED = 400, 8
"""Tokens of each row, and of each draft."""

Policy = Callable[["Traffic", int, float], tuple[int, float]]
"""Maps traffic, rows and the price of a column to passes and time."""


class Traffic:
    """Drafts, and how much of them is accepted."""

    def __init__(self, accepted: float, drafted: float, every: int = 1) -> None:
        """accepted: probability per token. drafted: probability that a row has a draft, in every `every`-th pass."""
        self.accepted, self.drafted, self.every = accepted, drafted, every
        self._rng = random.Random(1)

    def draft(self, number: int, most: int) -> int:
        """Length of a row's draft in the pass of this number."""
        has_draft = self._rng.random() < self.drafted and number % self.every == 0
        return max(0, min(DRAFTED, most)) if has_draft else 0

    def num_accepted(self, drafted: int) -> int:
        """Accepted tokens of a draft."""
        return next((n for n in range(drafted) if self._rng.random() >= self.accepted), drafted)


def apart(traffic: Traffic, rows: int, price: float, *, merges: bool = True) -> tuple[int, float]:
    """Each row has its own state, as in `ReplayingTarget`. merges: whether undrafted passes fit the narrowest row."""
    known, left, passes, time = [1] * rows, [TOKENS] * rows, 0, 0.0
    while live := [row for row in range(rows) if left[row] > 0]:
        most = max(known[row] for row in live)
        room = {row: min(left[row] - 1, most - known[row] if most > MOST_KNOWN else DRAFTED) for row in live}
        drafts = {row: traffic.draft(passes, room[row]) for row in live}
        is_merging = merges and not any(drafts.values())
        width = min(known[row] for row in live) if is_merging else max(known[row] + drafts[row] for row in live)
        passes, time = passes + 1, time + 1 + price * (width - 1) * len(live)
        for row in live:
            if known[row] > width:
                known[row] -= width
                continue
            emitted = traffic.num_accepted(drafts[row]) + 1
            is_kept = emitted > drafts[row] and known[row] + drafts[row] == width
            known[row] = 1 if is_kept else known[row] + emitted
            left[row] -= emitted
    return passes, time


def in_line(traffic: Traffic, rows: int, price: float) -> tuple[int, float]:
    """All states are at one slot: they are kept if all rows accept everything that they read."""
    start, known, left, passes, time = 0, [1] * rows, [TOKENS] * rows, 0, 0.0
    while live := [row for row in range(rows) if left[row] > 0]:
        slowest = min(known[row] for row in live)
        if slowest - start > MOST_KNOWN:  # a pass without drafts over tokens that all rows know
            ready, drafts, end = [row for row in live if known[row] == slowest], dict.fromkeys(live, 0), slowest
        else:
            ready = [row for row in live if known[row] <= slowest + REACH]
            drafts = {row: traffic.draft(passes, left[row] - 1) for row in ready}
            end = max(known[row] + drafts[row] for row in ready)
        passes, time = passes + 1, time + 1 + price * (end - start - 1) * rows
        is_kept = end == slowest or len(ready) == len(live)
        for row in ready:
            emitted = traffic.num_accepted(drafts[row]) + 1
            is_kept = is_kept and emitted > drafts[row] and known[row] + drafts[row] == end
            known[row], left[row] = known[row] + emitted, left[row] - emitted
        start = end if is_kept else start
    return passes, time


def main() -> None:
    """Print passes, and speed relative to plain decoding."""
    table = Table("rows", "accepted", "drafted", "a drafted pass in", "price of a column")
    policies: dict[str, Policy] = {
        "apart": apart,
        "apart, not merging": lambda *of: apart(*of, merges=False),
        "in line": in_line,
    }
    for name in policies:
        table.add_column(f"{name}: passes, speed")
    for rows in (1, 4, 8):
        for accepted, drafted, every in ((0.9, 0.8, 1), (0.7, 0.5, 1), (0.9, 0.8, 50)):
            for price in (0.002, 0.02, 0.1):
                cells = []
                for policy in policies.values():
                    passes, time = policy(Traffic(accepted, drafted, every), rows, price)
                    cells.append(f"{passes} {TOKENS / time:.2f}")
                table.add_row(str(rows), str(accepted), str(drafted), str(every), str(price), *cells)
    wide_console().print(table)


if __name__ == "__main__":
    main()
