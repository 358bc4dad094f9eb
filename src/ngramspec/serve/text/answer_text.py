"""The text of one answer, from its tokens: complete characters, up to a stop string or the end of sequence."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ngramspec.serve.text.detokenizer import Detokenizer
from ngramspec.serve.text.stop_strings import StopStrings


class AnswerText:
    """The text of an answer, released as it becomes certain.

    The same tokens give the same text, and end at the same token, however they are split into pieces.
    """

    def __init__(
        self,
        tokenizer: Any,
        stops: Sequence[str] = (),
        eos_tokens: Collection[int] = (),
        marks: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        """stops: the text ends before them. eos_tokens: have no text, even if the tokenizer gives them one.

        marks: tokens that have this text, even if the tokenizer leaves them out.
        """
        self._tokenizer, self._detokenizer, self._stops = tokenizer, Detokenizer(tokenizer), StopStrings(stops)
        self._eos_tokens, self._marks = eos_tokens, marks

    @property
    def stop(self) -> str | None:
        """The stop string that has ended the text, if one has."""
        return self._stops.found

    def feed(self, tokens: Sequence[int]) -> str:
        """The text that `tokens` make certain."""
        if self.stop is not None:
            return ""
        texts: list[str] = []
        run: list[int] = []
        for token in tokens:
            if token in self._marks:
                texts += [self._detokenizer.feed(run), self._detokenizer.finish(), self._marks[token]]
                self._detokenizer, run = Detokenizer(self._tokenizer), []
            elif token not in self._eos_tokens:
                run.append(token)
        return self._stops.feed("".join([*texts, self._detokenizer.feed(run)]))

    def finish(self) -> str:
        """The text that was held back."""
        if self.stop is not None:
            return ""
        return self._stops.feed(self._detokenizer.finish()) + self._stops.finish()
