"""Splits an answer into parts, incrementally."""

import re
from collections.abc import Callable

from ngramspec.serve.text.call_forms import CallForm, CallLayout
from ngramspec.serve.text.json_objects import ObjectReader
from ngramspec.serve.text.parts import CLOSING, CallArguments, CallBegun, Content, Part, Reasoning

_HEAD = r'\s*\{{\s*"name"\s*:\s*"([a-zA-Z0-9_-]{{1,64}})"\s*,\s*"{arguments}"\s*:\s*(?=\{{)'
_NAMED_HEAD = r"\s*([a-zA-Z0-9_-]{{1,64}})\s*{before_id}{before_arguments}\s*(?=\{{)"
"""Regexes for a call up to its arguments, which are an object."""

_BEGINS = '{"name":"'
"""The beginning of a call that is an object, without blanks."""


class PartsReader:
    """Splits one answer into parts, as soon as the part of each character is certain.

    Markers, and white space next to them, belong to no part. The same text has the same parts, however it is split.
    A call is reported once its name is known. If it is cut off before that, or is not written in its form, it is text:
    nothing is lost.
    """

    def __init__(self, form: CallForm | None, *, opening: str, is_reasoning: bool) -> None:
        """form: of calls, None if the answer has none. opening: of reasoning that it may begin with; "" for none.

        is_reasoning: whether the prompt has opened it.
        """
        self._form, self._opening = form, opening
        self._held = ""
        self._is_last = False
        self._num_calls = 0
        self._begun = ""  # held text of a call that has no name yet, its marker included
        self._arguments = ObjectReader()
        self._is_after_marker = is_reasoning
        first = self._start if opening else self._first_text
        self._state: Callable[[], Part | bool] = self._reasoning if is_reasoning else first
        self._head = _head_of(form)

    @property
    def is_reasoning(self) -> bool:
        """Whether the next text is reasoning."""
        return self._state == self._reasoning

    @property
    def has_called(self) -> bool:
        """Whether there are calls, all with complete arguments."""
        return self._num_calls > 0 and self._arguments.is_complete

    def feed(self, text: str) -> list[Part]:
        """The parts that `text` makes certain."""
        self._held += text
        return self._steps()

    def finish(self) -> list[Part]:
        """The parts that were held back; no text follows."""
        self._is_last = True
        return self._steps()

    def _steps(self) -> list[Part]:
        """Run the states while they progress. A state returns a part, or whether it has read anything."""
        parts: list[Part] = []
        while got := self._state():
            if not isinstance(got, bool):
                parts.append(got)
        return parts

    def _start(self) -> Part | bool:
        """The very beginning of an answer that may reason: guards look for reasoning only there, too."""
        if self._held.startswith(self._opening):
            self._held, self._state, self._is_after_marker = self._held[len(self._opening) :], self._reasoning, True
            return True
        if self._opening.startswith(self._held) and not self._is_last:
            return False
        self._state = self._first_text
        return True

    def _reasoning(self) -> Part | bool:
        text, is_marker = self._until(CLOSING)
        if is_marker:
            self._state = self._first_text
        return Reasoning(text) if text else is_marker

    def _first_text(self) -> Part | bool:
        """The beginning of text, or of the one call that is the whole answer."""
        if self._form is None or self._form.layout is not CallLayout.ALONE:
            self._state = self._text
            return True
        seen = self._held.lstrip()
        if not seen and not self._is_last:
            return False
        self._state = self._text
        if seen.startswith("{"):
            self._state, self._begun = self._call, ""
        return True

    def _text(self) -> Part | bool:
        form = self._form
        if form is None or not form.opening:
            return self._rest()
        text, is_marker = self._until(form.opening)
        if is_marker:
            self._begun = form.opening
            self._state = self._list if form.layout is CallLayout.LIST else self._call
        return Content(text) if text else is_marker

    def _rest(self) -> Part | bool:
        """All held text, as text."""
        text, self._held = self._trimmed(self._held), ""
        return Content(text) if text else False

    def _list(self) -> Part | bool:
        """The beginning of a list of calls, or what separates two."""
        seen = self._held.lstrip()
        if not seen:
            return self._given_up() if self._is_last and self._begun else False
        if seen[0] in "[,":
            self._begun += self._held[: len(self._held) - len(seen)] + seen[0]
            self._held, self._state = seen[1:], self._call
            return True
        if seen[0] == "]" and not self._begun:
            self._held, self._state, self._is_after_marker = seen[1:], self._rest, True
            return True
        return self._given_up()

    def _call(self) -> Part | bool:
        """A call up to its arguments."""
        found = self._head.match(self._held)
        if found is None:
            return self._given_up() if self._is_last or not self._may_be_call() else False
        self._held, self._begun = self._held[found.end() :], ""
        self._arguments, self._state = ObjectReader(), self._in_arguments
        self._num_calls += 1
        return CallBegun(self._num_calls - 1, found.group(1))

    def _may_be_call(self) -> bool:
        """Whether the held text may still become a call."""
        assert self._form is not None
        if self._form.layout is not CallLayout.ALONE:
            return True
        begun = "".join(self._held[: 4 * len(_BEGINS)].split())
        return begun.startswith(_BEGINS) or _BEGINS.startswith(begun)

    def _in_arguments(self) -> Part | bool:
        length = self._arguments.read(self._held)
        text, self._held = self._held[:length], self._held[length:]
        if self._arguments.is_complete:
            self._state = self._after_arguments
        return CallArguments(self._num_calls - 1, text) if text else self._arguments.is_complete

    def _after_arguments(self) -> Part | bool:
        """The end of a call, and its marker."""
        assert self._form is not None
        if self._form.layout is CallLayout.NAMED:
            self._is_after_marker, self._state = True, self._text
            return True
        seen, end = self._held.lstrip(), "}"
        if not seen.startswith(end):
            return False
        if self._form.layout is CallLayout.EACH:
            seen, end = seen[1:].lstrip(), self._form.closing
            if not seen.startswith(end):
                return False
        self._held = seen[len(end) :]
        self._is_after_marker = True
        self._state = {CallLayout.EACH: self._text, CallLayout.LIST: self._list, CallLayout.ALONE: self._rest}[
            self._form.layout
        ]
        return True

    def _given_up(self) -> Part | bool:
        """The held text looked like a call, but is text."""
        if not self._begun:
            self._state = self._rest
            return bool(self._held)
        text, self._held, self._begun = self._begun + self._held, "", ""
        self._state = self._rest
        return Content(text) if text else False

    def _until(self, marker: str) -> tuple[str, bool]:
        """The text before `marker`, as far as it is certain, and whether the marker was found."""
        before, found, after = self._held.partition(marker)
        if found:
            text, self._held = self._trimmed(before).rstrip(), after
            self._is_after_marker = True
            return text, True
        if self._is_last:
            kept = 0
        else:
            heads = (length for length in range(len(marker) - 1, 0, -1) if self._held.endswith(marker[:length]))
            sure = self._held[: len(self._held) - next(heads, 0)].rstrip()
            kept = len(self._held) - len(sure)
        text = self._trimmed(self._held[: len(self._held) - kept])
        self._held = self._held[len(self._held) - kept :]
        return text, False

    def _trimmed(self, text: str) -> str:
        """`text` without white space that follows a marker."""
        if not self._is_after_marker:
            return text
        text = text.lstrip()
        self._is_after_marker = not text
        return text


def _head_of(form: CallForm | None) -> re.Pattern[str]:
    if form is None:
        return re.compile("")
    if form.layout is not CallLayout.NAMED:
        return re.compile(_HEAD.format(arguments=form.arguments))
    before_id = rf"(?:{re.escape(form.before_id)}\s*[a-zA-Z0-9]{{1,64}}\s*)?" if form.before_id else ""
    return re.compile(_NAMED_HEAD.format(before_id=before_id, before_arguments=re.escape(form.before_arguments)))
