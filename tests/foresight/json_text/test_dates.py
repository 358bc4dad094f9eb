"""Dates are read as people write them, and written in ISO format."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.foresight.json_text.dates import dates

FORMS = ("%Y-%m-%d", "%Y.%m.%d", "%Y/%m/%d", "%B %d, %Y", "%b %d %Y", "%d %B %Y", "%dth of %B, %Y", "%b. %dth, %Y")


@given(day=st.dates(date(1900, 1, 1), date(2099, 12, 31)), form=st.sampled_from(FORMS))
def test_any_date_is_read_from_any_form(day: date, form: str) -> None:
    assert [day.isoformat()] == dates(f"from {day.strftime(form)} on")


@pytest.mark.parametrize(
    ("text", "year", "expected"),
    [
        ("March 9th", None, []),
        ("March 9th", "2031", ["2031-03-09"]),
        ("April 3rd to the 5th of April 2023", None, ["2023-04-03", "2023-04-05"]),
        ("2023-1-2 and again 2023-01-02", None, ["2023-01-02"]),
        ("maybe 3, 12:30, 2023-0101", None, []),
    ],
)
def test_a_date_without_a_year_has_the_one_that_is_given_or_that_the_text_names(
    text: str, year: str | None, expected: list[str]
) -> None:
    assert expected == dates(text, year)
