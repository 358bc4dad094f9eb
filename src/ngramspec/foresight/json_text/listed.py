"""Choice among the values that a schema lists: those that the question mentions, whole or by their words."""

from collections.abc import Sequence
from typing import Any

from ngramspec.foresight.evidence import SURE, Piece
from ngramspec.foresight.json_text.cursor import Cursor
from ngramspec.foresight.json_text.evidence import DEFAULT, LISTED
from ngramspec.foresight.json_text.shapes import Shape, fixed
from ngramspec.foresight.prompt import WORDS, written

_NEARLY = 0.8
"""An unused value is preferred to a used one if its score is at least this share of the used one's."""


class Listed:
    """Chooses among the values that schemas list, for one question."""

    def __init__(self, question: str) -> None:
        """question: in lower case."""
        self._question = question
        self._fixed_of: dict[tuple[int, ...], dict[str, Any]] = {}
        self._likeliest_of: dict[tuple[int, ...], Piece] = {}

    def values(self, shapes: Sequence[Shape]) -> dict[str, Any]:
        """The values that `shapes` list, by their spelling in JSON. The row's text keeps `shapes` alive."""
        key = tuple(map(id, shapes))
        found = self._fixed_of.get(key)
        if found is None:
            found = self._fixed_of[key] = {written(value): value for value in fixed(shapes)}
        return found

    def guess(self, cursor: Cursor, shapes: Sequence[Shape]) -> Piece | None:
        """The likeliest value at `cursor` of those that `shapes` list; None if they list none."""
        listed = self.values(shapes)
        if len(listed) < 2:
            return Piece(next(iter(listed)), SURE) if listed else None
        key = tuple(map(id, shapes))
        best = self._likeliest_of.get(key)
        if best is None:
            best = self._likeliest_of[key] = self._likeliest([*listed.values()], shapes)
        said = {said.text for said in cursor.said if said.name == cursor.name}
        if best.text not in said:
            return best
        left = [value for text, value in listed.items() if text not in said]
        if not left:
            return best
        other = self._likeliest(left, shapes)
        is_item = cursor.scope is not None and not cursor.scope.is_object
        is_as_good = self._share(other.text) >= _NEARLY * self._share(best.text)
        return other if is_item or is_as_good else best

    def _likeliest(self, listed: Sequence[Any], shapes: Sequence[Shape]) -> Piece:
        texts = [value for value in listed if isinstance(value, str) and value]
        whole = max(texts, default="", key=lambda text: self._question.rfind(text.lower()))
        if whole and whole.lower() in self._question:
            return Piece(written(whole), LISTED)
        by_words = max(texts, default="", key=self._share)
        if self._share(by_words):
            return Piece(written(by_words), LISTED)
        defaults = (shape["default"] for shape in shapes if "default" in shape)
        return Piece(written(next((value for value in defaults if value in listed), listed[0])), DEFAULT)

    def _share(self, text: str) -> float:
        """Share of the words of `text` that the question contains, 0.0 to 1.0; more words make it surer."""
        words = [word.lower() for word in WORDS.findall(text) if len(word) > 2]
        return sum(word in self._question for word in words) / (len(words) + 1)
