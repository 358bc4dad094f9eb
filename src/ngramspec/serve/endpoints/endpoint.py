"""What differs between the endpoints for text: prompts, and how answers are written."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ngramspec.serve.endpoints.answering import AnswerPiece
from ngramspec.serve.endpoints.prepared_request import AnswerLimit, PreparedRequest, Prompt
from ngramspec.serve.endpoints.served_model import ServedModel
from ngramspec.serve.wire.errors import ApiError
from ngramspec.serve.wire.requests import TextRequest
from ngramspec.serve.wire.usage import TokenCounts

R = TypeVar("R", bound=TextRequest)


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """Fields that all parts of an answer share. created: in Unix seconds."""

    id: str
    created: int
    model: str


class Writer(ABC):
    """Writes the answers of one request: as one JSON text, or as server-sent events."""

    @abstractmethod
    def whole(self, pieces: Sequence[Sequence[AnswerPiece]], counts: TokenCounts) -> str:
        """The JSON text; pieces: those of each answer, the last of which says why it ended."""

    @abstractmethod
    def opening(self) -> Iterable[str]:
        """The events before the first token."""

    @abstractmethod
    def events(self, piece: AnswerPiece) -> Iterable[str]:
        """The events of a piece."""

    @abstractmethod
    def closing(self, counts: TokenCounts) -> Iterable[str]:
        """The events after all answers."""

    def failure(self, error: ApiError) -> str:
        """The event that reports `error`, the last one."""
        return event(json.dumps(error.body()))


class Endpoint(ABC, Generic[R]):
    """An endpoint for text.

    path: of the route. operation: OpenTelemetry's name for it. prefix: of the ids of its answers. request: the model of
    its body.
    """

    path: str
    operation: str
    prefix: str
    request: type[R]

    @abstractmethod
    def num_prompts(self, request: R) -> int:
        """The number of prompts of a request."""

    @abstractmethod
    def prompts(self, request: R, served: ServedModel) -> list[Prompt]:
        """The prompts of a request; raises ApiError if one cannot be made."""

    @abstractmethod
    def limit(self, request: R) -> AnswerLimit:
        """The bound on the tokens of an answer."""

    @abstractmethod
    def num_top(self, request: R) -> int | None:
        """How many of the likeliest tokens to list; None for no log probabilities."""

    @abstractmethod
    def writer(self, head: AnswerHead, request: R, prepared: PreparedRequest) -> Writer:
        """The writer of the answers to `request`."""


def event(data: str, name: str | None = None) -> str:
    """A server-sent event; data: one line."""
    named = "" if name is None else f"event: {name}\n"
    return f"{named}data: {data}\n\n"


def joined_text(pieces: Sequence[AnswerPiece]) -> str:
    """The text of one answer."""
    return "".join(piece.text for piece in pieces)
