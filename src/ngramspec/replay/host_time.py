"""The host's time for speculation, for speed-ups that are modelled from the prices of passes."""

from typing import NamedTuple


class HostTime(NamedTuple):
    """Seconds of the loop on this machine, outside forward passes and drafting: of a pass, and of each row in it."""

    of_pass: float
    of_row: float

    def of(self, batch: int, drafting: float) -> float:
        """Seconds of a pass over `batch` rows, each of which takes `drafting` seconds to draft for and follow."""
        return self.of_pass + batch * (self.of_row + drafting)
