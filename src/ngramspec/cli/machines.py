"""The machine of a simulation, as the command line names it."""

from difflib import get_close_matches
from pathlib import Path

from ngramspec.decoding import FITS
from ngramspec.decoding.calibration_file import read_calibration
from ngramspec.simulate import Machine


def machine_of(cost: str) -> tuple[Machine, str]:
    """The machine that a published fit or a calibration describes, and its description.

    Raises OSError if there is neither, CostsError for a file that is not a calibration.
    """
    if cost in FITS:
        fit = FITS[cost]
        words = f"by what passes cost for {fit.model} on {fit.hardware}: {fit.source}. Drafting: {fit.host_source}."
        return Machine(fit.passes, fit.host), words
    try:
        if not cost:
            raise FileNotFoundError  # for Path, "" is the current folder
        found = read_calibration(Path(cost))
    except FileNotFoundError as error:
        near = get_close_matches(cost, FITS, n=1)
        raise OSError(
            f"--cost must be {' or '.join(FITS)}, or a file that ngramspec calibrate wrote, got {cost!r}: there is no"
            f" such file{f' (did you mean {near[0]}?)' if near else ''}"
        ) from error
    off = found.fit_error
    words = (
        f"by what passes of {found.model} in {found.dtype} cost on {found.hardware}; the fit is off by"
        f" {off['median']:.0%} at the median, and {off['worst']:.0%} at worst."
    )
    return Machine.of(found), words
