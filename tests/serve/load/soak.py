"""A soak test: many clients send requests to a real service over sockets for a while, and some disconnect.

    python -m tests.serve.load.soak --seconds 1200 --clients 8
    python -m tests.serve.load.soak --dropped 200 --seconds 0

Prints memory, threads and open sockets of the service as it goes, and latencies at the end. Exit code 1 if an answer is
a server error, if memory has grown in the second half of the time, or if something is left.
"""

import argparse
import asyncio
import json
import random
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from ngramspec.pico.demo_inputs import demo_inputs

START = "from ngramspec.cli import app; app()"
GROWTH = 1.05
"""By so much memory may grow from the middle of the time to its end."""

SCHEMAS = [
    {"type": "object", "properties": {name: {"type": kind}}, "required": [name], "additionalProperties": False}
    for name in ("order", "quantity", "price", "buyer", "ship_to")
    for kind in ("string", "integer", "boolean", "null")
]


@dataclass
class Seen:
    """What the clients have seen; times in seconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    num_gone: int = 0
    first: list[float] = field(default_factory=list)
    per_token: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)


class Process:
    """The service, in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process, self.url = process, url

    @classmethod
    async def start(cls, model: str, max_cache_bytes: int) -> "Process":
        """Returns once the model is loaded."""
        command = [sys.executable, "-c", START, "serve", "--model", model, "--port", "0", "--max-waiting", "300"]
        command += ["--max-cache-bytes", str(max_cache_bytes)]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        return cls(process, line.strip().rpartition(" at ")[2].removesuffix("/v1"))

    def figures(self) -> dict[str, int]:
        """Resident memory in KiB, threads, and open files of the service itself."""
        home = Path(f"/proc/{self.process.pid}")
        lines = (line.partition(":") for line in (home / "status").read_text().splitlines())
        status = {name: rest.split() for name, _, rest in lines}
        return {
            "KiB": int(status["VmRSS"][0]),
            "threads": int(status["Threads"][0]),
            "files": len(list((home / "fd").iterdir())),
        }

    async def stop(self) -> int:
        """The exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()


def body_of(choose: random.Random, model: str) -> dict[str, Any]:
    """A request for a chat: free or guarded, greedy or drawn, with and without drafts."""
    job = choose.choice(demo_inputs())
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": job.prompt.removesuffix("\n### answer\n")}],
        "max_tokens": choose.randint(1, 60),
        "stream": True,
        "stream_options": {"include_usage": True},
        "speculate": choose.random() < 0.9,
        "metadata": {"segment": choose.choice(["a", "b", "c"])},
    }
    if choose.random() < 0.3:
        schema = {"name": "answer", "schema": choose.choice(SCHEMAS)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if choose.random() < 0.5:
        body |= {"temperature": 1, "seed": choose.randint(0, 9)}
    if choose.random() < 0.2:
        body["prediction"] = {"type": "content", "content": job.expected}
    return body


async def ask(http: httpx2.AsyncClient, body: dict[str, Any], seen: Seen, goes_after: int | None) -> None:
    """One request; goes_after: chunks after which the client goes."""
    began = time.perf_counter()
    async with http.stream("POST", "/v1/chat/completions", json=body) as response:
        seen.statuses[response.status_code] += 1
        num_chunks, first, usage = 0, None, None
        async for line in response.aiter_lines():
            if not line.startswith("data: {"):
                continue
            chunk, num_chunks = json.loads(line.removeprefix("data: ")), num_chunks + 1
            if num_chunks == goes_after:
                seen.num_gone += 1
                return
            if first is None and chunk.get("choices") and chunk["choices"][0]["delta"].get("content"):
                first = time.perf_counter()
            usage = chunk.get("usage") or usage
    if first is not None and usage is not None:
        ended = time.perf_counter()
        seen.first.append(first - began)
        seen.whole.append(ended - began)
        if usage["completion_tokens"] > 1:
            seen.per_token.append((ended - first) / (usage["completion_tokens"] - 1))


async def drop(http: httpx2.AsyncClient, model: str, number: int, seen: Seen) -> None:
    """Clients that all go in mid-stream, at once."""
    choose = random.Random(1)
    bodies = [body_of(choose, model) | {"max_tokens": 200, "ignore_eos": True} for _ in range(number)]
    for body in bodies:
        body.pop("response_format", None)
    await asyncio.gather(*(ask(http, body, seen, 1 + choose.randint(0, 5)) for body in bodies))


async def nothing_runs(http: httpx2.AsyncClient) -> bool:
    """Whether no answer is decoded or waits, after ten seconds at the most."""
    for _ in range(100):
        lines = (await http.get("/metrics")).text.splitlines()
        if sum(float(line.split()[-1]) for line in lines if line.startswith("vllm:num_requests_")) == 0:
            return True
        await asyncio.sleep(0.1)
    return False


async def soak(service: Process, http: httpx2.AsyncClient, arguments: argparse.Namespace, seen: Seen) -> list[int]:
    """Memory over the time, in KiB."""
    ends, memory = time.monotonic() + arguments.seconds, []

    async def client(number: int) -> None:
        choose = random.Random(number)
        while time.monotonic() < ends:
            goes_after = choose.randint(1, 6) if choose.random() < arguments.going else None
            await ask(http, body_of(choose, arguments.model), seen, goes_after)

    async def watch() -> None:
        while time.monotonic() < ends:
            await asyncio.sleep(min(arguments.seconds / 20, 60))
            figures = service.figures()
            memory.append(figures["KiB"])
            print(figures, sum(seen.statuses.values()), "requests", flush=True)

    await asyncio.gather(watch(), *map(client, range(arguments.clients)))
    return memory


def percentiles(name: str, values: list[float]) -> str:
    """The median and the 95th percentile, in milliseconds."""
    ordered = sorted(values)
    at = [1000 * ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.95)]
    return f"{name}: p50 {at[0]:.1f} ms, p95 {at[1]:.1f} ms ({len(values)})"


async def main(arguments: argparse.Namespace) -> int:
    """The exit code."""
    service, seen, wrong = await Process.start(arguments.model, arguments.cache_bytes), Seen(), []
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(base_url=service.url, timeout=None, limits=limits) as http:
        await asyncio.gather(*(ask(http, body_of(random.Random(n), arguments.model), seen, None) for n in range(40)))
        before = service.figures()
        print("warm", before)
        after_drops = []
        for _ in range(3):  # the first one fills the cache to its bound; the others take nothing more
            await drop(http, arguments.model, arguments.dropped, seen)
            if not await nothing_runs(http):
                wrong.append("answers are left")
            after_drops.append(service.figures())
            print("dropped", seen.num_gone, after_drops[-1], dict(seen.statuses), flush=True)
        if after_drops[-1]["KiB"] > GROWTH * after_drops[0]["KiB"]:
            wrong.append("memory grows with clients that go")
        memory = await soak(service, http, arguments, seen) if arguments.seconds else []
        if not await nothing_runs(http):
            wrong.append("answers are left")
    await asyncio.sleep(1)
    after = service.figures()
    print("after", after, dict(seen.statuses), "gone", seen.num_gone)
    if after["files"] > before["files"]:
        wrong.append("sockets are left")
    if memory and memory[-1] > GROWTH * memory[len(memory) // 2]:
        wrong.append("memory grows")
    if any(status >= 500 for status in seen.statuses):
        wrong.append("server errors")
    code = await service.stop()
    if code not in (0, -signal.SIGTERM):  # the server ends by the signal that it was sent
        wrong.append(f"exit code {code}")
    for name in ("first", "per_token", "whole"):
        print(percentiles(name, getattr(seen, name)))
    print("wrong:", wrong or "nothing")
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pico")
    parser.add_argument("--cache-bytes", type=int, default=1 << 30, help="of keys and values, kept prefixes included")
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--dropped", type=int, default=200, help="clients that go at once, before the soak")
    parser.add_argument("--going", type=float, default=0.2, help="share of the clients that go during it")
    sys.exit(asyncio.run(main(parser.parse_args())))
