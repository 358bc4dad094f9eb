"""How far logits may differ between passes over one token and over many, by rounding alone."""

import torch
from torch import Tensor

ULPS, HALF_ULPS = 256, 16
"""What rounding explains at most, in units in the last place of the largest logit.

Measured on pico, whose passes over one and over many tokens differ by up to 50 units in single and 8 in double
precision, and by less than one in half: there, kernels sum in single precision and round once.
"""


def largest_difference(left: Tensor, right: Tensor) -> float:
    """The largest absolute difference of two logits; equal infinities do not differ."""
    return float(torch.where(left == right, 0.0, (left - right).abs()).max())


def explicable(logits: Tensor) -> float:
    """The most by which rounding can explain a difference of `logits`.

    Logits that are masked out, as those of a padded vocabulary are, do not count.
    """
    real = logits[logits > torch.finfo(logits.dtype).min / 2]
    num_ulps = HALF_ULPS if logits.element_size() < 4 else ULPS
    return num_ulps * _unit(logits) * float(real.abs().max())


def _unit(logits: Tensor) -> float:
    """The relative spacing of the numbers that are computed with: where a GPU takes float32 for TF32, that one's."""
    is_tf32 = logits.is_cuda and logits.dtype == torch.float32 and torch.get_float32_matmul_precision() != "highest"
    return 2.0**-10 if is_tf32 else torch.finfo(logits.dtype).eps
