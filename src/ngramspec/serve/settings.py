"""The operator's configuration of a service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Names and limits of a service. A request that exceeds a limit gets an error that names it.

    name: of the model, as requests name it. chat_template: used instead of the model's own.
    api_keys: tenants by name, and their keys; without any, the service asks for none.
    allow_origins: web pages that may call the service; by default its own.
    is_local: whether all requests come from this machine, without keys; then the service has no other name.
    history: a file that keeps the histories of segments when the service ends; by default none.
    record: a file to which each answer is appended, with its prompt; by default none.
    costs: a file of pass costs, from `ngramspec calibrate` or `Speculator.save_costs`; by default none.
    max_rows: answers that are decoded at once. max_waiting: further ones that wait; any more get 429.
    max_choices: answers of one request. max_tokens: of one answer. max_prediction_tokens: of a predicted output.
    max_cache_bytes: of keys, values and running states of all answers.
    max_body_bytes: of a request. max_schema_bytes, max_compile_seconds: of the constraint on its text.
    max_seconds: from the arrival of a request to the end of its answer.
    """

    name: str
    chat_template: str | None = None
    api_keys: Mapping[str, str] = field(default_factory=dict)
    allow_origins: tuple[str, ...] = ()
    is_local: bool = False
    history: Path | None = None
    record: Path | None = None
    costs: Path | None = None
    max_rows: int = 32
    max_waiting: int = 128
    max_choices: int = 16
    max_tokens: int = 4096
    max_prediction_tokens: int = 16384
    max_cache_bytes: int = 1 << 30
    max_body_bytes: int = 1 << 20
    max_schema_bytes: int = 256 << 10
    max_compile_seconds: float = 10.0
    max_seconds: float = 600.0
