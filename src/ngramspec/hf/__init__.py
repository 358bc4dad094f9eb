"""transformers: the ragged cache, the model as a target, and the Speculator."""

from ngramspec.hf.entry.enable import disable, enable
from ngramspec.hf.entry.speculator import Speculator

__all__ = ["Speculator", "disable", "enable"]
