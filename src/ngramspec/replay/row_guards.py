"""Guards of recorded requests whose rows name a schema."""

import json
from typing import Any

from ngramspec.drafting.types import TokenArray
from ngramspec.errors import GuardError, TraceError, shortened
from ngramspec.guards import Guard, Vocabulary

MOST_SCHEMAS = 1000
"""Most different schemas of one simulation. Each is compiled, and kept."""


class RowGuards:
    """Compiles each schema once. num_unfit: answers that do not fit their schema, and so have no guard."""

    def __init__(self, vocabulary: Vocabulary | None) -> None:
        """vocabulary: of the tokenizer; None if there is none: then no row may name a schema."""
        self.num_unfit = 0
        self._vocabulary = vocabulary
        self._guards: dict[str, Guard] = {}

    def of(self, row: dict[str, Any], output: TokenArray, where: str) -> Guard | None:
        """The guard of a row with a "schema", an object or its text, whose answer is `output` `int32[n]`.

        None without a schema, and for an answer that it does not allow. Raises TraceError for a schema that no guard
        enforces, and for more than MOST_SCHEMAS of them.
        """
        schema = row.get("schema")
        if schema is None:
            return None
        guard = self._compiled(schema, where)
        try:
            guard.matcher().advance(output.tolist())
        except GuardError:
            self.num_unfit += 1
            return None
        return guard

    def _compiled(self, schema: object, where: str) -> Guard:
        if self._vocabulary is None:
            raise TraceError(
                f"{where}: a row with a schema needs a tokenizer, got none; pass --tokenizer, or leave the schema out"
            )
        text = schema if isinstance(schema, str) else json.dumps(schema)
        if text not in self._guards:
            if len(self._guards) >= MOST_SCHEMAS:
                raise TraceError(
                    f"{where}: recorded requests must name at most {MOST_SCHEMAS} different schemas, got more; leave"
                    " some rows out"
                )
            try:
                self._guards[text] = Guard.json_schema(text, self._vocabulary)
            except GuardError as error:
                raise TraceError(
                    f"{where}: schema must be one that a guard enforces, got {shortened(schema)}: {error}; correct it,"
                    " or leave it out"
                ) from error
        return self._guards[text]
