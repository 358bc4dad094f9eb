"""What can be refused before `generate()` is entered, which runs an encoder before it reaches a decoding loop."""

import inspect
from typing import Any

from transformers.generation.configuration_utils import GenerationConfig

from ngramspec.hf.refusals import refuse_arguments, refuse_inputs, refuse_modes
from ngramspec.hf.support import why_undrafted
from ngramspec.hf.types import Model


def refuse_early(model: Model, arguments: dict[str, Any]) -> GenerationConfig:
    """Raise RefusedError for `model.generate(**arguments)`, as far as the arguments tell.

    Returns the configuration that the call will decode with: the model's own settings, and over them the caller's.
    """
    refuse_arguments(arguments.get("synced_gpus"), arguments)
    others = {name: value for name, value in arguments.items() if name != "generation_config"}
    config: GenerationConfig
    config, inputs = model._prepare_generation_config(arguments.get("generation_config"), **others)
    refuse_modes(config)
    if not model.config.is_encoder_decoder and why_undrafted(model) is None:
        # generate() itself says of an argument that nobody takes that it is unknown.
        taken = set(inspect.signature(model.forward).parameters) - {"input_ids"}
        refuse_inputs(model, {name: value for name, value in inputs.items() if name in taken})
    return config
