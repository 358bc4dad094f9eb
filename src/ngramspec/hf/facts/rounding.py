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


MOST_HALF_ULPS, MEAN_HALF_ULPS = 6.0, 1.0
"""In half precision, what a block's logits may differ by at the most and in the mean, in units as above, for a model to
be trusted. On SmolLM2-135M they differ by up to 2.6 and 0.6; layers that quantise by the whole pass differ by more."""


def why_not_rounding(plain: Tensor, block: Tensor, dtype: torch.dtype, scale: float = 1.0) -> str | None:
    """Why rounding does not explain how the logits `block` `[n, V]` differ from `plain`; None where it does.

    dtype: what was computed with. Many models compute norms and softmax in single precision, whatever that is.
    scale: of what is allowed; positions far into a block read many keys that are rounded otherwise.
    """
    dtype = torch.float32 if dtype is torch.float64 else dtype
    plain, block = plain.float(), block.float()
    real = plain > torch.finfo(dtype).min / 2
    if not torch.equal(real, block > torch.finfo(dtype).min / 2) or not bool(real.any()):
        return "other logits are finite"
    unit = scale * torch.finfo(dtype).eps * float(plain[real].abs().max())
    differences = (plain[real] - block[real]).abs()
    most, mean = float(differences.max()), float(differences.mean())
    limits = (ULPS, ULPS) if dtype is torch.float32 else (MOST_HALF_ULPS, MEAN_HALF_ULPS)
    if most <= limits[0] * unit and mean <= limits[1] * unit:
        return None
    return (
        f"logits differ by {most:.2g}, {mean:.2g} in the mean, and rounding explains {limits[0] * unit:.2g} and"
        f" {limits[1] * unit:.2g}"
    )


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
