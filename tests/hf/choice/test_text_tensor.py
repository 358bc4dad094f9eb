"""The text of a call has what was emitted, whenever it is read."""

from dataclasses import dataclass, field

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.hf.choice.text_tensor import ROOM, TextTensor

PAD = 99


@dataclass
class Emitted:
    emitted: list[int] = field(default_factory=list)


@given(
    chunks=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3 * ROOM), st.booleans()), max_size=6),
    max_length=st.integers(1, 10 * ROOM),
)
@settings(deadline=None)
def test_any_number_of_tokens_may_be_emitted_between_two_looks(
    chunks: list[tuple[int, int, bool]], max_length: int
) -> None:
    prompt = [[1, 2], [3, 4]]
    rows = [Emitted(), Emitted()]
    text = TextTensor(torch.tensor(prompt), rows, max_length, PAD)
    expected = [list(row) for row in prompt]
    for row, number, is_read in chunks:
        for token in range(number):
            rows[row].emitted.append(token)
            expected[row].append(token)
        if is_read:
            assert [expected[row]] == text.row(row).tolist()
    longest = max(map(len, expected))
    assert [row + [PAD] * (longest - len(row)) for row in expected] == text.batch().tolist()
