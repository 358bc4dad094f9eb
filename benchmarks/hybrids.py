"""Do drafts pay for models with running states, in which accepted tokens before a rejected one are read again?

    python -m benchmarks.hybrids [TRACES...] [--limit 5] [--rounds 8] [--tokens 128]

Three tables. Passes of 8 B hybrids by columns, in bfloat16 on one thread of this machine (`hybrid_passes`), in passes
of one column. Recorded requests replayed at these prices, and at a published fit of a GPU: with free rollback, as in a
model with only attention, and with restored states. And tiny models of these shapes, which write recorded text: CPU
time of whole calls compared with plain decoding, prompts included, the minimum of the rounds.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.table import Table
from transformers import (
    FalconH1Config,
    FalconH1ForCausalLM,
    GraniteMoeHybridConfig,
    GraniteMoeHybridForCausalLM,
    Lfm2Config,
    Lfm2ForCausalLM,
    NemotronHConfig,
    NemotronHForCausalLM,
    Qwen3_5ForCausalLM,
    Qwen3_5TextConfig,
)

from benchmarks.console import wide_console
from benchmarks.hybrid_passes import Hybrid, pass_seconds, table_of
from benchmarks.recorded import EOS, first_requests, renamed
from benchmarks.traces import parser, trace_paths
from ngramspec import Speculator
from ngramspec.decoding import AdaptiveBudget, Budget, FixedBudget, fitted
from ngramspec.drafting import AdaptiveLookup
from ngramspec.replay import SavedCosts, SegmentReport, Trace, replay
from ngramspec.testing.replay_model import replay_class

FIT = "h100-8b"
TINY_SEGMENTS = ("json_call", "code_edit", "chat", "sql", "rag_human", "math")
SMALL: dict[str, Any] = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "bos_token_id": None,
    "eos_token_id": EOS,
    "pad_token_id": EOS,
}
MAMBA: dict[str, Any] = {"mamba_n_heads": 8, "mamba_d_head": 64, "mamba_d_state": 64}
TINY: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "Qwen3.5": (
        Qwen3_5TextConfig,
        Qwen3_5ForCausalLM,
        {
            "num_hidden_layers": 4,
            "head_dim": 64,
            "linear_num_key_heads": 4,
            "linear_num_value_heads": 8,
            "linear_key_head_dim": 64,
            "linear_value_head_dim": 64,
        },
    ),
    "LFM2": (
        Lfm2Config,
        Lfm2ForCausalLM,
        {"num_hidden_layers": 4, "layer_types": ["conv", "conv", "full_attention", "conv"]},
    ),
    "Nemotron-H": (
        NemotronHConfig,
        NemotronHForCausalLM,
        {
            "layers_block_type": ["linear_attention", "mlp", "full_attention", "mlp"],
            "head_dim": 64,
            "mamba_num_heads": 8,
            "ssm_state_size": 64,
            "n_groups": 2,
        },
    ),
    "Falcon-H1": (FalconH1Config, FalconH1ForCausalLM, {"num_hidden_layers": 4, "mamba_d_ssm": 512, **MAMBA}),
    "Granite 4": (
        GraniteMoeHybridConfig,
        GraniteMoeHybridForCausalLM,
        {
            "num_hidden_layers": 4,
            "layer_types": ["linear_attention", "linear_attention", "full_attention", "linear_attention"],
            "num_local_experts": 0,
            "shared_intermediate_size": 512,
            **MAMBA,
        },
    ),
}
"""The same kinds of layers, few and narrow."""


def large() -> dict[str, Hybrid]:
    """Shapes of 8 to 9 B parameters, with their numbers of layers."""
    return {
        "Qwen3.5-9B": Hybrid(
            Qwen3_5TextConfig(num_hidden_layers=2, layer_types=["linear_attention", "full_attention"]),
            Qwen3_5ForCausalLM,
            (24, 8),
        ),
        "Nemotron-H-8B": Hybrid(
            NemotronHConfig(layers_block_type=["linear_attention", "mlp", "full_attention"]),
            NemotronHForCausalLM,
            (24, 24, 4),
        ),
    }


def replayed(traces: Sequence[Trace], costs: Any, budget: Budget, *, reads_again: bool) -> SegmentReport:
    """The report of `generate()` for the requests at these prices, with history by segment."""
    return replay(traces, AdaptiveLookup(), budget=budget, costs=costs, reads_again=reads_again).total


def replays(traces: Sequence[Trace], seconds: Mapping[str, Mapping[int, float]]) -> Table:
    """The table of recorded requests."""
    shown = Table("prices", "rollback", "drafts", "tokens per pass", "columns per pass", "speed-up")
    for name in (*seconds, FIT):
        for rollback, drafts in (("free", "adaptive"), ("put back", "adaptive"), ("put back", "10")):
            budget: Budget = AdaptiveBudget() if drafts == "adaptive" else FixedBudget()
            costs = fitted(FIT) if name == FIT else SavedCosts(table_of(seconds[name]), name)
            report = replayed(traces, costs, budget, reads_again=rollback == "put back")
            speedup = costs.speedup() if isinstance(costs, SavedCosts) else report.modelled_speedup(costs)
            counters = report.counters
            columns = 1 + (counters.num_draft_tokens + report.num_read_again) / counters.target_passes
            shown.add_row(name, rollback, drafts, f"{counters.tokens_per_pass:.2f}", f"{columns:.1f}", f"{speedup:.2f}")
    return shown


def shortest(traces: Sequence[Trace], num_tokens: int) -> list[Trace]:
    """The request with the shortest prompt of each of a few segments; outputs are cut, and token ids renumbered."""
    by_segment: dict[str | None, list[Trace]] = {}
    for trace in traces:
        by_segment.setdefault(trace.segment, []).append(replace(trace, output=trace.output[:num_tokens]))
    chosen: list[str | None] = [segment for segment in by_segment if segment in TINY_SEGMENTS]
    chosen = chosen or [*by_segment]
    return renamed([min(by_segment[segment], key=lambda trace: trace.prompt.size) for segment in chosen], 1 << 20)


def decoded(name: str, traces: Sequence[Trace], batch: Sequence[int], num_tokens: int, rounds: int) -> tuple[str, str]:
    """Tokens per pass, and plain decoding's CPU time over ours; the texts must be the same."""
    config_class, model_class, settings = TINY[name]
    vocabulary = 1 + max(int(max(trace.prompt.max(), trace.output.max())) for trace in traces)
    room = max(trace.prompt.size + trace.output.size for trace in traces) + 1
    config = config_class(**SMALL, **settings, vocab_size=vocabulary, max_position_embeddings=room)
    torch.manual_seed(0)
    model: Any = replay_class(model_class)(config, traces)
    spec, texts = Speculator(clock=time.thread_time), []
    least = [math.inf, math.inf]
    for _ in range(rounds):
        for way, custom in enumerate(({}, {"custom_generate": spec})):
            start = time.thread_time()
            texts.append(model.generate(**model.inputs(batch), max_new_tokens=num_tokens, do_sample=False, **custom))
            least[way] = min(least[way], time.thread_time() - start)
    if any(text.tolist() != texts[0].tolist() for text in texts):
        raise SystemExit(f"all ways must write the same text, and those of {name} do not")
    return f"{spec.stats.total.tokens_per_pass:.2f}", f"{least[0] / least[1]:.2f}"


