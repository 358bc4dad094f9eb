"""Hypothesis strategies for constrained decoding; they need hypothesis: `pip install 'ngramspec[fuzz]'`.

>>> from hypothesis import given, strategies as st
>>> from ngramspec.testing.strategies import json_schemas, vocabularies
>>> @given(st.data())                                                             # doctest: +SKIP
... def test_my_guard(data):
...     schema = data.draw(json_schemas())              # a Constraint, with texts that fit it and texts that do not
...     vocabulary = data.draw(vocabularies(schema.valid))      # what such texts are cut into, and tokens that are hard
...     assert_valid(schema.guard(vocabulary), schema.valid[0])
"""

try:
    import hypothesis as _hypothesis  # noqa: F401
except ImportError as error:
    raise ImportError("ngramspec.testing.strategies needs hypothesis: pip install 'ngramspec[fuzz]'") from error

from ngramspec.testing.strategies.combined import (
    combined_constraint,
    combined_schema,
    combined_schemas,
    json_value,
    spellings,
)
from ngramspec.testing.strategies.grammars import grammars
from ngramspec.testing.strategies.mutants import constraints, mutants
from ngramspec.testing.strategies.regexes import regexes
from ngramspec.testing.strategies.schemas import json_schemas
from ngramspec.testing.strategies.slips import slips
from ngramspec.testing.strategies.vocabularies import tokens, vocabularies

__all__ = [
    "combined_constraint", "combined_schema", "combined_schemas", "constraints", "grammars", "json_schemas",
    "json_value", "mutants", "regexes", "slips", "spellings", "tokens", "vocabularies",
]  # fmt: skip
