"""`ngramspec serve`: an OpenAI-compatible service with one model."""

import asyncio
import socket
import warnings
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ngramspec.cli.budgets import Costs
from ngramspec.cli.models import Loaded
from ngramspec.errors import GuardWarning, NgramspecError
from ngramspec.files.reading import Bounds
from ngramspec.printing import named, on_one_line
from ngramspec.serve.settings import Settings

if TYPE_CHECKING:
    from ngramspec.serve.app.service import Service

MAX_BYTES = 1 << 20
"""Limit of a file with keys or a template, in bytes."""

SPARE_CONNECTIONS = 256
"""Connections beyond those of requested answers: for pages, metrics, bodies in progress, and idle clients."""

POLL_SECONDS = 0.01
"""Time between two checks of whether the server has started, which it does not report."""

DEFAULTS = Settings(name="")


def serve(
    model: Annotated[str, typer.Option(help="pico, a model's folder, or its name on the hub.")] = "pico",
    name: Annotated[str | None, typer.Option(help="The model's name in requests, by default as in --model.")] = None,
    host: Annotated[str, typer.Option(help="The address to listen at; by default this machine alone.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one, which is printed.")] = 8000,
    api_keys: Annotated[
        str | None, typer.Option(help="A file with a tenant's name and its key, separated by a blank, on each line.")
    ] = None,
    chat_template: Annotated[str | None, typer.Option(help="A file with the template for chats.")] = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option(help="A web page that may call the service, such as https://example.org.")
    ] = None,
    history: Annotated[
        Path | None, typer.Option(help="A file that keeps what segments have learnt when the service ends.")
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(help="A file to which each answer is appended with its prompt, for replay and simulate."),
    ] = None,
    max_rows: Annotated[int, typer.Option(min=1, help="Answers that are decoded at once.")] = DEFAULTS.max_rows,
    max_waiting: Annotated[
        int, typer.Option(min=0, help="Answers that wait; those beyond get 429.")
    ] = DEFAULTS.max_waiting,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = DEFAULTS.max_tokens,
    max_cache_bytes: Annotated[
        int, typer.Option(min=1, help="Of keys, values and running states of all answers.")
    ] = DEFAULTS.max_cache_bytes,
    max_body_bytes: Annotated[int, typer.Option(min=1, help="Of a request.")] = DEFAULTS.max_body_bytes,
    max_seconds: Annotated[
        float, typer.Option(min=0.001, help="Until an answer must be complete, waiting included.")
    ] = DEFAULTS.max_seconds,
    drain_seconds: Annotated[int, typer.Option(min=0, help="On SIGTERM: for answers in progress to end.")] = 30,
    costs: Costs = None,
) -> None:
    """Serve a model over HTTP: /v1/chat/completions, /v1/completions, /v1/responses, /v1/models, /metrics, /health.

    Texts are those of generate(), in fewer passes; see docs/serving.md. The page at / shows them come. Ends on SIGTERM
    or SIGINT, once the answers in progress are complete.
    """
    keys = {} if api_keys is None else _keys_in(api_keys)
    template = None if chat_template is None else _text_of(chat_template)
    try:
        from ngramspec.serve.app.service import Service
        from ngramspec.serve.text.chats import PICO_TEMPLATE
    except ModuleNotFoundError as error:
        raise ImportError(f"the service needs {error.name}: pip install 'ngramspec[serve]'") from error
    from ngramspec.replay.pretrained import PICO

    settings = Settings(
        name or model,
        chat_template=PICO_TEMPLATE if template is None and model == PICO else template,
        api_keys=keys,
        allow_origins=tuple(allow_origin or ()),
        is_local=not keys and _is_loopback(host),
        history=history,
        record=record,
        costs=costs,
        max_rows=max_rows,
        max_waiting=max_waiting,
        max_tokens=max_tokens,
        max_cache_bytes=max_cache_bytes,
        max_body_bytes=max_body_bytes,
        max_seconds=max_seconds,
    )
    # A keyword that looks like a mistake is the client's error, not a line in the operator's log.
    warnings.simplefilter("error", GuardWarning)
    loaded: list[Loaded] = []

    def load() -> tuple[object, object]:
        from ngramspec.cli.loading import load

        loaded.append(load(model))
        return loaded[0].model, loaded[0].tokenizer

    with _listening(host, port) as listener:
        asyncio.run(_serve(Service(load, settings), listener, loaded, drain_seconds))


async def _serve(service: "Service", listener: socket.socket, loaded: list[Loaded], drain_seconds: int) -> None:
    """Serve until a signal; raises what loading the model raised, or what ended the engine.

    A supervisor restarts a process that ends, but not one that is alive and decodes nothing.
    """
    import uvicorn

    from ngramspec.serve.app.application import application
    from ngramspec.serve.app.connections import Connection

    config = uvicorn.Config(
        application(service),
        http=Connection,
        limit_concurrency=service.admission.most + SPARE_CONNECTIONS,
        log_level="warning",
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=drain_seconds,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        await service.ready()
        address, port = listener.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        print(f"{loaded[0]} at http://{shown}:{port}/v1", flush=True)
        ended = asyncio.create_task(service.ended())
        await asyncio.wait({serving, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not serving.done() and (error := await ended) is not None:
            raise error
    except BaseException:
        while not (server.started or serving.done()):  # before that, it would end without ending the application
            await asyncio.sleep(POLL_SECONDS)
        server.should_exit = True
        raise
    finally:
        await serving


def _is_loopback(host: str) -> bool:
    """Whether an address can be reached only from this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise OSError(
            f"--host and --port must be an address of this machine that is free, got {on_one_line(host)} and {port}:"
            f" {error.strerror}: name another"
        ) from error


def _keys_in(path: str) -> dict[str, str]:
    """Tenants and their keys; raises BadParameter for any other line."""
    keys: dict[str, str] = {}
    for number, line in enumerate(_text_of(path).splitlines(), 1):
        tenant, _, key = line.strip().partition(" ")
        if not tenant or tenant.startswith("#"):
            continue
        key = key.strip()
        if not key or tenant in keys or key in keys.values() or not (key.isascii() and key.isprintable()):
            raise typer.BadParameter(
                "--api-keys must have a new tenant's name and its own key, of printable ASCII, on each line, got"
                f" another line {number} in {named(path)}"
            )
        keys[tenant] = key
    if not keys:
        raise typer.BadParameter(f"--api-keys must have at least one key, got none in {named(path)}")
    return keys


def _text_of(path: str) -> str:
    bounds = Bounds("a file with keys or a template", NgramspecError, MAX_BYTES)
    with bounds.opened(Path(path)) as file:
        content = bounds.content(file, named(path))
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise OSError(f"{named(path)} must be a file of UTF-8 text, got {error}: convert it") from error
