"""Recorded requests for a real network to play back: their selection, token ids, and the network's shape."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from transformers import LlamaConfig

from ngramspec.drafting import TokenArray
from ngramspec.replay import Trace, load_tokenizer, read_traces
from ngramspec.testing.replay_model import ReplayModel

EOS = 0
VOCABULARY = 49_152
SHORTEST_OUTPUT = 24
SHAPES: dict[str, dict[str, Any]] = {
    "135m": {  # of HuggingFaceTB/SmolLM-135M
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
    },
    "50m": {  # the same with a fifth of the layers: quick, and harder on the loop around the network
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 6,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
    },
    "tiny": {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
    },
}


def first_requests(
    paths: Iterable[Path], tokenizer: str, segments: Sequence[str] | None, *, limit: int, max_prompt: int, max_new: int
) -> list[Trace]:
    """The first `limit` requests of each segment that fit, in the order of `segments`; outputs are cut at `max_new`.

    segments: by default all with a name and such a request.
    """
    found: dict[str | None, list[Trace]] = {segment: [] for segment in segments or ()}
    encoder = load_tokenizer(tokenizer)
    for path in paths:
        for trace in read_traces(path, encoder):
            fits = 0 < trace.prompt.size <= max_prompt and trace.output.size >= SHORTEST_OUTPUT
            if segments is None and fits and trace.segment is not None:
                found.setdefault(trace.segment, [])
            chosen = found.get(trace.segment, [])
            if trace.segment in found and len(chosen) < limit and fits and not trace.degenerate_loop:
                chosen.append(replace(trace, output=trace.output[:max_new]))
    empty = [segment for segment in found if not found[segment]]
    if empty:
        raise SystemExit(f"every segment must have a request that fits, got none of {', '.join(map(str, empty))}")
    return [trace for chosen in found.values() for trace in chosen]


def renamed(traces: Sequence[Trace], vocabulary: int) -> list[Trace]:
    """The same requests with token ids mapped one to one to 1, 2, …; raises ValueError if they do not fit.

    Equal tokens stay equal, which is all that a drafter sees. So a model with any vocabulary can play back texts of any
    tokenizer.
    """
    ids = np.unique(np.concatenate([part for trace in traces for part in (trace.prompt, trace.output)]))
    if ids.size >= vocabulary:
        raise ValueError(f"the requests must have fewer than {vocabulary} distinct tokens, got {ids.size}: pass fewer")

    def rename(tokens: TokenArray) -> TokenArray:
        return (np.searchsorted(ids, tokens) + 1).astype(np.int32)

    return [replace(trace, prompt=rename(trace.prompt), output=rename(trace.output)) for trace in traces]


def replay_model(traces: Sequence[Trace], shape: str, vocabulary: int = VOCABULARY) -> Any:
    """A `ReplayModel` of one of the `SHAPES` that writes these requests, with new token ids."""
    config = LlamaConfig(
        vocab_size=vocabulary,
        max_position_embeddings=max(trace.prompt.size + trace.output.size for trace in traces) + 1,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=EOS,
        pad_token_id=EOS,
        **SHAPES[shape],
    )
    return ReplayModel(config, renamed(traces, vocabulary))
