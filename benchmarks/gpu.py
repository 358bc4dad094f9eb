"""The cost of a step on a GPU: plain decoding, transformers' prompt lookup and ngramspec, on 8 B parameters.

    python -m benchmarks.gpu [--contexts 1024 4096] [--batches 1 8 32] [--rounds 3]
    python -m benchmarks.gpu --device cpu --shape tiny --contexts 64 --batches 1 2     # does it run at all?

The network has the shape of Llama-3-8B and random weights, and emits what was recorded (`ngramspec.testing`), so all
ways must emit the same text; that is asserted. There are two made-up texts. One copies runs of twelve tokens from the
prompt, with four new ones in between. In the other every draft of ten tokens is rejected: the worst case for
speculation. Ways take turns in one process. Times are from the end of the prefill on; speed-ups are ratios of medians.
"""

import argparse
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig

from ngramspec import Speculator
from ngramspec.replay import Trace
from ngramspec.testing.forwards import after_each_pass
from ngramspec.testing.replay_model import ReplayModel

EOS = 0
SHAPES: dict[str, dict[str, Any]] = {
    "8b": {  # of meta-llama/Meta-Llama-3-8B
        "vocab_size": 128_256,
        "hidden_size": 4096,
        "intermediate_size": 14_336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500_000.0},
    },
    "tiny": {
        "vocab_size": 4096,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
    },
}
TEXTS = {"copies 12 of 16": (12, 4), "every draft rejected": (1, 0)}
"""Tokens of a copied run, and new tokens that follow it."""
WAYS = ("plain", "prompt lookup", "ngramspec")


@dataclass(frozen=True, slots=True)
class Case:
    """A timed case: a kind of text, the tokens of each prompt, and the rows."""

    text: str
    context: int
    batch: int

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways to decode it; transformers' prompt lookup takes no batch."""
        return WAYS if self.batch == 1 else ("plain", "ngramspec")


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds and forward passes after the prefill, of all rows together; tokens per target pass and row, overall."""

    seconds: float
    steps: int
    tokens_per_pass: float


class Stopwatch:
    """Counts passes, and notes the end of the first one, the prefill.

    It waits for the device only there: in plain decoding the host works ahead of it, and waiting would cost time.
    """

    def __init__(self, device: torch.device) -> None:
        self.passes = 0
        self.prefilled = 0.0
        self._device = device

    def now(self) -> float:
        """Seconds, after all work of the device."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return perf_counter()

    def note(self) -> None:
        """Count a forward pass."""
        self.passes += 1
        if self.passes == 1:
            self.prefilled = self.now()


