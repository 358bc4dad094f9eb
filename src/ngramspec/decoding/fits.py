"""Published fits: what a pass costs, by model and machine, each with its source."""

import json
from importlib.resources import files
from typing import Any, NamedTuple

from ngramspec.decoding.machine_prices import DraftingPrices, HostPrices, PassPrices

FILE = "fits.json"


class Fit(NamedTuple):
    """passes: the fit, for `model` on `hardware`. source: who published it, with the published figures.

    host: time of the loop beside the passes, which no published fit states. host_source: where that was measured.
    """

    passes: PassPrices
    host: HostPrices
    model: str
    hardware: str
    source: str
    host_source: str


def _published() -> dict[str, Fit]:
    rows = json.loads((files("ngramspec.decoding") / FILE).read_text(encoding="utf-8"))
    return {name: _fit(**row) for name, row in rows.items()}


def _fit(passes: dict[str, Any], host: dict[str, dict[str, float]], **texts: str) -> Fit:
    return Fit(PassPrices(**passes), HostPrices(blind=DraftingPrices(**host["blind"])), **texts)


FITS = _published()
"""By name."""
