"""Hooks of schemathesis: most bodies name the served model, so that validation gets past that field.

    ngramspec serve --max-tokens 64 --max-seconds 20 &
    SCHEMATHESIS_HOOKS=tests/serve/load/schemathesis_hooks.py schemathesis run http://127.0.0.1:8000/openapi.json \\
        --checks not_a_server_error --mode all --max-time 300
"""

import os
from typing import Any

import schemathesis  # type: ignore[import-not-found]  # by hand

MODEL = os.environ.get("NGRAMSPEC_MODEL", "pico")


@schemathesis.hook  # type: ignore[untyped-decorator]
def map_body(context: Any, body: Any) -> Any:
    """Nine bodies of ten ask the served model, for few tokens."""
    if isinstance(body, dict) and hash(repr(body)) % 10:
        body["model"] = MODEL
        if isinstance(body.get("max_tokens"), int) and body["max_tokens"] > 0:
            body["max_tokens"] %= 32
    return body
