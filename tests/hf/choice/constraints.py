"""A regex and a JSON schema, shared by the tests of guards and of other projects' processors."""

REGEX = r"(ab|cd|0[1-9]{2}){3,5}"
SCHEMA = {
    "type": "object",
    "properties": {
        "a": {"type": "string", "pattern": "^[0-9]{2,6}$"},
        "b": {"enum": ["ab", "lo"]},
        "n": {"type": "boolean"},
    },
    "required": ["a", "b"],
    "additionalProperties": False,
}
