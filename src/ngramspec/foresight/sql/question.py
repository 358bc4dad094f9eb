"""What a question about tables asks for, judged by its words."""

import re

from ngramspec.foresight.prompt_values import PromptValues


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{words})\b", re.IGNORECASE)


_CALLS = {
    "COUNT": _pattern("how many|number of|count the"),
    "AVG": _pattern("average|mean"),
    "MAX": _pattern("maximum"),
    "MIN": _pattern("minimum"),
    "SUM": _pattern("total"),
}
_MORE = _pattern(r"more|greater|larger|higher|older|over|above|after|longer|exceed\w*")
_LESS = _pattern("less|smaller|lower|younger|under|below|before|shorter|fewer")
_ALIKE = _pattern(r"contain\w*|substring|includ\w*|(?:start|end|begin)\w* with|letter")
_NEGATED = _pattern(r"not|never|without|no|\w+n't")
_MOST = _pattern("most|highest|largest|greatest|oldest|latest|longest|top|biggest|best|common")
_LEAST = _pattern("least|lowest|smallest|fewest|youngest|earliest|shortest")
_SORTED = _pattern(r"order(?:ed)?|sort(?:ed)?|alphabetical\w*|ascending|descending")
_GROUPED = _pattern("each|every|per|for different|(?:the )?(?:most|least) (?:number|common|popular)|fewest")
_DISTINCT = _pattern("distinct|different|unique")
_DESCENDING = _pattern(r"desc\w*|reverse|old to young|high to low")

CALLED = frozenset(name.lower() for name in _CALLS)
"""Names of the functions that a question can ask for, in lower case."""


class Question:
    """What a question asks for. Each answer is a guess that is right more often than not."""

    def __init__(self, text: str) -> None:
        self.prompt = PromptValues(text)
        number = self.prompt.plain("", "", is_text=False)
        is_most, is_least = _MOST.search(text) is not None, _LEAST.search(text) is not None
        self.calls = [name for name, words in _CALLS.items() if words.search(text)]
        self.comparison = ">" if _MORE.search(text) else "<" if _LESS.search(text) else "="
        self.is_alike = _ALIKE.search(text) is not None
        """The question is about a part of a text, not all of it."""
        self.is_cut = is_most or is_least
        """Only the first rows are wanted."""
        self.limit = "1" if number is None else number.text
        self.is_sorted = self.is_cut or _SORTED.search(text) is not None
        self.is_descending = is_most or _DESCENDING.search(text) is not None
        self.is_distinct = _DISTINCT.search(text) is not None
        self.is_grouped = _GROUPED.search(text) is not None
        is_compared = number is not None and (self.comparison != "=" or not self.is_cut)
        self.has_text = self.prompt.plain("", "", is_text=True) is not None
        """The question contains a text to compare with."""
        has_value = is_compared or self.has_text
        self.is_negated = not has_value and _NEGATED.search(text) is not None
        """The question is about rows that are absent elsewhere."""
        self.is_filtered = has_value or self.is_negated
        self.quote = '"' if '"' in text else "'"
