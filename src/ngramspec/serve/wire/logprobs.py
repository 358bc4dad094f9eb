"""Log probabilities of tokens, as chats and as completions have them."""

from dataclasses import dataclass

from pydantic import BaseModel

LEAST_LOGPROB = -9999.0
"""OpenAI's stand-in for minus infinity, which JSON cannot say."""


@dataclass(slots=True)
class TopLogprob:
    """A token that might have come. bytes: its own, which need not be whole characters.

    No model: a request may have a million of these, of which each would take seven times the memory.
    """

    token: str
    logprob: float
    bytes: tuple[int, ...]


@dataclass(slots=True)
class TokenLogprob(TopLogprob):
    """A token of the answer, and the likeliest ones in its position."""

    top_logprobs: list[TopLogprob]


class ChatLogprobs(BaseModel):
    """Of a choice of a chat."""

    content: list[TokenLogprob]


class CompletionLogprobs(BaseModel):
    """Of a choice of a completion: the same by column.

    top_logprobs: of the likeliest tokens, and of the one that came. text_offset: where each begins, in characters.
    """

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]

    @classmethod
    def of(cls, tokens: list[TokenLogprob], offset: int) -> "CompletionLogprobs":
        """offset: where the first of them begins."""
        offsets = [offset]
        for token in tokens:
            offsets.append(offsets[-1] + len(token.token))
        return cls(
            tokens=[token.token for token in tokens],
            token_logprobs=[token.logprob for token in tokens],
            top_logprobs=[
                {other.token: other.logprob for other in (*reversed(token.top_logprobs), token)} for token in tokens
            ],
            text_offset=offsets[:-1],
        )
