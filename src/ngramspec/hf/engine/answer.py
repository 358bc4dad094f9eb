"""A request in the engine, and its answer."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ngramspec.hf.choice.streaming import Stream
from ngramspec.hf.engine.recording import Recorded
from ngramspec.hf.rows.call import Call
from ngramspec.hf.rows.request import Request
from ngramspec.hf.rows.row import ModelRow


@dataclass(eq=False)
class Answer:
    """The answer to a request.

    row: its text so far, and its counters.
    """

    row: ModelRow
    _call: Call
    _request: Request | None
    _stream: Stream | None
    _segment: str | None
    _salt: str | None
    _template: int
    _joins_others: bool
    _recorded: Recorded | None = None

    @property
    def emitted(self) -> list[int]:
        """The tokens so far, end of sequence included."""
        return self.row.emitted

    @property
    def ended(self) -> bool:
        """Whether the answer has ended."""
        return self.row.ended

    def result(self) -> Tensor:
        """The result of `generate()`, `int64[1, P + emitted]`.

        Raises GuardError if a guard could not go on, and whatever a processor, criterion or streamer raised.
        """
        self._call.raise_failed()
        return self._call.text.batch()


def finish(answer: Answer) -> None:
    """End its stream, and drop data that is no longer needed."""
    tell(answer, answer._call.flush)
    if answer._stream is not None:
        tell(answer, answer._stream.end)
    row = answer.row
    answer._request, row.steering, row.guides = None, None, []
    row.masks.drop()


def tell(answer: Answer, say: Callable[[], None]) -> None:
    """Call a request's streamer; an error of the streamer ends the request."""
    try:
        say()
    except Exception as error:  # from the caller's streamer: no other request is affected
        row = answer.row
        row.error, row.ended = row.error or error, True
