"""Finds where a JSON object ends, in a text that comes piece by piece."""


class ObjectReader:
    """Reads a text that begins with a JSON object. is_complete: whether the object has ended."""

    def __init__(self) -> None:
        self.is_complete = False
        self._depth = 0
        self._is_in_string = self._is_escaped = False

    def read(self, text: str) -> int:
        """The number of characters of `text`, the next piece, that belong to the object."""
        if self.is_complete:
            return 0
        for index, character in enumerate(text):
            if self._is_in_string:
                self._read_in_string(character)
            elif character == '"':
                self._is_in_string = True
            elif character in "{[":
                self._depth += 1
            elif character in "}]":
                self._depth -= 1
                if not self._depth:
                    self.is_complete = True
                    return index + 1
        return len(text)

    def _read_in_string(self, character: str) -> None:
        if self._is_escaped:
            self._is_escaped = False
        elif character == "\\":
            self._is_escaped = True
        elif character == '"':
            self._is_in_string = False
