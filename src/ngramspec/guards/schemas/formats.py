"""Formats: those that JSON Schema defines, and patterns for those that are regular."""

DEFINED = {
    "date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6",
    "uri", "uri-reference", "iri", "iri-reference", "uuid", "uri-template", "json-pointer", "relative-json-pointer",
    "regex",
}  # fmt: skip
"""Any other format is an annotation of the schema's author, and is not enforced."""


def _any(*ways: str) -> str:
    return f"(?:{'|'.join(ways)})"


# RFC 3339. A leap second ends a day of UTC; with other offsets it is left out, because a regex would have to list them.
_MONTHS = _any(
    "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])", "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)",
    "02-(?:0[1-9]|1[0-9]|2[0-8])",
)  # fmt: skip
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DATE = _any(f"[0-9]{{4}}-{_MONTHS}", f"{_LEAP_YEAR}-02-29")
_OFFSET = "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
_TIME = _any(
    f"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]+)?{_OFFSET}",
    "23:59:60(?:\\.[0-9]+)?(?:[Zz]|[+-]00:00)",
)

# RFC 3986, with its own names, and RFC 3987, which allows more characters.
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = f"{_BYTE}(?:\\.{_BYTE}){{3}}"
_H16 = "[0-9A-Fa-f]{1,4}"
_LS32 = f"(?:{_H16}:{_H16}|{_IPV4})"
_IPV6 = _any(
    f"(?:{_H16}:){{6}}{_LS32}",
    f"::(?:{_H16}:){{5}}{_LS32}",
    *(f"(?:(?:{_H16}:){{0,{n}}}{_H16})?::(?:{_H16}:){{{4 - n}}}{_LS32}" for n in range(4)),
    f"(?:(?:{_H16}:){{0,4}}{_H16})?::{_LS32}",
    f"(?:(?:{_H16}:){{0,5}}{_H16})?::{_H16}",
    f"(?:(?:{_H16}:){{0,6}}{_H16})?::",
)
_MORE = "\\u00A0-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFEF\\u{10000}-\\u{EFFFD}"
_SUB = "!$&'()*+,;="


def _reference(letters: str, *, is_absolute: bool) -> str:
    """RFC 3986's `URI`, or its `URI-reference`."""
    plain = f"A-Za-z0-9._~{letters}"
    escaped = "%[0-9A-Fa-f]{2}"
    char = f"(?:[{plain}{_SUB}:@-]|{escaped})"
    no_colon = f"(?:[{plain}{_SUB}@-]|{escaped})"
    user = f"(?:[{plain}{_SUB}:-]|{escaped})*@"
    host = _any(f"\\[(?:{_IPV6}|[vV][0-9A-Fa-f]+\\.[A-Za-z0-9._~{_SUB}:-]+)\\]", f"(?:[{plain}{_SUB}-]|{escaped})*")
    authority = f"(?:{user})?{host}(?::[0-9]*)?"
    rest = f"(?:/{char}*)*"
    rooted = f"/(?:{char}+{rest})?"
    private = "\\uE000-\\uF8FF\\u{F0000}-\\u{FFFFD}\\u{100000}-\\u{10FFFD}" if letters else ""
    end = f"(?:\\?(?:{char}|[/?{private}])*)?(?:#(?:{char}|[/?])*)?"
    absolute = f"[A-Za-z][A-Za-z0-9+.-]*:(?://{authority}{rest}|{rooted}|{char}+{rest}|){end}"
    relative = f"(?://{authority}{rest}|{rooted}|{no_colon}+{rest}|){end}"
    return f"^{absolute}$" if is_absolute else f"^(?:{absolute}|{relative})$"


# RFC 6901, and its relative draft; RFC 6570.
_POINTER = "(?:/(?:[^/~]|~[01])*)*"
_NAME = "(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2})(?:\\.?(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2}))*"
_VARIABLE = f"{_NAME}(?::[1-9][0-9]{{0,3}}|\\*)?"
_LITERAL = f"(?:[!#$&()*+,./0-9:;=?@A-Z\\[\\]_a-z~{_MORE}-]|%[0-9A-Fa-f]{{2}})"

PATTERNS = {
    "date": f"^{_DATE}$",
    "time": f"^{_TIME}$",
    "date-time": f"^{_DATE}[Tt]{_TIME}$",
    "ipv4": f"^{_IPV4}$",
    "ipv6": f"^{_IPV6}$",
    "uri-reference": _reference("", is_absolute=False),
    "iri": _reference(_MORE, is_absolute=True),
    "iri-reference": _reference(_MORE, is_absolute=False),
    "uri-template": f"^(?:{_LITERAL}|\\{{[+#./;?&=,!@|]?{_VARIABLE}(?:,{_VARIABLE})*\\}})*$",
    "json-pointer": f"^{_POINTER}$",
    "relative-json-pointer": f"^(?:0|[1-9][0-9]*)(?:#|{_POINTER})$",
}
"""Formats as patterns; the others are left to the backend."""

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = f"{_LABEL}(?:\\.{_LABEL})*"
_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = f'(?:{_ATOM}(?:\\.{_ATOM})*|"(?:[ !#-\\[\\]-~]|\\\\[ -~])*")'
_SECONDS = "[0-9]+S"
_MINUTES = f"[0-9]+M(?:{_SECONDS})?"
_HOURS = f"[0-9]+H(?:{_MINUTES})?"
_CLOCK = f"T(?:{_HOURS}|{_MINUTES}|{_SECONDS})"
_DAYS = "[0-9]+D"
_MONTHS_AND_DAYS = f"[0-9]+M(?:{_DAYS})?"
_YEARS = f"[0-9]+Y(?:{_MONTHS_AND_DAYS})?"

ALL_PATTERNS = PATTERNS | {
    "duration": f"^P(?:(?:{_YEARS}|{_MONTHS_AND_DAYS}|{_DAYS})(?:{_CLOCK})?|{_CLOCK}|[0-9]+W)$",
    "email": f"^{_LOCAL}@(?:{_DOMAIN}|\\[(?:{_IPV4}|IPv6:{_IPV6})\\])$",
    "hostname": f"^{_DOMAIN}$",
    "uri": _reference("", is_absolute=True),
    "uuid": "^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
}
"""All formats that are regular: RFC 3339's durations, RFC 5321's mailboxes, RFC 1123's host names, RFC 4122's UUIDs."""

LENGTHS = {"hostname": 253}
"""Longest text of a format, in characters, in addition to its pattern."""
