"""Measures what passes of a model cost on this machine, and the host's time beside them."""

from ngramspec.calibration.fitting import fitted_passes
from ngramspec.calibration.model import calibrate

__all__ = ["calibrate", "fitted_passes"]
