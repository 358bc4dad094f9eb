"""Dates in a text, in ISO form: a question says "April 3rd", a schema wants digits."""

import re

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<{}>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_DAY = r"\b(?P<{}>\d{{1,2}})(?:st|nd|rd|th)?\b"
_YEAR = r"(?P<{}>(?:19|20)\d\d)\b"
_DATE = re.compile(
    rf"(?i)\b{_YEAR.format('y1')}[-./](?P<m1>\d{{1,2}})[-./](?P<d1>\d{{1,2}})(?!\d)"
    rf"|\b{_MONTH.format('m2')} {_DAY.format('d2')}(?:,? {_YEAR.format('y2')})?"
    rf"|{_DAY.format('d3')} (?:of )?{_MONTH.format('m3')}(?:,? {_YEAR.format('y3')})?"
)
_ANY_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


def dates(text: str, year: str | None = None) -> list[str]:
    """The dates in `text`, as YYYY-MM-DD.

    year: for dates written without one; None: the last year in the text; if there is none, such dates are left out.
    """
    matches = list(_DATE.finditer(text))
    if year is None and matches:
        year = next(reversed(_ANY_YEAR.findall(text)), None)
    found = (_written(match, year) for match in matches)
    return list(dict.fromkeys(date for date in found if date is not None))


def _written(match: re.Match[str], year: str | None) -> str | None:
    said, month, day = next(
        (match[f"y{way}"], match[f"m{way}"], match[f"d{way}"]) for way in (1, 2, 3) if match[f"d{way}"]
    )
    number = int(month) if month.isdigit() else _MONTHS.index(month[:3].lower()) + 1
    known = said or year
    return None if known is None else f"{known}-{number:02}-{int(day):02}"
