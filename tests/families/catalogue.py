"""Which classes of the installed transformers write text."""

from typing import Any

from transformers.models.auto import modeling_auto

SECTIONS = {
    "Causal language models": ("CAUSAL_LM",),
    "Models that see or hear, given text alone": ("IMAGE_TEXT_TO_TEXT", "MULTIMODAL_LM"),
    "Encoder–decoder models": ("SEQ_TO_SEQ_CAUSAL_LM", "SPEECH_SEQ_2_SEQ"),
}
"""Headings, and the mappings of transformers that hold their classes."""


def families(section: str) -> dict[str, tuple[Any, Any]]:
    """Model types of a section, sorted, with their configuration and model class; each class once over all sections."""
    seen: set[Any] = set()
    for heading, names in SECTIONS.items():
        found: dict[str, tuple[Any, Any]] = {}
        for name in names:
            for config_class, model_classes in getattr(modeling_auto, f"MODEL_FOR_{name}_MAPPING").items():
                model_class = model_classes[0] if isinstance(model_classes, tuple) else model_classes
                if (config_class, model_class) not in seen:
                    seen.add((config_class, model_class))
                    found.setdefault(config_class.model_type, (config_class, model_class))
        if heading == section:
            return dict(sorted(found.items()))
    raise ValueError(f"section must be one of {list(SECTIONS)}, got {section!r}")