def main() -> None:
    """Print the tables."""
    made = parser(__doc__)
    made.add_argument("--limit", type=int, default=5, help="requests of each segment in the replays")
    made.add_argument("--rounds", type=int, default=8)
    made.add_argument("--tokens", type=int, default=128, help="of each text of the tiny models")
    arguments = made.parse_args()
    torch.set_num_threads(1)
    paths: list[Path] = trace_paths(made, arguments.traces)
    traces = first_requests(paths, arguments.tokenizer, None, limit=arguments.limit, max_prompt=8192, max_new=512)
    console = wide_console()
    seconds = {name: pass_seconds(hybrid, time.thread_time, arguments.rounds) for name, hybrid in large().items()}
    for name, by_columns in seconds.items():
        prices = ", ".join(f"{columns}: {each / by_columns[1]:.2f}" for columns, each in by_columns.items())
        console.print(f"{name}: a pass takes {1e3 * by_columns[1]:.0f} ms; by columns {prices}")
    console.print(replays(traces, seconds))
    few = shortest(traces, arguments.tokens)
    shown = Table("tiny model", "one row: tokens per pass", "speed-up", f"{len(few)} rows: tokens per pass", "speed-up")
    for name in TINY:
        cells = [decoded(name, few, batch, arguments.tokens, 3) for batch in ([0], range(len(few)))]
        shown.add_row(name, *cells[0], *cells[1])
    console.print(shown)


if __name__ == "__main__":
    main()
