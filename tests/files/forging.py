"""Saved files with forged contents and a correct digest."""

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from ngramspec.files import whole_file
from ngramspec.files.whole_file import FileFormat

Parts = tuple[Any, list[npt.NDArray[Any]]]

ODD: list[Any] = [
    None, True, False, 0, 1, -1, 2, 3.5, -0.0, 1e-320, 1e308, float("nan"), float("inf"), 2**31, 2**63, 10**40, "", "a",
    "\x1b]0;x\x07", "\ud800", [], [[]], {}, {"a": 1}, [1.0] * 9, "65536", "65537", "99999999999", "2", "-1", "0x2",
]  # fmt: skip
"""What nobody saves where it is put."""

ODD_NUMBERS = [0, 1, -1, 2, 5, 49.0, 51.0, 1e-320, 1e308, float("nan"), float("inf"), 2**31 - 1, 2**31 - 2, 2**62]


def parts_of(path: Path) -> Parts:
    """The header and copies of the arrays of a real file."""
    body = path.read_bytes().split(b"\n", 2)[2]
    line, _, data = body.partition(b"\n")
    header, layout = json.loads(line)
    arrays, start = [], 0
    for dtype, shape in layout:
        array = np.frombuffer(data, dtype, int(np.prod(shape)), start).reshape(shape).copy()
        arrays.append(array)
        start += array.nbytes
    return header, arrays


def forge(path: Path, kind: FileFormat, line: bytes, data: bytes = b"") -> Path:
    """A file with this header line and these bytes of arrays."""
    body = line + b"\n" + data
    path.write_bytes(kind.magic + b"1\n" + hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    return path


def written(path: Path, kind: FileFormat, parts: Parts, layout: Any = None) -> Path:
    """A file of these parts; layout: claimed of the arrays instead of the truth."""
    header, arrays = parts
    truth = [[array.dtype.str, list(array.shape)] for array in arrays]
    line = json.dumps([header, truth if layout is None else layout]).encode()
    return forge(path, kind, line, b"".join(array.tobytes() for array in arrays))


@st.composite
def forged(draw: st.DrawFn, real: Parts) -> tuple[Parts, Any]:
    """A real file's parts, changed in one to three ways; and a layout, None where that is the truth."""
    header, arrays = copy.deepcopy(real[0]), [array.copy() for array in real[1]]
    layout = None
    for _ in range(draw(st.integers(1, 3))):
        way = draw(st.sampled_from(["header", "header", "header", "element", "element", "array", "layout"]))
        if way == "header" or not arrays:
            header = draw(_changed(header))
        elif way == "element":
            array = arrays[draw(st.integers(0, len(arrays) - 1))]
            if array.size:
                with np.errstate(all="ignore"):
                    index = draw(st.integers(0, array.size - 1))
                    array.flat[index] = np.array(draw(st.sampled_from(ODD_NUMBERS))).astype(array.dtype)
        elif way == "array":
            index = draw(st.integers(0, len(arrays) - 1))
            other = arrays[draw(st.integers(0, len(arrays) - 1))]
            change = draw(st.sampled_from(["drop", "other", "half", "twice", "reversed", "zeros", "flat"]))
            array = arrays[index]
            changes = {
                "drop": [],
                "other": [other],
                "half": [array[: len(array) // 2]],
                "twice": [np.concatenate((array, array))],
                "reversed": [array[::-1].copy()],
                "zeros": [np.zeros_like(array)],
                "flat": [array.reshape(-1)],
            }
            arrays[index : index + 1] = changes[change]
        else:
            layout = draw(_changed([[array.dtype.str, list(array.shape)] for array in arrays]))
    return (header, arrays), layout


@st.composite
def _changed(draw: st.DrawFn, value: Any) -> Any:
    """`value` with something inside it replaced, dropped or doubled."""
    is_here = not isinstance(value, list | dict) or not value or draw(st.integers(0, 5)) == 0
    if is_here:
        if type(value) in (int, float) and draw(st.booleans()):
            return draw(st.sampled_from([value + 1, value - 1, -value, value * 1e6, value * 1e-9, float(value)]))
        return copy.deepcopy(draw(st.sampled_from(ODD)))
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = draw(st.sampled_from(keys))
    way = draw(st.integers(0, 9))
    if way == 0:
        del value[key]
    elif way == 1 and isinstance(value, list):
        value.insert(key, copy.deepcopy(value[key]))
    elif way == 1:
        value[draw(st.sampled_from(["", "2", "3", "70000", "a", "\x1b[2J"]))] = value.pop(key)
    else:
        value[key] = draw(_changed(value[key]))
    return value


HISTORY, COSTS = whole_file.HISTORY, whole_file.COSTS
