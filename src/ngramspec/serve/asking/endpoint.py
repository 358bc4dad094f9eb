"""What the ways to ask for text each do in their own way: their prompts, and how answers are written down."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ngramspec.serve.asking.answering import Piece
from ngramspec.serve.asking.prepared import Limit, Prepared, Prompt
from ngramspec.serve.asking.served import Served
from ngramspec.serve.wire.errors import ApiError
from ngramspec.serve.wire.requests import TextRequest
from ngramspec.serve.wire.usage import Counts

R = TypeVar("R", bound=TextRequest)


@dataclass(frozen=True, slots=True)
class Head:
    """What all parts of an answer share. created: in Unix seconds."""

    id: str
    created: int
    model: str


class Writer(ABC):
    """Writes down the answers of one request: as one JSON text, or as server-sent events."""

    @abstractmethod
    def whole(self, pieces: Sequence[Sequence[Piece]], counts: Counts) -> str:
        """The JSON text; pieces: of each answer, the last of which says why it ended."""

    @abstractmethod
    def opening(self) -> Iterable[str]:
        """The events before all tokens."""

    @abstractmethod
    def events(self, piece: Piece) -> Iterable[str]:
        """The events that say a piece."""

    @abstractmethod
    def closing(self, counts: Counts) -> Iterable[str]:
        """The events after all answers."""

    def failure(self, error: ApiError) -> str:
        """The event that says why nothing follows."""
        return event(json.dumps(error.body()))


class Endpoint(ABC, Generic[R]):
    """A way to ask for text.

    path: of the route. operation: what it asks for, in OpenTelemetry's words. prefix: of the ids of its answers.
    request: the model of its body.
    """

    path: str
    operation: str
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
    def writer(self, head: Head, request: R, prepared: Prepared) -> Writer:
        """Writes down the answers to `request`."""


def event(data: str, name: str | None = None) -> str:
    """A server-sent event; data: one line."""
    named = "" if name is None else f"event: {name}\n"
    return f"{named}data: {data}\n\n"


def joined_text(pieces: Sequence[Piece]) -> str:
    """The text of one answer."""
    return "".join(piece.text for piece in pieces)
