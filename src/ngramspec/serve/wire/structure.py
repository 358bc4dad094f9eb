"""Fields that constrain the form of the text: OpenAI's `response_format`, and vLLM's `structured_outputs`."""

from typing import Any, Literal

from pydantic import Field, model_validator

from ngramspec.serve.wire.base import Many, Wire

REPLACED = {
    "guided_json": "structured_outputs: {json}",
    "guided_regex": "structured_outputs: {regex}",
    "guided_choice": "structured_outputs: {choice}",
    "guided_grammar": "structured_outputs: {grammar}",
    "guided_whitespace_pattern": "structured_outputs: {whitespace_pattern}",
    "guided_decoding_backend": "nothing: the service chooses its backend",
}
"""Fields that vLLM has dropped, and what replaces them. vLLM ignores them, and the text is unconstrained."""

LANGUAGES = ("json", "regex", "choice", "grammar", "json_object")
"""Fields of `structured_outputs` that constrain a text; only one may be set."""


class JsonSchema(Wire):
    """`response_format.json_schema`. The schema is enforced whether `strict` is set or not."""

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = None
    schema_: dict[str, Any] | bool = Field(default=True, alias="schema")
    strict: bool | None = None


class ResponseFormat(Wire):
    """OpenAI's `response_format`."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    @model_validator(mode="after")
    def _has_its_schema(self) -> "ResponseFormat":
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise ValueError(
                f"response_format needs json_schema with type 'json_schema' alone, got type {self.type!r}"
                f" {'without' if self.json_schema is None else 'with'} one"
            )
        return self


class StructuredOutputs(Wire):
    """vLLM's `structured_outputs`."""

    json_: str | dict[str, Any] | bool | None = Field(default=None, alias="json")
    regex: str | None = None
    choice: Many[str] | None = Field(default=None, min_length=1)
    grammar: str | None = None
    json_object: Literal[True] | None = None
    whitespace_pattern: str | None = None
    disable_any_whitespace: bool = False

    @model_validator(mode="after")
    def _constrains_once(self) -> "StructuredOutputs":
        given = [name for name, value in self.by_name.items() if value is not None]
        if len(given) != 1:
            raise ValueError(
                f"structured_outputs must have one of {', '.join(LANGUAGES)}, got {' and '.join(given) or 'none'}"
            )
        if not self.is_json and (self.whitespace_pattern is not None or self.disable_any_whitespace):
            raise ValueError(
                "whitespace_pattern and disable_any_whitespace are about JSON, got one with"
                f" structured_outputs.{given[0]}: leave it out"
            )
        return self

    @property
    def by_name(self) -> dict[str, Any]:
        """The fields that constrain, by name."""
        return dict(zip(LANGUAGES, (self.json_, self.regex, self.choice, self.grammar, self.json_object), strict=True))

    @property
    def is_json(self) -> bool:
        """Whether the text is JSON."""
        return self.json_ is not None or self.json_object is not None


def refuse_replaced(body: Any) -> Any:
    """`body`; raises ValueError for a replaced field, and names the replacement."""
    for name, instead in REPLACED.items():
        if isinstance(body, dict) and name in body:
            raise ValueError(f"{name} constrains nothing: write {instead}")
    return body
