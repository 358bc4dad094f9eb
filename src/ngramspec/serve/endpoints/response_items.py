"""The kinds of items of a response's output, and their events."""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from ngramspec.serve.text.parts import CallArguments, Content, Part, Reasoning
from ngramspec.serve.wire.logprobs import TokenLogprob
from ngramspec.serve.wire.response_answers import (
    OutputCall,
    OutputItem,
    OutputMessage,
    OutputReasoning,
    OutputText,
    ReasoningText,
    Status,
)

Event = tuple[str, dict[str, Any]]
"""The type of an event without its prefix, and its fields."""


class Item(ABC):
    """An item of the output. index: its number. id: its own, which begins with `prefix`."""

    prefix: str

    def __init__(self, index: int) -> None:
        self.id, self.index = f"{self.prefix}_{uuid.uuid4().hex}", index
        self._text = ""

    @abstractmethod
    def model(self, status: Status) -> OutputItem:
        """The item as it is sent."""

    @abstractmethod
    def is_of(self, part: Part) -> bool:
        """Whether `part` belongs to it."""

    def opening(self) -> Iterator[Event]:
        """The events before its text."""
        yield "output_item.added", {"output_index": self.index, "item": self.model("in_progress")}

    @abstractmethod
    def added(self, part: Part, logprobs: Sequence[TokenLogprob] = ()) -> Iterator[Event]:
        """Take in a part; returns its events."""

    def closing(self, status: Status) -> Iterator[Event]:
        """The events after its text."""
        yield "output_item.done", {"output_index": self.index, "item": self.model(status)}

    @property
    def where(self) -> dict[str, Any]:
        """Fields that say which item an event belongs to."""
        return {"item_id": self.id, "output_index": self.index}


class _TextItem(Item):
    """An item with one text part. kind: of its events."""

    kind: str

    @abstractmethod
    def part(self) -> BaseModel:
        """The text so far."""

    def opening(self) -> Iterator[Event]:
        """See `Item`."""
        yield from super().opening()
        yield "content_part.added", {**self.where, "part": self.part()}

    def closing(self, status: Status) -> Iterator[Event]:
        """See `Item`."""
        yield f"{self.kind}.done", {**self.where, "text": self._text, **self._scores()}
        yield "content_part.done", {**self.where, "part": self.part()}
        yield from super().closing(status)

    def _scores(self) -> dict[str, Any]:
        return {}

    @property
    def where(self) -> dict[str, Any]:
        """See `Item`."""
        return {**super().where, "content_index": 0}


class ReasoningItem(_TextItem):
    """Reasoning of the model."""

    prefix, kind = "rs", "reasoning_text"

    def model(self, status: Status) -> OutputReasoning:
        """See `Item`."""
        content = [] if status == "in_progress" else [self.part()]
        return OutputReasoning(id=self.id, summary=[], content=content, status=status)

    def part(self) -> ReasoningText:
        """See `_TextItem`."""
        return ReasoningText(text=self._text)

    def is_of(self, part: Part) -> bool:
        """See `Item`."""
        return isinstance(part, Reasoning)

    def added(self, part: Part, logprobs: Sequence[TokenLogprob] = ()) -> Iterator[Event]:
        """See `Item`."""
        assert isinstance(part, Reasoning)
        self._text += part.text
        yield "reasoning_text.delta", {**self.where, "delta": part.text}


class MessageItem(_TextItem):
    """The text of the answer."""

    prefix, kind = "msg", "output_text"

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self._logprobs: list[TokenLogprob] = []

    def model(self, status: Status) -> OutputMessage:
        """See `Item`."""
        return OutputMessage(id=self.id, status=status, content=[] if status == "in_progress" else [self.part()])

    def part(self) -> OutputText:
        """See `_TextItem`."""
        return OutputText(text=self._text, annotations=[], logprobs=self._logprobs)

    def is_of(self, part: Part) -> bool:
        """See `Item`."""
        return isinstance(part, Content)

    def added(self, part: Part, logprobs: Sequence[TokenLogprob] = ()) -> Iterator[Event]:
        """See `Item`."""
        assert isinstance(part, Content)
        self._text += part.text
        self._logprobs += logprobs
        yield "output_text.delta", {**self.where, "delta": part.text, "logprobs": list(logprobs)}

    def _scores(self) -> dict[str, Any]:
        return {"logprobs": self._logprobs}


class CallItem(Item):
    """A call of a function."""

    prefix = "fc"

    def __init__(self, index: int, name: str, call_id: str) -> None:
        super().__init__(index)
        self._name, self._call_id = name, call_id

    def model(self, status: Status) -> OutputCall:
        """See `Item`."""
        return OutputCall(id=self.id, call_id=self._call_id, name=self._name, arguments=self._text, status=status)

    def is_of(self, part: Part) -> bool:
        """See `Item`."""
        return isinstance(part, CallArguments)

    def added(self, part: Part, logprobs: Sequence[TokenLogprob] = ()) -> Iterator[Event]:
        """See `Item`."""
        assert isinstance(part, CallArguments)
        self._text += part.text
        yield "function_call_arguments.delta", {**self.where, "delta": part.text}

    def closing(self, status: Status) -> Iterator[Event]:
        """See `Item`."""
        yield "function_call_arguments.done", {**self.where, "name": self._name, "arguments": self._text}
        yield from super().closing(status)
