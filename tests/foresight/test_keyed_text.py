"""If a value follows its name, and nothing else is known about the text, it is looked up in the prompt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.foresight import KeyedText

PROMPT = "Customer: ACME Ltd\nThe total is 1,250.50 and it goes to 'Jane Roe' in New York."


def foreseen(text: str, prompt: str = PROMPT) -> str:
    kind = KeyedText(lambda: prompt)
    return "".join(piece.text for piece in kind.foresee(kind.read(kind.start(), text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('customer = "', 'ACME Ltd"'),
        ("SELECT id FROM orders WHERE o.customer = 'AC", "ME Ltd'"),
        ("total=", "1250.50"),
        ("total: 1", "250.50"),
        ("WHERE clerk LIKE '", "Jane Roe'"),
        ("customer", ""),
        ("note = 7, ", ""),
        ("", ""),
    ],
)
def test_the_rest_of_a_value_is_the_text_after_its_name(text: str, expected: str) -> None:
    assert expected == foreseen(text)


@given(text=st.text("ab =:'\"1_.\n", max_size=200), prompt=st.text("abAB =:'\"1_.,\n", max_size=80))
def test_any_text_and_prompt_are_read(text: str, prompt: str) -> None:
    assert "\n" not in foreseen(text, prompt)
