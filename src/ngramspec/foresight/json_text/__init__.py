"""JSON that fits a schema: punctuation and names by the schema, values by the prompt."""

from ngramspec.foresight.json_text.text import JsonText

__all__ = ["JsonText"]
