"""One answer so far: its tokens, and its text split into parts."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ngramspec.serve.endpoints.origins import Origins
from ngramspec.serve.engine.job import NewTokens
from ngramspec.serve.text.answer_text import AnswerText
from ngramspec.serve.text.parts import Content, Part, joined
from ngramspec.serve.text.parts_reader import PartsReader
from ngramspec.serve.wire.drafts import PassToken


@dataclass(slots=True)
class AnswerSoFar:
    """An answer so far.

    parts: splits the text into them, None if all of it is text. origins: of drafted tokens, None if not requested.
    num_reasoning: tokens of reasoning.
    """

    text: AnswerText
    parts: PartsReader | None
    origins: Origins | None
    num_reasoning: int = 0
    tokens: list[int] = field(default_factory=list)
    offset: int = 0

    @property
    def has_called(self) -> bool:
        """Whether functions were called, all with complete arguments."""
        return self.parts is not None and self.parts.has_called

    def read(self, news: NewTokens) -> tuple[list[Part], list[PassToken]]:
        """The parts that further tokens add, and where the tokens come from."""
        self.tokens += news.tokens
        if self.parts is None and self.origins is None:
            return _content(self.text.feed(news.tokens)), []
        parts: list[Part] = []
        texts = []
        for token in news.tokens:  # one by one: those of reasoning are counted
            texts.append(self.text.feed([token]))
            parts += _content(texts[-1]) if self.parts is None else self._parted(self.parts, texts[-1])
        origins = [] if self.origins is None else self.origins.read(news.tokens, news.num_accepted)
        passed = [PassToken(text=text, origin=origin) for text, origin in zip(texts, origins, strict=False)]
        return joined(parts), passed

    def _parted(self, reader: PartsReader, text: str) -> list[Part]:
        """The parts of one token's text."""
        self.num_reasoning += reader.is_reasoning
        return reader.feed(text)

    def finish(self) -> list[Part]:
        """The parts that were held back."""
        text = self.text.finish()
        return _content(text) if self.parts is None else joined([*self.parts.feed(text), *self.parts.finish()])


def _content(text: str) -> list[Part]:
    return [Content(text)] if text else []


def text_in(parts: Iterable[Part]) -> str:
    """The text of an answer without reasoning and calls."""
    return "".join(part.text for part in parts if isinstance(part, Content))
