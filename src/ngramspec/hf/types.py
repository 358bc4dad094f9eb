"""Names for what transformers does not type."""

from typing import Any, TypeAlias

Model: TypeAlias = Any
"""A causal language model of transformers: a `PreTrainedModel` with a `GenerationMixin`, whose methods are untyped."""
