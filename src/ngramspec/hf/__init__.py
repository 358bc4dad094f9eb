"""transformers: the ragged cache, the model as a target, and the Speculator."""

from ngramspec.hf.enable import disable, enable
from ngramspec.hf.speculator import Speculator

__all__ = ["Speculator", "disable", "enable"]
