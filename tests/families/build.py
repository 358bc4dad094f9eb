"""A tiny random model of any class."""

from typing import Any

from tests.families.exceptions import PREPARED
from tests.families.shrink import shrunk
from tests.hf.models import settled


def build(
    config_class: Any, model_class: Any, *, settings: dict[str, Any] | None = None, attention: str | None = None
) -> Any:
    """A tiny model, its experts one by one, its weights yet to be drawn. settings: see `shrunk`."""
    config = shrunk(config_class(), settings)
    # The class may be a part of what the configuration describes.
    parts = [part for name in config.sub_configs if isinstance(part := getattr(config, name), model_class.config_class)]
    if parts and not isinstance(config, model_class.config_class):
        config = parts[0]
    model = model_class._from_config(config, experts_implementation="eager", attn_implementation=attention)
    PREPARED.get(config_class.model_type, lambda _: None)(model)
    model.generation_config.eos_token_id = None
    return model


class NoTextError(Exception):
    """The model has no one embedding of tokens: it reads or writes something else."""


def drawn(model: Any, seed: int) -> Any:
    """The model with weights drawn anew, in float64."""
    try:
        return settled(model, seed)
    except (AttributeError, NotImplementedError) as error:
        raise NoTextError(str(error)) from error
