"""JSON that fits a schema: punctuation and names from the schema, values from the prompt."""

from ngramspec.foresight.json_text.text import JsonText

__all__ = ["JsonText"]
