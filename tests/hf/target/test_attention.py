"""Heads folded into queries give the same attention as repeated keys and values."""

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers.integrations import sdpa_attention
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from ngramspec.hf.target.attention import folded
from tests.hf.comparing import assert_accepted_and_rolled_back, compare, limits
from tests.hf.models import padded_prompts, tiny


def inputs(rows: int, kv_heads: int, size: int, queries: int, slots: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(rows + kv_heads + size + queries)
    shapes = ((rows, queries, kv_heads * size, 8), (rows, slots, kv_heads, 8), (rows, slots, kv_heads, 8))
    query, key, value = (
        torch.randn(shape, generator=generator, dtype=torch.float64).transpose(1, 2) for shape in shapes
    )
    mask = torch.rand(rows, 1, queries, slots, generator=generator) < 0.5
    mask[..., 0] = True
    return query, key, value, mask


def attend(module: Any, *args: Any, **kwargs: Any) -> Tensor:
    output: Tensor = ALL_ATTENTION_FUNCTIONS["sdpa"](module, *args, **kwargs)[0]
    return output


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.integers(1, 9), st.booleans())
@settings(deadline=None)
def test_any_folded_attention_is_that_of_transformers(
    rows: int, kv_heads: int, size: int, queries: int, slots: int, is_boolean: bool
) -> None:
    query, key, value, mask = inputs(rows, kv_heads, size, queries, slots)
    given_mask = mask if is_boolean else torch.zeros(mask.shape, dtype=query.dtype).masked_fill_(~mask, -1e9)
    module: Any = torch.nn.Module()
    module.num_key_value_groups = size
    expected = sdpa_attention.sdpa_attention_forward(module, query, key, value, given_mask, scaling=0.3)[0]
    with folded():
        actual = attend(module, query, key, value, given_mask, scaling=0.3)
    assert actual.is_contiguous()
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


def repeats(monkeypatch: pytest.MonkeyPatch, note: Callable[[], int] = threading.get_ident) -> list[int]:
    """A note for each time that keys or values are repeated: by default, of the thread."""
    monkeypatch.delenv("TRANSFORMERS_SDPA_FORCE_GQA", raising=False)
    noted: list[int] = []
    real = sdpa_attention.repeat_kv

    def repeat_kv(states: Tensor, size: int) -> Tensor:
        noted.append(note())
        return real(states, size)

    monkeypatch.setattr(sdpa_attention, "repeat_kv", repeat_kv)
    return noted


def num_queries() -> int:
    """Of the attention that repeats its keys: a local variable of transformers' function."""
    query: Tensor = sys._getframe(2).f_locals["query"]
    return query.shape[2]


def test_drafted_passes_copy_no_keys_and_leave_the_model_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("llama")
    noted = repeats(monkeypatch, num_queries)
    prompts = {"input_ids": padded_prompts(1)["input_ids"]}
    assert_accepted_and_rolled_back(compare(model, prompts, limits).spec)
    assert {1}.issuperset(noted)  # a pass over one token, without a draft, attends as in plain decoding
    assert "sdpa" == model.config._attn_implementation


def test_other_threads_attend_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    noted = repeats(monkeypatch)
    query, key, value, mask = inputs(1, 2, 2, 3, 7)
    module: Any = torch.nn.Module()
    module.num_key_value_groups = 2
    with folded():
        other = threading.Thread(target=attend, args=(module, query, key, value, mask))
        other.start()
        other.join()
        attend(module, query, key, value, mask)
        assert [other.ident] * 2 == noted
    attend(module, query, key, value, mask)
    assert [other.ident] * 2 + [threading.get_ident()] * 2 == noted


def test_an_attention_of_the_users_own_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def own(*args: Any, **kwargs: Any) -> tuple[Tensor, None]:
        return sdpa_attention.sdpa_attention_forward(*args, **kwargs)

    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS._global_mapping, "sdpa", own)
    with folded():
        assert own is ALL_ATTENTION_FUNCTIONS["sdpa"]
