"""Choice among the values that a schema lists: those that the question mentions, whole or by their words."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from ngramspec.foresight.evidence import SURE, Piece
from ngramspec.foresight.json_text.cursor import Cursor
from ngramspec.foresight.json_text.evidence import DEFAULT, LISTED
from ngramspec.foresight.json_text.expected_value import ExpectedValue, words_of
from ngramspec.foresight.json_text.shapes import Shape
from ngramspec.foresight.prompt_values import written

_NEARLY = 0.8
"""An unused value is preferred to a used one if its score is at least this share of the used one's."""

_SHARE = itemgetter(0)


class ListedValues:
    """Chooses among the values that schemas list, for one question."""

    def __init__(self, question: str) -> None:
        """question: in lower case."""
        self._question = question
        self._likeliest_of: dict[tuple[int, ...], Piece] = {}

    def guess(self, cursor: Cursor) -> Piece | None:
        """The likeliest value at `cursor` of those that the schema lists; None if it lists none."""
        state = cursor.state
        of_schema, shapes = state.expected, state.shapes
        listed = of_schema.listed
        if len(listed) < 2:
            return Piece(next(iter(listed)), SURE) if listed else None
        key = tuple(map(id, shapes))
        best = self._likeliest_of.get(key)
        if best is None:
            best = self._likeliest_of[key] = self._likeliest([*listed.values()], of_schema, shapes)
        said = {text for name, text in cursor.written_values if name == state.name}
        if best.text not in said:
            return best
        left = [value for text, value in listed.items() if text not in said]
        if not left:
            return best
        other = self._likeliest(left, of_schema, shapes)
        is_as_good = self._share(words_of(other.text)) >= _NEARLY * self._share(words_of(best.text))
        return other if state.is_in_array or is_as_good else best

    def _likeliest(self, listed: Sequence[Any], of_schema: ExpectedValue, shapes: Sequence[Shape]) -> Piece:
        texts = [value for value in listed if isinstance(value, str) and value]
        whole = max(texts, default="", key=lambda text: self._question.rfind(text.lower()))
        if whole and whole.lower() in self._question:
            return Piece(written(whole), LISTED)
        shares = [(self._share(of_schema.words[text]), text) for text in texts]
        share, by_words = max(shares, default=(0.0, ""), key=_SHARE)
        if share:
            return Piece(written(by_words), LISTED)
        defaults = (shape["default"] for shape in shapes if "default" in shape)
        return Piece(written(next((value for value in defaults if value in listed), listed[0])), DEFAULT)

    def _share(self, words: Sequence[str]) -> float:
        """Share of `words` that the question contains, 0.0 to 1.0; more words make it surer."""
        return sum(word in self._question for word in words) / (len(words) + 1)
