"""What a column costs where experts wake up, and how long drafts then are: dense, Mixtral's and Qwen3-MoE's shapes.

    python -m benchmarks.mixtures [--layers 4] [--rounds 9] [--dtype float32] [--json]

Random weights, scaled down to what a CPU reads in milliseconds: of the mixtures the number of experts and how many of
them a token wakes are the real ones. Passes of all widths take turns and are recorded as the loop records them. Then
the budget is asked for the length of a draft of which each token is right with a probability of 0.6, 0.8 or 0.95.
"""

import argparse
import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from transformers import (
    DynamicCache,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

from ngramspec.decoding import AdaptiveBudget, MeasuredCosts, Shape
from ngramspec.drafting import Draft
from ngramspec.hf.seam import CACHE

WIDTHS = (1, 2, 3, 4, 6, 8, 12, 16)
CONTEXT = 256
PROBABILITIES = (0.6, 0.8, 0.95)
VOCABULARY = 32_000


def main() -> None:
    """Measure, then print."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--layers", type=int, default=4)
    made.add_argument("--rounds", type=int, default=9, help="passes of each width")
    made.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16")
    made.add_argument("--threads", type=int, default=1, help="threads of torch")
    made.add_argument("--json", action="store_true")
    arguments = made.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    rows = [_measured(name, model, arguments) for name, model in _models(arguments.layers)]
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        _print(rows, arguments)


def _models(layers: int) -> Iterator[tuple[str, Any]]:
    shared: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 512,
        "num_hidden_layers": layers,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "tie_word_embeddings": True,
    }
    yield "dense", LlamaForCausalLM(LlamaConfig(**shared, intermediate_size=3584))
    yield "mixtral, 2 of 8", MixtralForCausalLM(MixtralConfig(**shared, intermediate_size=1792))
    qwen = Qwen3MoeConfig(**shared, moe_intermediate_size=448, num_experts=128, num_experts_per_tok=8)
    yield "qwen3-moe, 8 of 128", Qwen3MoeForCausalLM(qwen)


@torch.no_grad()
def _measured(name: str, model: Any, arguments: Any) -> dict[str, Any]:
    model = model.to(getattr(torch, arguments.dtype)).train(False)
    cache = DynamicCache()
    model(input_ids=torch.randint(VOCABULARY, (1, CONTEXT)), **{CACHE: cache}, logits_to_keep=1)
    costs = MeasuredCosts()
    for _ in range(arguments.rounds):
        for width in WIDTHS:
            tokens = torch.randint(VOCABULARY, (1, width))
            start = time.perf_counter()
            model(input_ids=tokens, **{CACHE: cache})
            costs.record(Shape(1, width, width, CONTEXT), time.perf_counter() - start, 1)
            cache.crop(-width)
    alone = Shape(1, 1, 1, CONTEXT)
    prices = costs.prices(alone, max(WIDTHS) - 1)
    assert prices is not None
    return {
        "model": name,
        "plain_ms": float(prices[0]) * 1e3,
        "prices": {width: float(prices[width - 1] / prices[0]) for width in WIDTHS},
        "drafted": {probability: _drafted(probability, alone, costs) for probability in PROBABILITIES},
    }


def _drafted(probability: float, alone: Shape, costs: MeasuredCosts) -> int:
    """How many tokens the budget drafts."""
    survival = np.cumprod(np.full(max(WIDTHS) - 1, probability))
    draft = Draft(np.zeros(survival.size, np.int32), survival=survival)
    return AdaptiveBudget().allot([draft], [1000], alone, costs)[0]


def _print(rows: list[dict[str, Any]], arguments: Any) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = 150
    console.print(
        f"{arguments.layers} layers, {arguments.dtype}, {arguments.threads} thread(s): passes of so many columns, in"
        " passes of one; and how many tokens are drafted where each is right with a probability."
    )
    columns = ["plain, ms", *map(str, WIDTHS[1:]), *(f"p = {probability}" for probability in PROBABILITIES)]
    table = Table("model", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows:
        prices = [f"{row['prices'][width]:.2f}" for width in WIDTHS[1:]]
        table.add_row(row["model"], f"{row['plain_ms']:.1f}", *prices, *map(str, row["drafted"].values()))
    console.print(table)


if __name__ == "__main__":
    main()
