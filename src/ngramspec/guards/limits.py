"""`Limits`: what a source may cost, from an untrusted text to each step of the guard compiled from it."""

from dataclasses import dataclass, fields
from numbers import Real

MIN_STACK_BYTES, MAX_STACK_BYTES = 256 << 10, 1 << 30
"""Least and most stack of a thread: what Python itself needs, and what a process can spare."""


MOST = 1 << 62
"""Highest value of any limit."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be spent on one source. An error caused by a limit names its field.

    max_source_bytes: of the schema, regex or grammar, in UTF-8.
    max_seconds: to read, prepare and compile it; and for one `accepts` or `legal_head`.
    max_memory_bytes: for the same, in the worker process, beyond what that needs by itself.
    max_stack_bytes: for the same; it bounds how deep a source may be nested, and how long a chain of rules may be.
    max_row_items, max_step_items, max_step_fuel, max_automaton_states: llguidance's own bounds on one position of a
    text, on one mask (items of the parser, work of the lexer), and on what all texts of a guard make it remember.
    max_step_seconds: of a thread, for one token; a mask may take 30 times as long (`backends/pace.py`).

    A row that reaches one of the last five ends with a GuardError; other rows continue.
    Raises ValueError for a value that is not a positive number.
    """

    max_source_bytes: int = 1_000_000
    max_seconds: float = 10.0
    max_memory_bytes: int = 1 << 30
    max_stack_bytes: int = 4 << 20
    max_row_items: int = 6_000
    max_step_items: int = 200_000
    max_step_fuel: int = 200_000
    max_automaton_states: int = 250_000
    max_step_seconds: float = 0.02

    def __post_init__(self) -> None:
        """Check the values."""
        for field in fields(self):
            value = getattr(self, field.name)
            is_number = isinstance(value, Real if field.type is float else int) and not isinstance(value, bool)
            if not (is_number and 0 < value <= MOST):
                kind = "number" if field.type is float else "whole number"
                raise ValueError(f"{field.name} must be a positive {kind}, got {value!r}")
        if not MIN_STACK_BYTES <= self.max_stack_bytes <= MAX_STACK_BYTES:
            raise ValueError(
                f"max_stack_bytes must be from {MIN_STACK_BYTES} to {MAX_STACK_BYTES}, got {self.max_stack_bytes}"
            )


def raised(field: str) -> str:
    """The remedy in the error of a limit: how to raise it."""
    return f"make it simpler, or raise the limit with limits=Limits({field}=…)"
