"""Values in a prompt: found after their names, as a regex for each name would find them."""

import re
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from ngramspec.foresight.prompt_values import WORDS, PromptValues

TEXTS = st.lists(
    st.sampled_from(
        ["invoice", "Invoice", "number", "No", "İd", "id", " ", "_", "-", ":", "=", "is", "to", '"', "é", "\n", "7"]
    )
).map("".join)
NAMES = st.sampled_from(["invoice_number", "InvoiceNumber", "id", "No", "invoice number id", "number7", "id_id"])


def ends(name: str, text: str) -> Iterable[int]:
    """Where `name` ends in `text`, slowly; the last one first."""
    pattern = re.compile(rf"(?i)\b{r'[ _-]?'.join(map(re.escape, WORDS.findall(name)))}")
    found = (pattern.match(text, start) for start in reversed(range(len(text))))
    return [match.end() for match in found if match is not None]


@given(NAMES, TEXTS)
def test_a_name_is_found_as_a_regex_finds_it(name: str, text: str) -> None:
    words = [word.lower() for word in WORDS.findall(name)]
    assert ends(name, text) == list(PromptValues(text)._ends_of(words))
