"""Type names that transformers lacks."""

from typing import Any, TypeAlias

Model: TypeAlias = Any
"""A causal language model of transformers: a `PreTrainedModel` with a `GenerationMixin`, whose methods are untyped."""
