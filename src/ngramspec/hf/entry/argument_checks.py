"""Checks of a Speculator's arguments, with errors that say what is expected."""

from collections.abc import Collection
from typing import Any

from ngramspec.errors import shortened

_METHODS = {"drafter": "open", "budget": "allot"}


def check_parts(drafter: Any, budget: Any, undrafted_segments: Any) -> None:
    """Raise TypeError for arguments of `Speculator` of a wrong type."""
    for name, value in (("drafter", drafter), ("budget", budget)):
        if value is not None and (isinstance(value, type) or not hasattr(value, _METHODS[name])):
            raise TypeError(
                f"{name} must be an object with {_METHODS[name]}(), got {shortened(value)}{_remedy(name, value)}"
            )
    if isinstance(undrafted_segments, str):
        raise TypeError(
            f"undrafted_segments must be a collection of names, got {undrafted_segments!r}: put it in a list"
        )
    is_collection = isinstance(undrafted_segments, Collection)
    if not is_collection or not all(isinstance(name, str) for name in undrafted_segments):
        raise TypeError(f"undrafted_segments must be a collection of names, got {shortened(undrafted_segments)}")


def check_model(model: Any) -> None:
    """Raise TypeError for an object that does not generate, such as inputs passed as the model."""
    if isinstance(model, type) or not callable(getattr(model, "generate", None)):
        raise TypeError(
            f"model must be a model of transformers that generates, got {type(model).__name__}:"
            " spec.generate(model, **inputs)"
        )


def _remedy(name: str, value: Any) -> str:
    if isinstance(value, type):
        return f": make one, {value.__name__}()"
    if isinstance(value, int):
        return f": for drafts of so many tokens, Speculator(budget=FixedBudget({value}))"
    other = "budget" if name == "drafter" else "drafter"
    if hasattr(value, _METHODS[other]):
        return f", a {other}: pass it by name, Speculator({other}=…)"
    if hasattr(value, "generate"):
        return ": a model takes the Speculator, model.generate(**inputs, custom_generate=Speculator())"
    return ": leave it out for the default"
