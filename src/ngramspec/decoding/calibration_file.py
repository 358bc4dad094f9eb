"""A calibration: what passes of one model cost on one machine, as `ngramspec calibrate` measures and writes it."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ngramspec.decoding.cost_state import checked_state
from ngramspec.decoding.costs import Shape
from ngramspec.decoding.machine_prices import DraftingPrices, HostPrices, PassPrices
from ngramspec.errors import CostsError, shortened
from ngramspec.files import writing
from ngramspec.files.checking import checked_int, checked_list, checked_number, checked_object, checked_text
from ngramspec.files.reading import Bounds
from ngramspec.printing import named

MAX_BYTES = 1 << 22
"""Largest file that is read, in bytes."""

KIND = "ngramspec calibration 2"
"""The kind that the file names."""

_MOST_SECONDS = 1e6
_MOST_SIZE = 1 << 31


@dataclass(frozen=True, slots=True)
class MeasuredPass:
    """A shape of passes, and the median of their seconds."""

    rows: int
    columns: int
    context: int
    seconds: float

    @property
    def shape(self) -> Shape:
        """Its shape."""
        return Shape(self.rows, self.columns, self.rows * self.columns, self.context)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Prices of passes and of the host, the measurements they were fitted to, and the machine.

    model: its name. hardware, dtype: in words. versions: of the packages that ran. fingerprint: of the model and
    machine that `table` belongs to (`hf.entry.cost_tables`). fit_error: median and largest relative error of the fit
    over the measured passes. table: what a budget starts with (`MeasuredCosts.state`).
    """

    model: str
    hardware: str
    dtype: str
    versions: dict[str, str]
    fingerprint: str
    passes: PassPrices
    host: HostPrices
    fit_error: dict[str, float]
    measured: list[MeasuredPass]
    table: dict[str, Any] = field(repr=False)

    def write(self, path: Path) -> None:
        """Write the file as JSON; raises OSError as `files.writing.replace` does."""
        writing.replace(path, [json.dumps({"kind": KIND} | asdict(self), indent=1).encode(), b"\n"])


def read_calibration(path: Path) -> Calibration:
    """Read what `Calibration.write` wrote.

    Raises CostsError for anything else, with the broken rule; OSError if the file cannot be read.
    """
    bounds = Bounds("a calibration", CostsError, MAX_BYTES)
    with bounds.opened(path) as file:
        content = bounds.content(file, named(path))
    try:
        return _checked(_parsed(content))
    except ValueError as error:
        raise CostsError(
            f"a calibration must be a file that `ngramspec calibrate` wrote, got {named(path)}: {error};"
            " measure again, or name another file"
        ) from error


def is_calibration(path: Path, max_bytes: int) -> bool:
    """Whether the file begins like a calibration, not like a saved cost table.

    Raises CostsError if it is not a regular file or is larger than `max_bytes`; OSError if it cannot be read.
    """
    with Bounds("a saved cost table", CostsError, max_bytes, "max_bytes").opened(path) as file:
        return file.read(1) == b"{"


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        row = json.loads(content)
    except RecursionError as error:
        raise ValueError("it must not be nested that deeply") from error
    return checked_object(row, "it", ("kind", *Calibration.__dataclass_fields__))


def _checked(row: dict[str, Any]) -> Calibration:
    if row["kind"] != KIND:
        raise ValueError(f"its kind must be {KIND!r}, got {shortened(row['kind'])}")
    versions = checked_object(row["versions"], "versions", ())
    return Calibration(
        model=checked_text(row["model"], "model"),
        hardware=checked_text(row["hardware"], "hardware"),
        dtype=checked_text(row["dtype"], "dtype"),
        versions={name: checked_text(version, "a version") for name, version in versions.items()},
        fingerprint=checked_text(row["fingerprint"], "fingerprint"),
        passes=_passes(row["passes"]),
        host=_host(row["host"]),
        fit_error=_numbers(row["fit_error"], "fit_error", ("median", "worst")),
        measured=[_measured(each) for each in checked_list(row["measured"], "measured")],
        table=checked_state(row["table"]),
    )


def _passes(value: object) -> PassPrices:
    keys = tuple(key for key in PassPrices.__dataclass_fields__ if key != "pads")
    pads = checked_object(value, "passes", ("pads",))["pads"]
    if not isinstance(pads, bool):
        raise ValueError(f"pads must be true or false, got {shortened(pads)}")
    return PassPrices(**_numbers(value, "passes", keys), pads=pads)


def _host(value: object) -> HostPrices:
    parts = "blind", "steered", "masks"
    row = checked_object(value, "host", parts)
    drafting = tuple(DraftingPrices.__dataclass_fields__)
    keys = tuple(key for key in HostPrices.__dataclass_fields__ if key not in parts)
    blind, steered, masks = (DraftingPrices(**_numbers(row[key], key, drafting)) for key in parts)
    return HostPrices(blind=blind, steered=steered, masks=masks, **_numbers(row, "host", keys))


def _numbers(value: object, what: str, keys: tuple[str, ...]) -> dict[str, float]:
    row = checked_object(value, what, keys)
    return {key: checked_number(row[key], key, 0.0, _MOST_SECONDS) for key in keys}


def _measured(value: object) -> MeasuredPass:
    row = checked_object(value, "a measured pass", tuple(MeasuredPass.__dataclass_fields__))
    rows, columns, context = (checked_int(row[key], key, 0, _MOST_SIZE) for key in ("rows", "columns", "context"))
    return MeasuredPass(rows, columns, context, checked_number(row["seconds"], "seconds", 0.0, _MOST_SECONDS))
