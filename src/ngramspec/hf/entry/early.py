"""What can be refused before `generate()` is entered, which runs an encoder before it reaches a decoding loop."""

import inspect
from typing import Any

from ngramspec.hf.entry.refusals import refuse_arguments, refuse_modes
from ngramspec.hf.seam import prepared_config
from ngramspec.hf.types import Model


def refuse_early(model: Model, arguments: dict[str, Any]) -> None:
    """Raise RefusedError for `model.generate(**arguments)`, where waiting for the decoding loop would be too late.

    That is so for what never reaches a loop, and for models with an encoder, of text or pictures.
    """
    refuse_arguments(arguments.get("synced_gpus"), arguments)
    taken = inspect.signature(model.forward).parameters
    if not model.config.is_encoder_decoder and "mm_encoder_outputs" not in taken:
        return  # nothing runs before the loop, and merging configurations takes a millisecond
    refuse_modes(prepared_config(model, arguments))
