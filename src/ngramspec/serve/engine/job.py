"""A job of the engine's thread: one answer, and the news that its owner gets."""

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

    owner: gets the news. index: the answer's number among the owner's.
    prompt: `int64[1, P]`, in host memory. arguments: those of `ModelEngine.add`. logprobs: the one among its
    processors, if requested.
    deadline: on the thread's clock. num_sent: tokens that the owner was sent; num_accepted: accepted draft tokens among
    them. is_dropped: whether its owner no longer waits for it.
    """

    owner: Any
    index: int
    prompt: Tensor
    arguments: dict[str, Any]
    logprobs: Logprobs | None
    deadline: float
    num_sent: int = 0
    num_accepted: int = 0
    is_dropped: bool = False


@dataclass(frozen=True, slots=True)
class Joined:
    """The jobs of an owner are in the engine."""


@dataclass(frozen=True, slots=True)
class NewTokens:
    """Further tokens of an answer, from one pass.

    scores: one per token, if requested. num_accepted: how many of the tokens, from the first on, were drafted.
    """

    tokens: list[int]
    scores: Sequence[TokenScores] = ()
    num_accepted: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer has ended.

    num_shared: tokens of the prompt that were shared with another answer. error: why this one is incomplete, if so.
    """

    counters: Counters = field(default_factory=Counters)
    num_shared: int = 0
    error: ApiError | None = None


News: TypeAlias = Joined | NewTokens | Ended
