"""How much of a predicted output is in the answer."""

from collections.abc import Sequence


def num_common(prediction: Sequence[int], answer: Sequence[int]) -> int:
    """Length of the longest common subsequence: the tokens of the prediction that the answer has, in their order.

    By bit vectors (Hyyrö 2004), a word operation for 64 tokens: a prediction of thousands takes milliseconds. Bit i of
    `rows` is 0 where the subsequence grows at token i of the prediction.
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
