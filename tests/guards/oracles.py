"""A matcher that only knows its language, and reads the whole text again for every question."""

from collections.abc import Iterable

from ngramspec.guards import Vocabulary
from tests.guards.languages import INSIDE, SPECIAL, Language, Text


class OracleMatcher:
    """What a matcher may do and say, for one call's ends of sequence."""

    def __init__(self, language: Language, vocabulary: Vocabulary, eos_tokens: Iterable[int]) -> None:
        self.language = language
        self.vocabulary = vocabulary
        self.eos_tokens = frozenset(eos_tokens)

    def text(self, tokens: Iterable[int]) -> Text:
        found: list[int] = []
        for token in tokens:
            if not 0 <= token < len(self.vocabulary):
                continue  # an end of sequence of the model's own
            marks = (SPECIAL, INSIDE) if token in self.vocabulary.special else (0, 0)
            found += [byte + marks[position > 0] for position, byte in enumerate(self.vocabulary.tokens[token])]
        return tuple(found)

    def ended(self, tokens: list[int]) -> bool:
        return bool(tokens) and tokens[-1] in self.eos_tokens

    def accepting(self, tokens: list[int]) -> bool:
        return self.ended(tokens) or self.language.whole(self.text(tokens))

    def allows(self, tokens: list[int], token: int) -> bool:
        if self.ended(tokens):
            return False
        if token in self.eos_tokens:
            return self.accepting(tokens)
        if not 0 <= token < len(self.vocabulary) or token in self.vocabulary.eos_tokens:
            return False
        text = self.text([token])
        return self._is_free(tokens) if not text else self.language.alive(self.text(tokens) + text)

    def _is_free(self, tokens: list[int]) -> bool:
        """Whether any token may come, so that one without bytes may, too."""
        return self.language.alive((*self.text(tokens), SPECIAL))

    def mask(self, tokens: list[int]) -> set[int]:
        """All the ids of the vocabulary that are allowed next."""
        return {token for token in range(len(self.vocabulary)) if self.allows(tokens, token)}
