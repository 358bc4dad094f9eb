"""How chats and completions are written: choices, complete or in chunks, and [DONE]."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence

from ngramspec.serve.endpoints.answering import AnswerPiece
from ngramspec.serve.endpoints.endpoint import AnswerHead, Writer, event
from ngramspec.serve.endpoints.prepared_request import PreparedRequest
from ngramspec.serve.wire.answers import Answer
from ngramspec.serve.wire.drafts import Pass
from ngramspec.serve.wire.usage import Metrics, TokenCounts, Usage


class ChunkWriter(Writer):
    """Writes choices.

    With `stream_options.include_usage`, a last chunk without choices has the counts; with `include_drafts`, a chunk
    about the drafts precedes those of each pass.
    """

    def __init__(self, head: AnswerHead, prepared: PreparedRequest) -> None:
        self.head, self.prepared = head, prepared
        self._includes_usage, self._counts_on = prepared.request.includes_usage, prepared.request.counts_on
        self._num_written = 0

    @abstractmethod
    def answer(self, pieces: Sequence[Sequence[AnswerPiece]]) -> Answer:
        """The complete answer, without its counts."""

    @abstractmethod
    def first(self) -> Iterable[Answer]:
        """The chunks before the first token."""

    @abstractmethod
    def chunks(self, piece: AnswerPiece) -> Iterable[Answer]:
        """The chunks of a piece."""

    @abstractmethod
    def chunk(self) -> Answer:
        """A chunk without choices."""

    def whole(self, pieces: Sequence[Sequence[AnswerPiece]], counts: TokenCounts) -> str:
        """See `Writer`."""
        return _counted(self.answer(pieces), counts)

    def opening(self) -> Iterable[str]:
        """See `Writer`."""
        return map(self._event, self.first())

    def events(self, piece: AnswerPiece) -> Iterable[str]:
        """See `Writer`."""
        self._num_written += piece.num_tokens
        if piece.passed:
            chunk = self.chunk()
            chunk.passes = [Pass(index=piece.index, tokens=piece.passed)]
            yield self._event(chunk)
        yield from map(self._event, self.chunks(piece))

    def closing(self, counts: TokenCounts) -> Iterable[str]:
        """See `Writer`."""
        if self._includes_usage:
            yield event(_counted(self.chunk(), counts))
        yield event("[DONE]")

    def _event(self, chunk: Answer) -> str:
        if self._counts_on:
            chunk.usage = Usage.so_far(self.prepared.num_prompt_tokens, self._num_written)
        elif self._includes_usage:
            chunk.usage = None  # sent as null, as OpenAI does: only the last chunk has it
        return event(chunk.json_text())


def _counted(answer: Answer, counts: TokenCounts) -> str:
    answer.usage, answer.metrics = Usage.of(counts), Metrics.of(counts)
    return answer.json_text()
