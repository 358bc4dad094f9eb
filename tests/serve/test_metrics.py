"""Prometheus metrics: vLLM's names, and our own by segment."""

import asyncio
import itertools
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from ngramspec.pico import repeat_prompt
from tests.serve.serving import serving

PROMPT = repeat_prompt("Counted once, and counted again.")


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Values by name and labels, without the model's name and buckets."""
    return {
        (sample.name, *(value for label, value in sorted(sample.labels.items()) if label != "model_name")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith(("_bucket", "_created"))
    }


def test_what_is_counted_has_vllms_names() -> None:
    ticks = itertools.count()

    async def ask() -> tuple[str, dict[str, Any], Any]:
        async with serving(clock=lambda: float(next(ticks))) as client:
            reply = await client.complete(PROMPT, max_tokens=60, n=2, metadata={"segment": "s"})
            metrics = await client.ask("/metrics")
            assert "text/plain; version=0.0.4; charset=utf-8" == metrics.headers["content-type"]
            assert client.service.engine.engine is not None
            return b"".join(metrics.pieces).decode(), reply.json, client.service.engine.engine.spec.stats.total

    text, body, total = asyncio.run(ask())
    found = samples(text)
    usage, spec = body["usage"], body["metrics"]["speculative_decoding"]
    expected = {
        ("vllm:prompt_tokens_total",): usage["prompt_tokens"],
        ("vllm:generation_tokens_total",): usage["completion_tokens"],
        ("vllm:request_success_total", "stop"): 2,
        ("vllm:spec_decode_num_drafts_total",): spec["num_spec_steps"],
        ("vllm:spec_decode_num_draft_tokens_total",): spec["num_draft_tokens"],
        ("vllm:spec_decode_num_accepted_tokens_total",): spec["num_accepted_draft_tokens"],
        ("vllm:spec_decode_num_accepted_tokens_per_pos_total", "0"): sum(spec["acceptance_histogram"][1:]),
        ("vllm:num_requests_running",): 0,
        ("vllm:num_requests_waiting",): 0,
        ("vllm:kv_cache_usage_perc",): 0,
        ("vllm:time_to_first_token_seconds_count",): 2,
        ("vllm:e2e_request_latency_seconds_count",): 2,
        ("ngramspec:tokens_total", "s"): usage["completion_tokens"],
        ("ngramspec:target_passes_total", "s"): total.target_passes,
        ("ngramspec:draft_tokens_total", "s"): spec["num_draft_tokens"],
        ("ngramspec:accepted_tokens_total", "s"): spec["num_accepted_draft_tokens"],
    }
    assert expected == {name: found.get(name) for name in expected}
    assert found["vllm:inter_token_latency_seconds_count",] > 0
    assert 0 < found["vllm:time_to_first_token_seconds_sum",] < found["vllm:e2e_request_latency_seconds_sum",]


def test_gauges_say_what_is_decoded_what_waits_and_what_of_the_cache_is_taken() -> None:
    seen = []

    async def ask() -> None:
        async with serving(max_rows=1) as client:
            engine = client.service.engine.engine
            assert engine is not None
            step = engine.step

            def watched() -> Any:
                ended = step()
                found = samples(client.service.meters.text().decode())
                gauges = ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc")
                seen.append(tuple(found[f"vllm:{name}",] for name in gauges))
                return ended

            engine.step = watched  # type: ignore[method-assign]
            await client.complete(PROMPT, max_tokens=60, n=2)

    asyncio.run(ask())
    running, waiting, usage = zip(*seen, strict=True)
    assert ({0, 1}, {0, 1}) == (set(running), set(waiting))
    assert 0 == usage[-1] < max(usage) < 1
