"""`/v1/completions`."""

from collections.abc import Iterable, Sequence

from ngramspec.serve.endpoints.answering import AnswerPiece
from ngramspec.serve.endpoints.chunks import ChunkWriter
from ngramspec.serve.endpoints.endpoint import AnswerHead, Endpoint, joined_text
from ngramspec.serve.endpoints.prepared_request import AnswerLimit, PreparedRequest, Prompt
from ngramspec.serve.endpoints.served_model import ServedModel
from ngramspec.serve.text.detokenizer import text_of
from ngramspec.serve.text.holes import prompt_around
from ngramspec.serve.wire.answers import CompletionAnswer, CompletionChoice
from ngramspec.serve.wire.errors import invalid
from ngramspec.serve.wire.logprobs import CompletionLogprobs
from ngramspec.serve.wire.requests import CompletionRequest


class CompletionEndpoint(Endpoint[CompletionRequest]):
    """Continues texts, or fills a hole."""

    path = "/v1/completions"
    operation = "text_completion"
    prefix = "cmpl-"
    request = CompletionRequest

    def num_prompts(self, request: CompletionRequest) -> int:
        """See `Endpoint`."""
        return len(request.prompts)

    def prompts(self, request: CompletionRequest, served: ServedModel) -> list[Prompt]:
        """See `Endpoint`."""
        if request.suffix is not None:
            assert isinstance(request.prompt, str)
            return [Prompt(*prompt_around(request.prompt, request.suffix, served.tokenizer))]
        return [_prompt(given, request.echo, served) for given in request.prompts]

    def limit(self, request: CompletionRequest) -> AnswerLimit:
        """See `Endpoint`."""
        return AnswerLimit(request.max_tokens, "max_tokens", "prompt")

    def num_top(self, request: CompletionRequest) -> int | None:
        """See `Endpoint`."""
        return request.logprobs

    def writer(self, head: AnswerHead, request: CompletionRequest, prepared: PreparedRequest) -> "CompletionWriter":
        """See `Endpoint`."""
        return CompletionWriter(head, prepared)


class CompletionWriter(ChunkWriter):
    """Writes continued texts."""

    def answer(self, pieces: Sequence[Sequence[AnswerPiece]]) -> CompletionAnswer:
        """See `ChunkWriter`."""
        choices = []
        for index, own in enumerate(pieces):
            tokens = [each for piece in own for each in piece.logprobs]
            choices.append(
                CompletionChoice(
                    index=index,
                    text=self.prepared.prompt(index).echo + joined_text(own),
                    logprobs=None if self.prepared.num_top is None else CompletionLogprobs.of(tokens, 0),
                    finish_reason=own[-1].finish,
                    stop_reason=own[-1].stop,
                )
            )
        return self.chunk(*choices)

    def first(self) -> Iterable[CompletionAnswer]:
        """See `ChunkWriter`."""
        for index in range(self.prepared.num_answers):
            echo = self.prepared.prompt(index).echo
            if echo:
                yield self.chunk(CompletionChoice(index=index, text=echo, logprobs=None, finish_reason=None))

    def chunks(self, piece: AnswerPiece) -> Iterable[CompletionAnswer]:
        """See `ChunkWriter`."""
        if piece.text or piece.logprobs or piece.finish is not None:
            logprobs = CompletionLogprobs.of(piece.logprobs, piece.offset) if piece.logprobs else None
            ending = {} if piece.finish is None else {"stop_reason": piece.stop}
            yield self.chunk(
                CompletionChoice(
                    index=piece.index, text=piece.text, logprobs=logprobs, finish_reason=piece.finish, **ending
                )
            )

    def chunk(self, *choices: CompletionChoice) -> CompletionAnswer:
        """See `ChunkWriter`."""
        head = self.head
        return CompletionAnswer(
            id=head.id, created=head.created, model=head.model, object="text_completion", choices=list(choices)
        )


def _prompt(given: str | list[int], echo: bool, served: ServedModel) -> Prompt:
    if isinstance(given, str):
        return Prompt(served.tokenizer(given).input_ids, echo=given if echo else "")
    unknown = next((token for token in given if not 0 <= token < served.num_tokens), None)
    if unknown is not None:
        raise invalid(f"token ids must be from 0 to {served.num_tokens - 1}, got {unknown}", param="prompt")
    return Prompt(given, echo=text_of(served.tokenizer, given) if echo else "")
