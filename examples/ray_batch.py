"""A job over many prompts on a Ray cluster: each actor holds a model, and the history that its answers draft from.

Progress, retries, and where a job that was stopped goes on, are Ray Data's. An actor that dies takes its history along:
another one writes its rows again, with the same texts in some more passes. Needs `pip install 'ray[data]'`.
"""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import ray
from ray.data.checkpoint import CheckpointConfig

import ngramspec
from ngramspec.pico import extract_prompt

Batch = dict[str, np.ndarray[Any, Any]]


class Writer:
    """Answers batches of prompts, each as `generate()` would alone."""

    def __init__(self) -> None:
        model, self.tokenizer = ngramspec.load_pico()
        self.engine = ngramspec.ModelEngine(model)

    def __call__(self, batch: Batch) -> Batch:
        prompts = [self.tokenizer(prompt, return_tensors="pt").input_ids for prompt in batch["prompt"]]
        answers = [self.engine.add(ids, segment="orders", max_new_tokens=80) for ids in prompts]
        while not self.engine.is_idle:
            self.engine.step()
        return batch | {
            "answer": np.array([self.tokenizer.decode(each.emitted, skip_special_tokens=True) for each in answers]),
            "tokens": np.array([len(each.emitted) for each in answers]),
            "passes": np.array([each.row.counters.target_passes for each in answers]),
        }


def run(folder: Path, writer: type = Writer) -> None:
    """Answer the prompts in `folder`; if that was begun before, those that have no answer yet.

    On more than one machine `folder` must be on a disk that all of them share, or be the address of a bucket.
    """
    done = CheckpointConfig("id", str(folder / "done"), delete_checkpoint_on_success=False)
    ray.data.DataContext.get_current().checkpoint_config = done
    prompts = ray.data.read_parquet(str(folder / "prompts")).repartition(target_num_rows_per_block=16)
    actors = ray.data.ActorPoolStrategy(size=2, max_tasks_in_flight_per_actor=1)
    prompts.map_batches(writer, batch_size=16, num_cpus=1, compute=actors).write_parquet(str(folder / "answers"))


def order(draw: random.Random) -> str:
    item, city = draw.choice(["green lamp", "steel chair", "oak shelf"]), draw.choice(["Bremen", "Turin", "Oslo"])
    return f"Order K/{draw.randrange(10_000)} came in. The item is a {item}. Ship it to {city}."


if __name__ == "__main__":
    draw = random.Random(0)
    prompts = [extract_prompt(order(draw), {"order": "", "ship_to": ""}) for _ in range(64)]
    folder = Path.cwd() / "job"
    (folder / "prompts").mkdir(parents=True)
    pq.write_table(pa.table({"id": range(len(prompts)), "prompt": prompts}), folder / "prompts" / "0.parquet")

    ray.init(num_cpus=4)  # two for the actors, the others to read and write
    run(folder)
    ray.shutdown()

    rows = sorted(pq.read_table(folder / "answers").to_pylist(), key=lambda row: row["id"])
    tokens, passes = (sum(row[name] for row in rows) for name in ("tokens", "passes"))
    print(rows[0]["answer"], f"{len(rows)} answers, {tokens / passes:.1f} tokens per pass", sep="\n")

    model, tokenizer = ngramspec.load_pico()
    for row, prompt in zip(rows, prompts, strict=True):
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        plain = model.generate(ids, max_new_tokens=80)[0, ids.shape[1] :]
        assert row["answer"] == tokenizer.decode(plain, skip_special_tokens=True)
