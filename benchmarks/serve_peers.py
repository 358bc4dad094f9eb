"""The servers that `serve_load` compares: how each is started, and its own request fields."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

PATIENCE = 300.0
"""Seconds after which a server that does not answer is given up."""

_LLAMA_CPP = """
import sys, threading, xllamacpp
path, port, lookup, threads = sys.argv[1:]
params = xllamacpp.CommonParams()
params.model.path, params.port, params.n_parallel, params.n_ctx = path, int(port), 32, 32 * 2048
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = int(threads)
if lookup == "lookup":
    params.speculative.types = [xllamacpp.common_speculative_type.COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE]
server = xllamacpp.Server(params)
threading.Event().wait()
"""
"""llama.cpp's own server, from the package that contains it. Its `ngram-simple` is prompt lookup."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server at `url`. extras: its own body fields, besides the common ones."""

    name: str
    url: str
    pid: int
    extras: Mapping[str, Any] = field(default_factory=dict)

    def cpu_seconds(self) -> float:
        """CPU time of its process so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def has_llama_cpp() -> bool:
    """Whether llama.cpp's server can be started here."""
    return find_spec("xllamacpp") is not None and find_spec("gguf") is not None


@contextmanager
def running(name: str, folder: Path, weights: Path | None, log: Path) -> Iterator[Server]:
    """A server, once it answers; `log` gets its output. "undrafted" is ours, with `speculate: false` in requests."""
    port = _free_port()
    command = _command(name, folder, weights, port)
    env = os.environ | {"OMP_NUM_THREADS": str(_cores()), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    with log.open("wb") as out, subprocess.Popen(command, env=env, stdout=out, stderr=out) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(process, url, log)
            yield Server(name, url, process.pid, {"speculate": False} if name == "undrafted" else {})
        finally:
            process.kill()


def _command(name: str, folder: Path, weights: Path | None, port: int) -> list[str]:
    if name.startswith("llama.cpp"):
        lookup = "lookup" if name.endswith("lookup") else "plain"
        return [sys.executable, "-c", _LLAMA_CPP, str(weights), str(port), lookup, str(_cores())]
    if name.startswith("transformers"):
        start = "from transformers.cli.transformers import app; app()"
        batching = ["--continuous-batching"] if name.endswith("batching") else []
        return [
            sys.executable,
            "-c",
            start,
            "serve",
            str(folder),
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            *batching,
        ]
    start = "from ngramspec.cli import main; main()"
    return [sys.executable, "-c", start, "serve", "--model", str(folder), "--port", str(port)]


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends and process.poll() is None:
        try:
            with urlopen(f"{url}/v1/models", timeout=5) as told:
                if told.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.2)
    raise SystemExit(f"a server must answer within {PATIENCE:g} s, got none: see {log}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _cores() -> int:
    return len(os.sched_getaffinity(0))
