"""A job over many prompts through Ray's vLLM stage, with ngramspec's scheduler inside vLLM: `make ray-llm`.

Where GPUs are, leave out what is marked as a CPU's; the rest of the settings is vLLM's and Ray's. See docs/deploy.md.
"""

import random
from typing import Any

import ray
from ray.data.llm import build_processor, vLLMEngineProcessorConfig

from ngramspec.pico import PICO_PATH, extract_prompt, load_pico

PROPOSER = {"method": "custom_class", "model": "ngramspec.vllm.NullProposer", "num_speculative_tokens": 16}
CPU_ONLY: dict[str, Any] = {"dtype": "float32", "enforce_eager": True, "kv_cache_memory_bytes": 1 << 26}


def asked(row: dict[str, Any]) -> dict[str, Any]:
    """What vLLM needs of a row: the segment says whose earlier answers this one drafts from."""
    parameters = {"temperature": 0.0, "max_tokens": 80, "extra_args": {"segment": "orders"}}
    return {"prompt": row["prompt"], "sampling_params": parameters}


def answered(row: dict[str, Any]) -> dict[str, Any]:
    """What is kept of it."""
    return {"id": row["id"], "answer": row["generated_text"]}


def order(draw: random.Random) -> str:
    item, city = draw.choice(["green lamp", "steel chair", "oak shelf"]), draw.choice(["Bremen", "Turin", "Oslo"])
    return f"Order K/{draw.randrange(10_000)} came in. The item is a {item}. Ship it to {city}."


if __name__ == "__main__":
    draw = random.Random(0)
    prompts = [extract_prompt(order(draw), {"order": "", "ship_to": ""}) for _ in range(32)]

    config = vLLMEngineProcessorConfig(
        model_source=str(PICO_PATH),
        engine_kwargs={
            "scheduler_cls": "ngramspec.vllm.Scheduler",
            "speculative_config": PROPOSER,
            "max_model_len": 512,
            "max_num_seqs": 16,
            **CPU_ONLY,
        },
        placement_group_config={"bundles": [{"CPU": 1}]},  # a CPU's
        batch_size=16,
        concurrency=1,  # engines
        chat_template_stage=False,
        tokenize_stage=False,
        detokenize_stage=False,
        log_engine_metrics=False,
    )
    ray.init(num_cpus=8)  # in the books of Ray: its stages ask for one each
    job = build_processor(config, preprocess=asked, postprocess=answered)
    given = [{"id": number, "prompt": prompt} for number, prompt in enumerate(prompts)]
    rows = sorted(job(ray.data.from_items(given)).take_all(), key=lambda row: row["id"])
    ray.shutdown()
    print(rows[0]["answer"], f"{len(rows)} answers", sep="\n")

    model, tokenizer = load_pico()
    for row, prompt in zip(rows, prompts, strict=True):
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        plain = model.generate(ids, max_new_tokens=80)[0, ids.shape[1] :]
        assert row["answer"] == tokenizer.decode(plain, skip_special_tokens=True)
