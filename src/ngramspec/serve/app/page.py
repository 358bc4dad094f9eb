"""The page at `/`: one static file, which sends requests only to the service that it comes from."""

import base64
import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from ngramspec.pico.demo_inputs import demo_inputs

_JOBS = '<script type="application/json" id="demo">[]</script>'
_ANSWER = "\n### answer\n"
"""What follows a task in pico's prompts; in a chat its template adds it."""

_FIRST_FIELDS = re.compile(r"### extract (\{.*\})\n")


@cache
def page() -> tuple[str, dict[str, str]]:
    """The page, and headers by which a browser allows only its own script and style, and no other address."""
    source = Path(__file__).with_name("page.html").read_text("utf-8")
    jobs = json.dumps([_job(each.name, each.prompt) for each in demo_inputs()]).replace("<", "\\u003c")
    text = source.replace(_JOBS, _JOBS.replace("[]", jobs))
    [script] = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    [style] = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    policy = (
        f"default-src 'none'; connect-src 'self'; img-src data:; script-src {_digest(script)}; style-src"
        f" {_digest(style)}; style-src-attr 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return text, {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }


def _job(name: str, prompt: str) -> dict[str, Any]:
    """A demo job for the page: its task, and the schema of the record to extract."""
    fields = _FIRST_FIELDS.match(prompt)
    schema = None if fields is None else _schema_like(json.loads(fields.group(1)))
    return {"name": name, "prompt": prompt.removesuffix(_ANSWER), "schema": schema}


def _schema_like(template: dict[str, Any]) -> dict[str, Any]:
    kinds = {name: {"type": "string" if isinstance(empty, str) else "number"} for name, empty in template.items()}
    return {"type": "object", "properties": kinds, "required": list(kinds), "additionalProperties": False}


def _digest(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
