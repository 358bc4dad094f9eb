"""How much of a predicted output the answer has."""

from collections.abc import Sequence


def num_common(prediction: Sequence[int], answer: Sequence[int]) -> int:
    """Length of the longest common subsequence: tokens of the prediction that the answer has, in the same order.

    Computed on bit vectors (Hyyrö 2004), 64 tokens per word operation: a prediction of thousands takes milliseconds.
    Bit i of `rows` is 0 where the subsequence grows at token i of the prediction.
    """
    positions: dict[int, int] = {}
    for index, token in enumerate(prediction):
        positions[token] = positions.get(token, 0) | 1 << index
    everything = (1 << len(prediction)) - 1
    rows = everything
    for token in answer:
        found = rows & positions.get(token, 0)
        rows = (rows + found | rows - found) & everything
    return len(prediction) - rows.bit_count()
