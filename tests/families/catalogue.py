"""The classes of the installed transformers that write text, and the set-ups in which they are tried."""

from dataclasses import dataclass
from typing import Any

from transformers.models.auto import modeling_auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from tests.families.exceptions import SETUPS

SECTIONS = {
    "Causal language models": ("CAUSAL_LM",),
    "Models that see or hear, given text alone": ("IMAGE_TEXT_TO_TEXT", "MULTIMODAL_LM"),
    "Models with an encoder": ("SEQ_TO_SEQ_CAUSAL_LM", "SPEECH_SEQ_2_SEQ"),
}
"""Headings, and the mappings of transformers that hold their classes."""


@dataclass(frozen=True, slots=True)
class Family:
    """name: the model type, and how the family is set up if not by its defaults. settings: see `shrink.shrunk`."""

    name: str
    config_class: Any
    model_class: Any
    settings: dict[str, Any]


def catalogue() -> dict[str, list[Family]]:
    """All families, by section; each pair of a configuration and a model class once."""
    found: dict[str, list[Family]] = {}
    seen: set[tuple[Any, Any]] = set()
    for heading, mappings in SECTIONS.items():
        pairs = {pair: pair[0].model_type for name in mappings for pair in _pairs(name) if pair not in seen}
        seen |= set(pairs)
        found[heading] = [Family(name, *pair, {}) for pair, name in sorted(pairs.items(), key=lambda item: item[1])]
    plain = {family.name: family for family in reversed([family for section in found.values() for family in section])}
    found["Other set-ups of the families above"] = [
        Family(f"{name}, {how}", plain[name].config_class, plain[name].model_class, settings)
        for (name, how), settings in SETUPS.items()
    ]
    return found


def family(name: str) -> Family:
    """A family by its name in the catalogue, without loading the others: the causal class, where there are several."""
    model_type, _, how = name.partition(", ")
    config_class = CONFIG_MAPPING[model_type]
    mappings = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING, modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING
    model_class = next(mapping[config_class] for mapping in mappings if config_class in mapping)
    return Family(name, config_class, model_class, SETUPS[model_type, how] if how else {})


def _pairs(mapping: str) -> list[tuple[Any, Any]]:
    classes = getattr(modeling_auto, f"MODEL_FOR_{mapping}_MAPPING").items()
    return [(config, models[0] if isinstance(models, tuple) else models) for config, models in classes]
