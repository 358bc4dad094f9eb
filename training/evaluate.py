"""``python -m training.evaluate``: pico on held-back items, per task: exact match, token accuracy, tokens per pass.

Exact match and token accuracy are those of one pass over prompt and answer (``score.py``), over all items; the 95 %
interval is Wilson's. The first items are decoded as well, one at a time, plainly and by ``ngramspec.Speculator`` with
its defaults: tokens per pass count all that it emitted, wrong answers included, and the texts must be the same.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from ngramspec import Speculator
from ngramspec.pico import PICO_PATH

from .score import held_back_examples, score
from .tasks import Example

OVERLONG = (
    32  # tokens: an answer that runs on is cut so far behind the right length, or loops would flatter the drafter
)
SEED = 1  # not the seed of the scores in the training log


def complete(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, example: Example, spec: Speculator | None = None
) -> str:
    """The greedy answer, decoded plainly or, with ``spec``, speculatively and counted under the task's name."""
    inputs = tokenizer(example.prompt, return_tensors="pt")
    limit = len(tokenizer(example.answer).input_ids) + OVERLONG
    options: dict[str, Any] = {"max_new_tokens": limit, "do_sample": False}
    if spec is not None:
        options |= {"custom_generate": spec, "segment": example.task}
    ids = model.generate(**inputs, **options)  # type: ignore[operator]
    return str(tokenizer.decode(ids[0, inputs.input_ids.shape[1] :], skip_special_tokens=True))


def interval(right: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    z = 1.96
    share, weight = right / total, z * z / total
    reach = z * math.sqrt(share * (1 - share) / total + weight / (4 * total))
    return (share + weight / 2 - reach) / (1 + weight), (share + weight / 2 + reach) / (1 + weight)


def main() -> None:
    """Print one line per task."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, default=PICO_PATH, help="folder of a model with pico's tokenizer")
    parser.add_argument("--examples", type=int, default=300, help="held-back items per task")
    parser.add_argument("--decoded", type=int, default=60, help="how many of them are decoded, too")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(arguments.model, local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32, local_files_only=True)
    spec = Speculator()
    print("task     items  exact     95 % interval  token accuracy  decoded  tokens  tokens per pass  same text")
    for task, examples in held_back_examples(tokenizer, SEED, arguments.examples).items():
        scored = score(model, tokenizer, examples)
        low, high = interval(round(scored.exact * len(examples)), len(examples))
        decoded = examples[: arguments.decoded]
        same = sum(
            complete(model, tokenizer, example) == complete(model, tokenizer, example, spec) for example in decoded
        )
        counted = spec.stats.segments[task]
        print(
            f"{task:8} {len(examples):5} {scored.exact:6.1%} {low:8.1%} to {high:5.1%} {scored.token_accuracy:15.1%}"
            f" {len(decoded):8} {counted.tokens:7} {counted.tokens_per_pass:16.2f} {same:7}/{len(decoded)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
