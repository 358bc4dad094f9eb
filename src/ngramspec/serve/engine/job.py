"""A job of the engine's thread: one answer, and what its owner is told of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from torch import Tensor

from ngramspec.serve.engine.logprobs import Logprobs, TokenScores
from ngramspec.serve.wire.errors import ApiError
from ngramspec.stats import Counters


@dataclass(eq=False, slots=True)
class Job:
    """One answer to one prompt.

    owner: who is told. index: the answer's number among the owner's.
    prompt: `int64[1, P]`, in the host's memory. arguments: those of `ModelEngine.add`. logprobs: among its processors,
    if they are wanted.
    deadline: on the thread's clock. num_told: tokens that the owner knows of; num_accepted: accepted draft tokens among
    them. is_dropped: whether nobody waits for it.
    """

    owner: Any
    index: int
    prompt: Tensor
    arguments: dict[str, Any]
    logprobs: Logprobs | None
    deadline: float
    num_told: int = 0
    num_accepted: int = 0
    is_dropped: bool = False


@dataclass(frozen=True, slots=True)
class Joined:
    """The jobs of an owner are in the engine."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Further tokens of an answer: those of one pass.

    scores: one for each, if they are wanted. num_accepted: how many of them, from the first on, were drafted.
    """

    tokens: list[int]
    scores: Sequence[TokenScores] = ()
    num_accepted: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing follows.

    num_shared: tokens of the prompt that were shared with another answer. error: why this one is not complete, if it is
    not.
    """

    counters: Counters = field(default_factory=Counters)
    num_shared: int = 0
    error: ApiError | None = None


News: TypeAlias = Joined | Tokens | Ended
