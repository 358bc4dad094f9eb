"""vLLM's API server with our scheduler: counters by segment, dropped streams, a history, and no process left."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("vllm")

import psutil

from tests.vllm.inside import NULL

START_SECONDS = 300


@contextmanager
def server(model: Path, history: Path) -> Iterator[str]:
    """The address of a server; it is ended by SIGTERM, and all its processes with it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model), "--dtype", "float32"),
        *("--enforce-eager", "--max-model-len", "192", "--max-num-seqs", "8", "--port", str(port)),
        *("--host", "127.0.0.1", "--kv-cache-memory-bytes", str(1 << 26), "--served-model-name", "tiny"),
        *("--scheduler-cls", "ngramspec.vllm.Scheduler", "--speculative-config", json.dumps(NULL)),
        *("--additional-config", json.dumps({"ngramspec": {"history": str(history)}})),
    ]
    environment = os.environ | {"VLLM_ENABLE_V1_MULTIPROCESSING": "1", "VLLM_NO_USAGE_STATS": "1"}
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(command, env=environment)
    try:
        _wait_for(address, process)
        workers = psutil.Process(process.pid).children(recursive=True)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert len(workers) > 0
    assert [] == psutil.wait_procs(workers, timeout=60)[1]


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(START_SECONDS):
        assert process.poll() is None
        try:
            got(f"{address}/health")
            return
        except OSError:
            time.sleep(1)
    raise TimeoutError(f"no server after {START_SECONDS} s")


def got(address: str) -> str:
    with urllib.request.urlopen(address, timeout=60) as answer:
        text: str = answer.read().decode()
        return text


def asked(address: str, **fields: Any) -> Any:
    body = {"model": "tiny", "prompt": [*range(40, 90)], "temperature": 0, "ignore_eos": True, **fields}
    request = urllib.request.Request(
        f"{address}/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    return urllib.request.urlopen(request, timeout=120)


def metric(address: str, name: str) -> float:
    lines = [line for line in got(f"{address}/metrics").splitlines() if line.startswith(name)]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def eventually(address: str, name: str, expected: float) -> float:
    """The value of a metric, once it is as expected, or after a minute."""
    for _ in until(lambda: metric(address, name) == expected):
        pass
    return metric(address, name)


def test_a_server_counts_by_segment_survives_dropped_streams_and_keeps_its_history(model: Path, tmp_path: Path) -> None:
    history = tmp_path / "history"
    with server(model, history) as address:
        empty = history.stat().st_size
        mail = {"vllm_xargs": {"segment": "mail"}}
        texts = [json.load(asked(address, max_tokens=100, **mail))["choices"][0]["text"] for _ in range(4)]
        assert 1 == len(set(texts))
        assert 400 == eventually(address, 'ngramspec:tokens_total{engine="0",model_name="tiny",segment="mail"}', 400)
        assert 0 < metric(address, "ngramspec:accepted_tokens_total")
        assert metric(address, "ngramspec:accepted_tokens_total") == metric(
            address, "vllm:spec_decode_num_accepted_tokens_total"
        )
        form = {"structured_outputs": {"regex": "[ab]{9}"}, "ignore_eos": False, "vllm_xargs": {"segment": "form"}}
        assert 9 == len(json.load(asked(address, max_tokens=100, **form))["choices"][0]["text"])
        of_form = '{engine="0",model_name="tiny",outcome="complete",segment="form"}'
        assert 1 == eventually(address, f"ngramspec:guarded_requests_total{of_form}", 1)
        for phase, segment in (("drafting", "mail"), ("steering", "form"), ("verifying", "mail")):
            labels = f'engine="0",model_name="tiny",phase="{phase}",segment="{segment}"'
            assert 0 < metric(address, f"ngramspec:time_seconds_total{{{labels}}}")
        assert 0 == metric(address, "ngramspec:drifts_total")
        for first in range(0, 50, 10):
            numbers = range(first, first + 10)  # more than are decoded at once
            streams = [
                asked(address, max_tokens=140, stream=True, prompt=[*range(40 + number, 60 + number)])
                for number in numbers
            ]
            for number, stream in zip(numbers, streams, strict=True):
                if number % 3:
                    stream.readline()
                stream.close()
        assert 0 == eventually(address, "vllm:num_requests_running", 0)
        assert 0 == metric(address, "vllm:num_requests_waiting")
        assert 0 == metric(address, "ngramspec:drafting_errors_total")
        assert texts[0] == json.load(asked(address, max_tokens=100))["choices"][0]["text"]
        for _ in until(lambda: history.stat().st_size > empty):
            pass
        assert history.stat().st_size > empty


def until(holds: Callable[[], bool]) -> Iterator[None]:
    """A second at a time, for a minute at most."""
    for _ in range(60):
        if holds():
            return
        time.sleep(1)
        yield
