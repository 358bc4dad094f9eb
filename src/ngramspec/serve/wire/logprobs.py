"""Log probabilities of tokens, in the formats of chats and of completions."""

from dataclasses import dataclass

from pydantic import BaseModel

LEAST_LOGPROB = -9999.0
"""OpenAI's stand-in for minus infinity, which JSON cannot express."""


@dataclass(slots=True)
class TopLogprob:
    """A possible token at a position. bytes: of the token, which need not be complete characters.

    Not a pydantic model: an answer may have a million of these, and each would take seven times the memory.
    """

    token: str
    logprob: float
    bytes: tuple[int, ...]


@dataclass(slots=True)
class TokenLogprob(TopLogprob):
    """A token of the answer, and the likeliest tokens at its position."""

    top_logprobs: list[TopLogprob]


class ChatLogprobs(BaseModel):
    """Log probabilities of a choice of a chat."""

    content: list[TokenLogprob]


class CompletionLogprobs(BaseModel):
    """Log probabilities of a choice of a completion: the same data by column.

    top_logprobs: of the likeliest tokens, and of the chosen one. text_offset: where each token begins, in characters.
    """

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]

    @classmethod
    def of(cls, tokens: list[TokenLogprob], offset: int) -> "CompletionLogprobs":
        """offset: where the first token begins, in characters."""
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
