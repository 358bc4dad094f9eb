"""Measured prices of passes, for replays: the tables that `Speculator.save_costs` writes."""

from collections.abc import Sequence
from pathlib import Path

from ngramspec.decoding import MeasuredCosts, Shape
from ngramspec.decoding.cost_state import checked_tables
from ngramspec.decoding.drafting_time import NOTHING, DraftingPrice
from ngramspec.decoding.rate import Rate
from ngramspec.decoding.trials import Trials
from ngramspec.decoding.way import Way
from ngramspec.drafting.types import FloatArray
from ngramspec.errors import CostsError, shortened
from ngramspec.files import whole_file
from ngramspec.printing import named

_SHOWN = 8
"""Most tables that a message lists."""


class SavedCosts:
    """The prices of one saved table, which a replay uses and does not change.

    name: FILE#TABLE. batch: requests that decode together. seconds, plain_seconds: cost by the table of the replay's
    passes, and of plain decoding's passes for the same tokens, each for all of these requests.
    """

    counts_fill = True

    def __init__(self, measured: MeasuredCosts, name: str, batch: int = 1) -> None:
        """batch: requests that decode together, all alike.

        Raises CostsError for a table without the price of a plain pass.
        """
        self.name = name
        self.seconds = 0.0
        self.plain_seconds = 0.0
        self.batch = batch
        self._num_passes = 0
        self._measured = measured
        self._rate = Rate()
        self.trials = Trials()
        if measured.prices(self._shape(Shape(1, 1, 1, 0)), 0) is None:
            raise CostsError(
                f"a table of costs must hold a measured plain pass, got none in {named(name)}:"
                " save it after a few requests"
            )

    def speedup(self, more: float = 0.0) -> float:
        """Plain decoding's seconds over the replay's; 0.0 before the first pass.

        more: seconds that each of the replay's passes takes longer than the table says.
        """
        seconds = self.seconds + self._num_passes * more
        return self.plain_seconds / seconds if seconds else 0.0

    def prices(self, shape: Shape, num_more: int, *, hopeful: bool = False) -> FloatArray | None:
        """See `Costs`; a replay measures nothing, so hopeful prices are the measured ones."""
        return self._measured.prices(self._shape(shape), num_more)

    def per_token(self, shape: Shape, *, hopeful: bool = False) -> float:
        """See `Costs`."""
        return self._measured.per_token(self._shape(shape))

    def drafting(self) -> Sequence[DraftingPrice]:
        """See `Costs`; the table covers passes only."""
        return NOTHING

    def fixed_share(self, shape: Shape) -> float:
        """See `Costs`."""
        return self._measured.fixed_share(self._shape(shape))

    def rate(self, shape: Shape) -> float:
        """See `Costs`; of the one replayed request."""
        return self._rate.mean

    def record(self, shape: Shape, seconds: float, num_tokens: int) -> None:
        """See `Costs`; the time is taken from the table."""
        seconds, plain = self._seconds(shape, shape.columns), self._seconds(shape, 1)
        self._num_passes += 1
        self._rate.record(num_tokens, seconds)
        self.seconds += seconds
        self.plain_seconds += num_tokens * plain

    def record_prompt(self, shape: Shape, seconds: float) -> None:
        """See `Costs`; nothing is learnt."""

    def record_drafting(self, way: Way, seconds: float, num_rows: int, num_tokens: int) -> None:
        """See `Costs`; nothing is learnt."""

    def _seconds(self, shape: Shape, columns: int) -> float:
        """Seconds of a pass of this shape, but with this many columns."""
        prices = self._measured.prices(self._shape(shape._replace(known_columns=columns)), 0)
        assert prices is not None
        return float(prices[0])

    def _shape(self, shape: Shape) -> Shape:
        return Shape(self.batch, shape.columns, self.batch * shape.columns, shape.context, shape.known_columns)


def read_costs(name: str, batch: int = 1) -> SavedCosts:
    """The table called FILE or, if the file holds several, FILE#TABLE; TABLE is the beginning of a fingerprint.

    Raises CostsError if it is not a file of tables, lacks the table, or has several and none is named; OSError if it
    cannot be read.
    """
    file, _, table = (name, "", "") if Path(name).exists() else name.partition("#")
    header, _ = whole_file.read(Path(file), whole_file.COSTS)
    try:
        states = checked_tables(header)
    except ValueError as error:
        raise whole_file.forged(whole_file.COSTS, Path(file), error) from error
    tables = {f"{file}#{key[:8]}": MeasuredCosts.of_state(state) for key, state in states.items()}
    found = [full for full in tables if full.startswith(f"{file}#{table}")]
    if len(found) != 1:
        listed = ", ".join(f"{named(full)} ({_plain_pass(tables[full])})" for full in list(tables)[:_SHOWN])
        more = f" and {len(tables) - _SHOWN} more" if len(tables) > _SHOWN else ""
        raise CostsError(
            f"a replay must use one table, got {shortened(name)}, which names {len(found)} of"
            f" {listed or 'none'}{more}: name the one of your model"
        )
    return SavedCosts(tables[found[0]], found[0], batch)


def _plain_pass(measured: MeasuredCosts) -> str:
    prices = measured.prices(Shape(1, 1, 1, 0), 0)
    return "no plain pass measured" if prices is None else f"a plain pass takes {1e3 * float(prices[0]):.3g} ms"
