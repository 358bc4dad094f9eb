r"""Unicode properties, `\p{…}`: their names in Rust's regex crate, and which characters that JSON escapes have them.

For all other characters the crate's tables decide.
"""

import unicodedata

from ngramspec.guards.schemas.patterns import PatternError

CATEGORIES = {
    "Letter": "L", "Cased_Letter": "LC", "Uppercase_Letter": "Lu", "Lowercase_Letter": "Ll", "Titlecase_Letter": "Lt",
    "Modifier_Letter": "Lm", "Other_Letter": "Lo", "Mark": "M", "Combining_Mark": "M", "Nonspacing_Mark": "Mn",
    "Spacing_Mark": "Mc", "Enclosing_Mark": "Me", "Number": "N", "Decimal_Number": "Nd", "digit": "Nd",
    "Letter_Number": "Nl", "Other_Number": "No", "Punctuation": "P", "punct": "P", "Connector_Punctuation": "Pc",
    "Dash_Punctuation": "Pd", "Open_Punctuation": "Ps", "Close_Punctuation": "Pe", "Initial_Punctuation": "Pi",
    "Final_Punctuation": "Pf", "Other_Punctuation": "Po", "Symbol": "S", "Math_Symbol": "Sm", "Currency_Symbol": "Sc",
    "Modifier_Symbol": "Sk", "Other_Symbol": "So", "Separator": "Z", "Space_Separator": "Zs", "Line_Separator": "Zl",
    "Paragraph_Separator": "Zp", "Other": "C", "Control": "Cc", "cntrl": "Cc", "Format": "Cf", "Private_Use": "Co",
    "Unassigned": "Cn",
}  # fmt: skip
SHORT = set(CATEGORIES.values())
SCRIPTS = {"Script": "sc", "sc": "sc", "Script_Extensions": "scx", "scx": "scx"}
COMMON = {"Common", "Zyyy"}
OF_ALL = {"Any", "ASCII", "Assigned"}
OF_SPACES = {"White_Space", "space"}
OF_NONE = {"Alphabetic", "Alpha", "Lowercase", "Lower", "Uppercase", "Upper", "ASCII_Hex_Digit", "AHex"}


def rust_name(name: str) -> str:
    r"""The name of a property, `p{L}` or `P{L}`, in Rust's regex crate. Raises PatternError for an unknown one."""
    sign, said = name[0], name[2:-1]
    kind, equals, value = said.rpartition("=")
    if kind in SCRIPTS:
        return f"{sign}{{{SCRIPTS[kind]}={value}}}"
    category = CATEGORIES.get(value, value)
    if kind in ("", "General_Category", "gc") and category in SHORT:
        return f"{sign}{{{category}}}"
    if not equals and said in OF_ALL | OF_SPACES | OF_NONE:
        return f"{sign}{{{said}}}"
    raise PatternError(f"the property {said!r}, which is not known here")


def has_property(code: int, name: str) -> bool:
    """Whether `code`, a character that JSON escapes, has a known property."""
    said = name[2:-1]
    _, equals, value = said.rpartition("=")
    if equals:
        has = value in COMMON
    elif said in SHORT:
        has = unicodedata.category(chr(code)).startswith(said)
    else:
        has = said in OF_ALL or (said in OF_SPACES and chr(code) in "\t\n\v\f\r ")
    return has != (name[0] == "P")
