"""What chats and completions each do in their own way: their prompts, and how an answer is written down."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ngramspec.serve.asking.answering import Piece
from ngramspec.serve.asking.prepared import Limit, Prepared, Prompt
from ngramspec.serve.asking.served import Served
from ngramspec.serve.wire.answers import Answer
from ngramspec.serve.wire.requests import TextRequest

R = TypeVar("R", bound=TextRequest)


@dataclass(frozen=True, slots=True)
class Head:
    """What all chunks of an answer share. created: in Unix seconds."""

    id: str
    created: int
    model: str


class Endpoint(ABC, Generic[R]):
    """A way to ask for text.

    path: of the route. prefix: of the ids of its answers. request: the model of its body.
    """

    path: str
    prefix: str
    request: type[R]

    @abstractmethod
    def num_prompts(self, request: R) -> int:
        """How many prompts a request has."""

    @abstractmethod
    def prompts(self, request: R, served: Served) -> list[Prompt]:
        """The prompts of a request; raises ApiError for what cannot be one."""

    @abstractmethod
    def limit(self, request: R) -> Limit:
        """Tokens of an answer."""

    @abstractmethod
    def num_top(self, request: R) -> int | None:
        """How many of the likeliest tokens are listed; None for no log probabilities."""

    @abstractmethod
    def whole(self, head: Head, prepared: Prepared, pieces: Sequence[Sequence[Piece]]) -> Answer:
        """The whole answer; pieces: of each choice, the last of which says why it ended."""

    @abstractmethod
    def opening(self, head: Head, prepared: Prepared) -> Iterable[Answer]:
        """The chunks before all tokens."""

    @abstractmethod
    def chunks(self, head: Head, prepared: Prepared, piece: Piece) -> Iterable[Answer]:
        """The chunks that say a piece."""

    @abstractmethod
    def closing(self, head: Head) -> Answer:
        """The chunk after all choices, which gets the counts."""


def joined_text(pieces: Sequence[Piece]) -> str:
    """The text of one choice."""
    return "".join(piece.text for piece in pieces)