class Bench:
    """One model, and requests of all cases for it to play back."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.new_tokens: int = arguments.new_tokens
        self.requests: dict[tuple[str, int], list[int]] = {}
        rows, traces = max(arguments.batches), list[Trace]()
        shape = SHAPES[arguments.shape]
        for text, (copied, new) in TEXTS.items():
            for context in arguments.contexts:
                self.requests[text, context] = list(range(len(traces), len(traces) + rows))
                for seed in self.requests[text, context]:
                    rng = np.random.default_rng(seed)
                    traces.append(made_up(rng, shape["vocab_size"], context, copied, new, self.new_tokens))
        config = LlamaConfig(
            **shape,
            max_position_embeddings=max(arguments.contexts) + self.new_tokens + 1,
            bos_token_id=None,
            eos_token_id=EOS,
            pad_token_id=EOS,
            tie_word_embeddings=False,
        )
        self.model: Any = new_model(config, traces, arguments.device, getattr(torch, arguments.dtype))

    def run(self, case: Case, way: str) -> Run:
        """Decode the rows of `case` in one way; asserts that the made-up texts are emitted."""
        requests = self.requests[case.text, case.context][: case.batch]
        inputs, spec = self.model.inputs(requests), Speculator()
        settings: dict[str, dict[str, Any]] = {
            "plain": {},
            "prompt lookup": {"prompt_lookup_num_tokens": 10},
            "ngramspec": {"custom_generate": spec},
        }
        watch = Stopwatch(self.model.device)
        with after_each_pass(self.model, watch.note):
            output = self.model.generate(**inputs, max_new_tokens=self.new_tokens, do_sample=False, **settings[way])
        seconds = watch.now() - watch.prefilled
        expected = [self.model.traces[request].output.tolist() for request in requests]
        assert expected == output[:, case.context :].tolist(), f"{way} decoding left the text"
        passes = spec.stats.total.target_passes if way == "ngramspec" else watch.passes * case.batch
        return Run(seconds, watch.passes - 1, case.batch * self.new_tokens / passes)


def made_up(rng: np.random.Generator, vocabulary: int, context: int, copied: int, new: int, length: int) -> Trace:
    """A random prompt of `context` tokens, and an output that copies runs of it with new tokens in between."""
    prompt = rng.integers(1, vocabulary, context, dtype=np.int32)
    parts: list[Any] = []
    while sum(part.size for part in parts) < length:
        start = int(rng.integers(0, context - copied))
        parts += [prompt[start : start + copied], rng.integers(1, vocabulary, new, dtype=np.int32)]
    return Trace(prompt, np.concatenate(parts)[:length])


def new_model(config: LlamaConfig, traces: Sequence[Trace], device: str, dtype: torch.dtype) -> Any:
    """The model, made on its device and in its dtype: 8 B parameters in float32 might not fit anywhere."""
    usual = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            return ReplayModel(config, traces)
    finally:
        torch.set_default_dtype(usual)


def measure(bench: Bench, case: Case, num_rounds: int) -> dict[str, list[Run]]:
    """Runs by way, which take turns; a first round is a warm-up."""
    runs: dict[str, list[Run]] = {way: [] for way in case.ways}
    for _ in range(num_rounds + 1):
        for way in case.ways:
            runs[way].append(bench.run(case, way))
    return {way: done[1:] for way, done in runs.items()}


def row_of(case: Case, runs: dict[str, list[Run]], new_tokens: int) -> str:
    """A row of the table."""
    seconds = {way: median(run.seconds for run in done) for way, done in runs.items()}
    cells = [case.text, str(case.context), str(case.batch)]
    for way in WAYS:
        if way not in runs:
            cells += ["-"] * 4
            continue
        step = 1e3 * seconds[way] / max(1, runs[way][0].steps)
        rate = case.batch * (new_tokens - 1) / seconds[way]
        cells += [f"{step:.2f}", f"{rate:.0f}"]
        if way != "plain":
            cells += [f"{runs[way][0].tokens_per_pass:.2f}", f"{seconds['plain'] / seconds[way]:.2f}x"]
    return f"| {' | '.join(cells)} |"


def heading() -> str:
    """The first two lines of the table."""
    columns = ["text", "context", "batch", "plain, ms per step", "tokens/s"]
    for way in WAYS[1:]:
        columns += [f"{way}, ms per step", "tokens/s", "tokens per pass", "speed-up"]
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


def surroundings(arguments: argparse.Namespace) -> str:
    """Date, hardware, versions and settings, in a sentence each."""
    hardware = (
        torch.cuda.get_device_name(arguments.device) if arguments.device.startswith("cuda") else platform.machine()
    )
    cuda = f", CUDA {torch.version.cuda}" if torch.version.cuda else ""
    packages = ", ".join(f"{name} {version(name)}" for name in ("ngramspec", "transformers", "torch"))
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {hardware}; {packages}{cuda}, Python {platform.python_version()}."
        f" Shape {arguments.shape}, {arguments.dtype}, random weights, {arguments.new_tokens} new tokens,"
        f" medians of {arguments.rounds} rounds in turn. Times are from the end of the prefill on."
    )


def main() -> None:
    """Print the table, line by line as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--shape", choices=SHAPES, default="8b")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--contexts", type=int, nargs="+", default=(1024, 4096), help="tokens of each prompt")
    parser.add_argument("--batches", type=int, nargs="+", default=(1, 8, 32), help="rows decoded together")
    parser.add_argument("--new-tokens", type=int, default=128, help="tokens that each row emits")
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count")
    arguments = parser.parse_args()
    if arguments.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("--device cuda needs a CUDA device, and torch finds none: try --device cpu --shape tiny")
    torch.manual_seed(0)
    bench = Bench(arguments)
    print(surroundings(arguments), end="\n\n")
    print(heading(), flush=True)
    for text in TEXTS:
        for context in arguments.contexts:
            for batch in arguments.batches:
                case = Case(text, context, batch)
                print(row_of(case, measure(bench, case, arguments.rounds), arguments.new_tokens), flush=True)


if __name__ == "__main__":
    main()
