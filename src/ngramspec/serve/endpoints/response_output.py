"""The output of a response, piece by piece: reasoning, messages and calls, in the order in which they are written."""

from collections.abc import Iterator, Sequence

from ngramspec.serve.endpoints.answering import AnswerPiece
from ngramspec.serve.endpoints.chat import call_id
from ngramspec.serve.endpoints.response_items import CallItem, Event, Item, MessageItem, ReasoningItem
from ngramspec.serve.text.parts import CallBegun, Content, Part, Reasoning
from ngramspec.serve.wire.logprobs import TokenLogprob
from ngramspec.serve.wire.response_answers import OutputItem, Status


class Output:
    """The items of one response. An item is complete when the next one begins, or the response ends."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._status: Status = "in_progress"

    def read(self, piece: AnswerPiece) -> Iterator[Event]:
        """The events of a piece. Only a piece that is all message has log probabilities."""
        is_text = all(isinstance(part, Content) for part in piece.parts)
        logprobs = piece.logprobs if is_text else []
        for part in piece.parts or ([Content("")] if logprobs else []):
            yield from self._read(part, logprobs)
            logprobs = []

    def finish(self, status: Status) -> Iterator[Event]:
        """The last events. A response without any output has an empty message."""
        if not self._items:
            yield from self._begun(MessageItem(0))
        yield from self._items[-1].closing(status)
        self._status = status

    def models(self) -> list[OutputItem]:
        """The items as they are sent; none before the response is complete."""
        if self._status == "in_progress":
            return []
        return [*(item.model("completed") for item in self._items[:-1]), self._items[-1].model(self._status)]

    def _read(self, part: Part, logprobs: Sequence[TokenLogprob]) -> Iterator[Event]:
        last = self._items[-1] if self._items else None
        if last is None or not last.is_of(part):
            if last is not None:
                yield from last.closing("completed")
            yield from self._begun(self._new(part))
        if not isinstance(part, CallBegun):
            yield from self._items[-1].added(part, logprobs)

    def _begun(self, item: Item) -> Iterator[Event]:
        self._items.append(item)
        yield from item.opening()

    def _new(self, part: Part) -> Item:
        index = len(self._items)
        match part:
            case Reasoning():
                return ReasoningItem(index)
            case CallBegun():
                return CallItem(index, part.name, call_id())
            case _:
                return MessageItem(index)
