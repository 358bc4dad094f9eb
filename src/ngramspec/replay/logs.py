"""Request logs of OpenAI's API, chat or completions: the body of each request and of its response."""

from typing import Any

from ngramspec.errors import TraceError, shortened
from ngramspec.files.checking import checked_number

MOST_SECONDS = 1e12
"""Latest time of a request, in seconds; Unix time is far below."""


def is_log(row: dict[str, Any]) -> bool:
    """Whether the row has a request and its response, and no other keys for prompts and answers."""
    return row.keys() >= {"request", "response"} and row.keys().isdisjoint(("prompt", "prompt_ids", "messages"))


def row_of_log(row: dict[str, Any], where: str) -> dict[str, Any]:
    """The row of a chat whose last message is the first choice of the response, or of a prompt and its output.

    Other keys of the row are kept. Bodies may be wrapped as in the Batch API (`{"body": …}`). `arrival_s` is the
    response's `created`, a number of seconds, and `schema` the one of the request's `response_format`, unless the row
    has its own. Raises TraceError for bodies of another form.
    """
    request, response = _body(row["request"]), _body(row["response"])
    prompt = request.get("messages", request.get("prompt")) if isinstance(request, dict) else None
    if not isinstance(request, dict) or not isinstance(prompt, list if "messages" in request else str):
        raise TraceError(
            f'{where}: request must be the body that was sent, {{"messages": [message, …]}} or {{"prompt": text}}, got'
            f" {shortened(request)}; log it as it was, or leave the row out"
        )
    choices = response.get("choices") if isinstance(response, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    answer = choice.get("message" if "messages" in request else "text")
    if not isinstance(answer, dict if "messages" in request else str):
        raise TraceError(
            f'{where}: response must be the body that came back, {{"choices": [{{"message": …}}]}} or {{"choices":'
            f' [{{"text": …}}]}}, got {shortened(response)}; log it as it was, or leave the row out'
        )
    read = {key: value for key, value in row.items() if key not in ("request", "response")}
    if "messages" in request:
        read["messages"] = [*prompt, answer]
        if request.get("tools") is not None:
            read["tools"] = request["tools"]
    else:
        read["prompt"], read["output"] = prompt, answer
    if type(response.get("created")) in (int, float):
        read.setdefault("arrival_s", response["created"])
    schema = _schema_of(request)
    if schema is not None:
        read.setdefault("schema", schema)
    return read


def _body(value: object) -> Any:
    """The body without the envelope of the Batch API."""
    return value["body"] if isinstance(value, dict) and isinstance(value.get("body"), dict) else value


def _schema_of(request: dict[str, Any]) -> object:
    """The schema that the answer had to fit, if the request names one."""
    form = request.get("response_format")
    named = form.get("json_schema") if isinstance(form, dict) and form.get("type") == "json_schema" else None
    return named.get("schema") if isinstance(named, dict) else None


def arrival_of(row: dict[str, Any], where: str) -> float | None:
    """When the request of a row arrived: its `arrival_s`, in seconds after any fixed time. None without it.

    Raises TraceError unless it is a number from 0 to MOST_SECONDS.
    """
    if row.get("arrival_s") is None:
        return None
    try:
        return checked_number(row["arrival_s"], "arrival_s", 0.0, MOST_SECONDS)
    except ValueError as error:
        raise TraceError(f"{where}: {error}; write the seconds after the first request, or leave it out") from error
