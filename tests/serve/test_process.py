"""`ngramspec serve` as a process, over a real socket; and the claims of docs/serving.md."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from ngramspec.cli.endings import BUG
from ngramspec.pico import extract_prompt, repeat_prompt
from tests.serve.families import HERMES, OPENS
from tests.serve.serving import NAME, Reply, generated, serving, text_of

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
PATIENCE = 120
"""Seconds until something counts as hanging; nobody waits that long."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


PROGRAM = "from ngramspec.cli import main; main()"


@contextmanager
def process(*arguments: str, program: str = PROGRAM) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A service on a free port, once it is ready; and the address that it prints."""
    command = [sys.executable, "-c", program, "serve", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as served:
        try:
            assert served.stdout is not None
            line = served.stdout.readline()
            yield served, line
        finally:
            served.kill()


def asked(address: str, path: str, body: Any = None, key: str | None = None) -> Any:
    headers = {"Content-Type": "application/json"} | ({} if key is None else {"Authorization": f"Bearer {key}"})
    data = None if body is None else json.dumps(body).encode()
    return urlopen(Request(address + path, data, headers), timeout=PATIENCE)


def address_in(line: str) -> str:
    return line.split(" at ")[1].strip().removesuffix("/v1")


def test_the_first_commands_of_the_page_serve_pico() -> None:
    install, first = blocks("console")[0].splitlines()[0:2]
    assert ("$ pip install 'ngramspec[serve]'", "$ ngramspec serve") == (install, first.split("  ")[0])
    shown = blocks("console")[0].splitlines()[2]
    body = json.loads(re.findall(r"-d '(.*)'", blocks("console")[1], re.DOTALL)[0])
    with process() as (served, line):
        assert re.sub(r":\d+/", ":8000/", shown) == re.sub(r":\d+/", ":8000/", line.strip())
        reply = json.load(asked(address_in(line), "/v1/chat/completions", body))
        expected = generated(repeat_prompt("One line, and one more."), max_new_tokens=200)
        assert text_of(expected) == reply["choices"][0]["message"]["content"]
        served.send_signal(signal.SIGINT)
        assert 130 == served.wait(PATIENCE)


def test_answers_in_progress_are_completed_on_sigterm() -> None:
    body = {"model": NAME, "prompt": "a", "max_tokens": 600, "ignore_eos": True, "speculate": False, "stream": True}
    with process() as (served, line), asked(address_in(line), "/v1/completions", body) as stream:
        events = [stream.readline()]
        served.send_signal(signal.SIGTERM)
        events += [each for each in stream if each.strip()]
        assert b"data: [DONE]\n" == events[-1]
        assert "length" == json.loads(events[-2].removeprefix(b"data: "))["choices"][0]["finish_reason"]
        assert -signal.SIGTERM == served.wait(PATIENCE)
        assert served.stderr is not None
        assert "" == served.stderr.read()


LOSING = f"""
from ngramspec.hf.target.ragged import RaggedTarget

def loses(self, plans):
    self._model.to("meta")  # which has no numbers
    return read(self, plans)

read, RaggedTarget.read = RaggedTarget.read, loses
{PROGRAM}
"""


def test_a_process_whose_device_is_lost_ends_and_says_so() -> None:
    with process(program=LOSING) as (served, line):
        with pytest.raises(HTTPError, match="503"):
            asked(address_in(line), "/v1/completions", {"model": NAME, "prompt": "One line.\n"})
        _, complaint = served.communicate(timeout=PATIENCE)
    assert BUG == served.returncode
    assert "meta" in complaint


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_closes_its_connection_frees_its_row(stream: bool) -> None:
    fields = {"model": NAME, "prompt": "a", "max_tokens": 900, "ignore_eos": True, "speculate": False}
    body = json.dumps({**fields, "stream": stream}).encode()
    with process() as (_, line):
        address = address_in(line)
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), PATIENCE) as client:
            client.sendall(
                b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            until(lambda: metric(address, "vllm:generation_tokens_total") > 0)
        until(lambda: metric(address, "vllm:num_requests_running") == 0)
        assert metric(address, "vllm:generation_tokens_total") < 900


def until(is_so: Callable[[], bool]) -> None:
    """Wait for what is sure to come; fails where it does not."""
    ends = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < ends


def metric(address: str, name: str) -> float:
    found = re.search(rf"^{name}{{.*}} (\S+)$", asked(address, "/metrics").read().decode(), re.MULTILINE)
    assert found is not None
    return float(found[1])


def test_tenants_are_those_of_the_page(tmp_path: Path) -> None:
    command, *keys, start = [line for line in blocks("console")[2].splitlines() if line]
    assert ("$ cat keys", "$ ngramspec serve --api-keys keys") == (command, start)
    (tmp_path / "keys").write_text("\n".join(keys) + "\n", encoding="utf-8")
    (key,) = re.findall(r"Authorization: Bearer (\S+)`", PAGE)
    with process("--api-keys", str(tmp_path / "keys"), "--name", "mine") as (_, line):
        listed = json.load(asked(address_in(line), "/v1/models", key=key))
        assert ["mine"] == [card["id"] for card in listed["data"]]
        with pytest.raises(HTTPError, match="401"):
            asked(address_in(line), "/v1/models")


def test_every_field_that_the_page_shows_is_served() -> None:
    fields = [json.loads(block) for block in blocks("json")]
    assert len(fields) >= 12
    prompt = extract_prompt(
        "Deliver to Turin. The order number is B/20934. Quantity: 12.", {"order": "", "quantity": 0}
    )

    async def ask() -> list[Reply]:
        async with serving(chat_template=f"{HERMES}{OPENS}") as client:
            return await asyncio.gather(
                *(
                    client.chat(prompt, max_tokens=60, **each)
                    if each.keys() & {"tools", "thinking_token_budget"}
                    else client.complete(prompt, max_tokens=40, **each)
                    for each in fields
                )
            )

    for each, reply in zip(fields, asyncio.run(ask()), strict=True):
        assert 200 == reply.status, each
        assert reply.events if each.get("stream") else reply.json["choices"][0]


def test_every_metric_of_the_page_is_there() -> None:
    async def ask() -> str:
        async with serving() as client:
            await client.complete(repeat_prompt("a b c d e f g"), max_tokens=40, metadata={"segment": "s"})
            return b"".join((await client.ask("/metrics")).pieces).decode()

    text = asyncio.run(ask())
    named = re.findall(r"`((?:vllm|ngramspec):\w+)`", PAGE)
    assert len(named) >= 13
    assert [] == [name for name in named if name not in text]


def test_every_option_of_the_page_is_one_of_the_command() -> None:
    command = [sys.executable, "-c", "from ngramspec.cli import main; main()", "serve", "--help"]
    shown = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"COLUMNS": "200"}
    ).stdout
    options = set(re.findall(r"`(--[a-z-]+)`", PAGE))
    assert len(options) >= 9
    assert set() == {option for option in options if option not in shown}
