"""How much logits may differ, by rounding alone, between passes over one token and over many."""

import torch
from torch import Tensor

ULPS, HALF_ULPS = 256, 16
"""The largest difference that rounding explains, in units in the last place of the largest logit.

Measured on pico, whose passes over one and over many tokens differ by up to 50 units in single and 8 in double
precision, and by less than one in half: there, kernels sum in single precision and round once.
"""


def largest_difference(left: Tensor, right: Tensor) -> float:
    """The largest absolute difference between corresponding logits; equal infinities do not differ."""
    return float(torch.where(left == right, 0.0, (left - right).abs()).max())


MOST_HALF_ULPS, MEAN_HALF_ULPS = 6.0, 1.0
"""In half precision, the bounds on the largest and the mean difference of a block's logits, in units as above, within
which a model is trusted. SmolLM2-135M differs by up to 2.6 and 0.6; layers that quantise by the whole pass by more."""


def why_not_rounding(plain: Tensor, block: Tensor, dtype: torch.dtype, scale: float = 1.0) -> str | None:
    """Why rounding does not explain the difference between the logits `block` `[n, V]` and `plain`; None if it does.

    dtype: of the computation. Many models compute norms and softmax in single precision regardless.
    scale: of the allowed difference; positions far into a block read many keys that were rounded differently.
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
    """The largest difference of `logits` that rounding can explain.

    Logits that are masked out, such as those of a padded vocabulary, do not count.
    """
    real = logits[logits > torch.finfo(logits.dtype).min / 2]
    num_ulps = HALF_ULPS if logits.element_size() < 4 else ULPS
    return num_ulps * _unit(logits) * float(real.abs().max())


def _unit(logits: Tensor) -> float:
    """The relative spacing of the numbers in the computation: TF32's if a GPU computes float32 with it."""
    is_tf32 = logits.is_cuda and logits.dtype == torch.float32 and torch.get_float32_matmul_precision() != "highest"
    return 2.0**-10 if is_tf32 else torch.finfo(logits.dtype).eps
