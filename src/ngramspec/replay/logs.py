"""Request logs of OpenAI's chat completions: the body that was sent, and the one that came back."""

from typing import Any

from ngramspec.errors import TraceError, shortened
from ngramspec.files.checking import checked_number

MOST_SECONDS = 1e12
"""Latest time of a request, in seconds; Unix time is far below."""


def is_log(row: dict[str, Any]) -> bool:
    """Whether the row has a request and its response, and nothing else that says what was asked and answered."""
    return row.keys() >= {"request", "response"} and row.keys().isdisjoint(("prompt", "prompt_ids", "messages"))


def chat_of_log(row: dict[str, Any], where: str) -> dict[str, Any]:
    """The row of a chat whose last message is the first choice of the response; other keys of the row are kept.

    Its `arrival_s` is the response's `created`, a number of seconds, unless the row has its own. Raises TraceError for
    bodies of another form.
    """
    request, response = row["request"], row["response"]
    if not isinstance(request, dict) or not isinstance(request.get("messages"), list):
        raise TraceError(
            f'{where}: request must be the body that was sent, {{"messages": [message, …]}}, got {shortened(request)};'
            " log it as it was, or leave the row out"
        )
    choices = response.get("choices") if isinstance(response, dict) else None
    message = choices[0].get("message") if isinstance(choices, list) and choices and _is_object(choices[0]) else None
    if not isinstance(message, dict):
        raise TraceError(
            f'{where}: response must be the body that came back, {{"choices": [{{"message": …}}]}}, got'
            f" {shortened(response)}; log it as it was, or leave the row out"
        )
    read = {key: value for key, value in row.items() if key not in ("request", "response")}
    read["messages"] = [*request["messages"], message]
    if request.get("tools") is not None:
        read["tools"] = request["tools"]
    if type(response.get("created")) in (int, float):
        read.setdefault("arrival_s", response["created"])
    return read


def arrival_of(row: dict[str, Any], where: str) -> float | None:
    """When the request of a row came: its `arrival_s`, in seconds after any fixed time. None without it.

    Raises TraceError unless it is a number from 0 to MOST_SECONDS.
    """
    if row.get("arrival_s") is None:
        return None
    try:
        return checked_number(row["arrival_s"], "arrival_s", 0.0, MOST_SECONDS)
    except ValueError as error:
        raise TraceError(f"{where}: {error}; write the seconds after the first request, or leave it out") from error


def _is_object(value: object) -> bool:
    return isinstance(value, dict)
