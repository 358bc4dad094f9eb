"""Devices and precisions for tests of texts and caches; a GPU with `pytest -m gpu`."""

from typing import Any

import pytest
import torch

CUDA_MARKS = (
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, and torch finds none"),
)


def _cases(device: str, *dtypes: torch.dtype) -> list[Any]:
    marks = CUDA_MARKS if device == "cuda" else ()
    return [pytest.param(device, dtype, marks=marks, id=f"{device}-{str(dtype)[6:]}") for dtype in dtypes]


EXACT = _cases("cpu", torch.float64)
EXACT_ON_CUDA = _cases("cuda", torch.float64)
ROUNDED = _cases("cpu", torch.float32, torch.bfloat16)
ROUNDED_ON_CUDA = _cases("cuda", torch.float32, torch.bfloat16)

_on = pytest.mark.parametrize
exactly = _on(("device", "dtype"), EXACT + EXACT_ON_CUDA)
"""For claims about texts that near-ties would spoil."""
in_each_precision = _on(("device", "dtype"), ROUNDED + ROUNDED_ON_CUDA + EXACT_ON_CUDA)
"""For claims about texts that allow for near-ties; the other tests hold them in float64, here."""
on_each_device = _on(("device", "dtype"), EXACT + ROUNDED_ON_CUDA)
"""For claims that no rounding touches."""
