"""The ragged cache against a dictionary per row: a slot has what was last written there."""

import copy
import gc

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ngramspec import Speculator
from ngramspec.hf.target.cache import RaggedCache
from ngramspec.hf.target.cache_layer import CHUNK
from tests.hf.models import padded_prompts, tiny
from tests.hf.precisions import on_each_device

HEADS, WIDTH = 2, 3


def states(rows: int, columns: int, start: int, device: str, dtype: torch.dtype) -> Tensor:
    """`[rows, HEADS, columns, WIDTH]`, all numbers different: in bfloat16 integers would not be, bit patterns are."""
    first = 128 + start  # the smallest normal number, and the following ones
    patterns = torch.arange(first, first + rows * HEADS * columns * WIDTH, dtype=torch.int16)
    return patterns.view(torch.bfloat16).reshape(rows, HEADS, columns, WIDTH).to(device, dtype)


@given(
    moves=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8).filter(
        lambda moves: len({(line, to) for line, _, to in moves}) == len(moves)
    )
)
def test_slots_are_moved_as_if_all_were_read_before_any_was_written(moves: list[tuple[int, int, int]]) -> None:
    cache = RaggedCache(2)
    cache.place(torch.arange(10).expand(3, 10), 10, 0)
    keys = states(3, 10, 0, "cpu", torch.float64)
    for layer in range(2):
        cache.update(keys + layer, -keys - layer, layer)
    expected = keys.clone()
    for line, slot, to in moves:
        expected[line, :, to] = keys[line, :, slot]
    cache.move(*zip(*moves, strict=True))
    for layer, held in enumerate(cache._layers()):
        keys, values = held.states
        assert torch.equal(expected + layer, keys[:, :, :10])
        assert torch.equal(-expected - layer, values[:, :, :10])


passes = st.lists(
    st.tuples(st.integers(1, 6), st.lists(st.integers(0, 5), min_size=4, max_size=4)), min_size=1, max_size=8
)


@on_each_device
@settings(deadline=None)
@given(script=passes, drop=st.sets(st.integers(0, 3), max_size=3))
def test_each_row_reads_what_it_wrote_last_whatever_was_rolled_back(
    script: list[tuple[int, list[int]]], drop: set[int], device: str, dtype: torch.dtype
) -> None:
    """Every pass writes `width` columns per row; of those, each row keeps some, and overwrites the others next time."""
    cache = RaggedCache(2)
    lengths = [0] * 4
    written: list[dict[int, Tensor]] = [{} for _ in range(4)]
    for number, (width, kept) in enumerate(script):
        slots = torch.tensor([[length + column for column in range(width)] for length in lengths], device=device)
        first = lengths[0] if len(set(lengths)) == 1 else None
        cache.place(slots, max(lengths) + width, first)
        keys = states(4, width, 1000 * number, device, dtype)
        for row in range(4):
            for column in range(width):
                written[row][lengths[row] + column] = keys[row, :, column]
        read, values = cache.update(keys, -keys, 1)
        assert torch.equal(read, -values)
        for row in range(4):
            for slot in range(lengths[row] + width):
                assert torch.equal(read[row, :, slot], written[row][slot])
        lengths = [length + min(keep, width) for length, keep in zip(lengths, kept, strict=True)]
    lines = list(range(4))
    for line in sorted(drop, reverse=True):  # a row that leaves is exchanged with the last one
        last = len(lines) - 1
        cache.swap(line, last, max(lengths))
        lines[line], lines[last] = lines[last], lines[line]
        lines.pop()
    keys = getattr(cache.layers[1], "keys")  # noqa: B009 - transformers types layers as several classes
    for line, row in enumerate(lines):
        for slot in range(lengths[row]):
            assert torch.equal(keys[line, :, slot], written[row][slot])


@on_each_device
def test_capacity_grows_in_chunks_and_keeps_what_was_written(device: str, dtype: torch.dtype) -> None:
    cache = RaggedCache(1)
    capacities = []
    for slot in range(3 * CHUNK):
        cache.place(torch.tensor([[slot]], device=device), slot + 1, slot)
        key = torch.full((1, HEADS, 1, WIDTH), slot % 256, device=device, dtype=dtype)  # exact in bfloat16
        read, _ = cache.update(key, key, 0)
        capacities.append(cache.placement.capacity)
    assert [slot % 256 for slot in range(3 * CHUNK)] == read[0, 0, :, 0].tolist()
    assert len(set(capacities)) <= 4


@given(most=st.integers(1, 2 * CHUNK), extents=st.lists(st.integers(1, 3 * CHUNK), min_size=1, max_size=5))
def test_room_is_made_for_what_is_there_and_ahead_of_need_for_no_more_than_can_come(
    most: int, extents: list[int]
) -> None:
    cache = RaggedCache(1, most)
    for extent in extents:
        cache.place_run(extent - 1, 1)
        assert max(extents[: extents.index(extent) + 1]) <= cache.placement.capacity <= max(most, *extents)


@on_each_device
def test_slots_that_nobody_wrote_are_zero_for_a_masked_nan_still_poisons_attention(
    device: str, dtype: torch.dtype
) -> None:
    cache = RaggedCache(1)
    cache.place(torch.tensor([[0], [7]], device=device), 8, None)
    key = states(2, 1, 1, device, dtype)
    read, _ = cache.update(key, key, 0)
    assert 0 == read[0, :, 1:].abs().sum()
    assert 0 == read[1, :, :7].abs().sum()


@on_each_device
def test_keys_and_values_are_freed_with_the_call_and_not_by_a_later_garbage_collection(
    device: str, dtype: torch.dtype
) -> None:
    model = copy.deepcopy(tiny("llama")).to(device, dtype)
    prompts = {name: tensor.to(device) for name, tensor in padded_prompts(2).items()}
    gc.collect()
    before = {id(thing) for thing in gc.get_objects() if isinstance(thing, RaggedCache)}  # held by other tests' errors
    gc.disable()
    try:
        for _ in range(3):
            getattr(model, "generate")(**prompts, max_new_tokens=9, custom_generate=Speculator())  # noqa: B009
        assert [] == [each for each in gc.get_objects() if isinstance(each, RaggedCache) and id(each) not in before]
    finally:
        gc.enable()
