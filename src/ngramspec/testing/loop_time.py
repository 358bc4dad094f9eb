"""Measures the loop's host time on this machine: everything around forward passes except drafting."""

import time
from collections.abc import Sequence
from functools import cache

import numpy as np
from transformers import LlamaConfig

from ngramspec.drafting import Draft, TokenArray
from ngramspec.hf import Speculator
from ngramspec.replay import HostTime, Trace
from ngramspec.testing.forwards import timed_forwards
from ngramspec.testing.replay_model import ReplayModel

BATCHES = (1, 17)
ROUNDS = 4
PASSES = 40
LENGTH = 5
VOCABULARY = 64
TOKEN = 7


@cache
def loop_time() -> HostTime:
    """CPU time of this thread, the least of several rounds: for a batch of one, and for each further row.

    A network of one small layer reads drafts of five tokens, which cost nothing to make and are all accepted. It runs
    with the default budget, so the time of pricing passes is included.
    """
    fewest, most = BATCHES
    few, many = _seconds(fewest), _seconds(most)
    of_row = (many - few) / (most - fewest)
    return HostTime(few - fewest * of_row, of_row)


def _seconds(batch: int) -> float:
    """Seconds of a pass over this many rows."""
    prompt, output = (np.full(size, TOKEN, np.int32) for size in (16, PASSES * (LENGTH + 1)))
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=prompt.size + output.size + 1,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=0,
    )
    model = ReplayModel(config, [Trace(prompt, output)] * batch)
    spec = Speculator(_OneToken())
    found = []
    for _ in range(ROUNDS + 1):
        with timed_forwards(model, time.thread_time) as forwards:
            model.generate(**model.inputs(range(batch)), max_new_tokens=output.size, custom_generate=spec)
            end = time.thread_time()
        host = end - forwards.ends[0] - forwards.decode_seconds
        found.append(host / forwards.num_decode_passes)
    return min(found[1:])  # in the first round passes have no prices yet


class _OneToken:
    """A drafter for text of one token, which it knows."""

    def __init__(self) -> None:
        self._draft = Draft(np.full(LENGTH, TOKEN, np.int32))

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "_OneToken":
        return self

    def extend(self, tokens: TokenArray) -> None: ...

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        return self._draft.head(max_tokens)

    def observe(self, draft: Draft, num_accepted: int) -> None: ...

    def close(self) -> None: ...
