"""State that survives a restart: histories, sketches and learnt weights."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ngramspec.drafting.core import LAYOUT, SEPARATOR, Survival, checked_mixing, checked_parameters
from ngramspec.drafting.segments import Segments
from ngramspec.errors import HistoryError, shortened
from ngramspec.files import whole_file
from ngramspec.files.checking import checked_int, checked_list, checked_object, checked_text
from ngramspec.printing import named

Array = npt.NDArray[Any]


def save(path: Path, fingerprint: str, survival: Survival, segments: Segments) -> None:
    """See `AdaptiveLookup.save`."""
    arrays: list[Array] = [survival.parameters(), survival.mixing()]
    listed = []
    for segment, text, num_reference_tokens, sketches in segments.snapshot():
        listed.append({"name": segment.name, "reference_tokens": num_reference_tokens})
        arrays += [text, *sketches.arrays()]
    header = {"fingerprint": fingerprint, "survival": LAYOUT, "segments": listed}
    whole_file.write(path, whole_file.HISTORY, header, arrays)


def load(path: Path, fingerprint: str, survival: Survival, segments: Segments, max_bytes: int) -> None:
    """Fill `survival` and `segments`, which are new; see `AdaptiveLookup.load`."""
    header, arrays = whole_file.read(path, whole_file.HISTORY, max_bytes)
    try:
        checked_object(header, "its header", ("fingerprint", "survival", "segments"))
        saved_with = checked_text(header["fingerprint"], "its fingerprint")
    except ValueError as error:
        raise whole_file.forged(whole_file.HISTORY, path, error) from error
    if saved_with != fingerprint:
        raise HistoryError(
            f"a history serves the tokenizer that it was made with, of fingerprint {shortened(saved_with)},"
            f" got {shortened(fingerprint)} for {named(path)}: load it with that tokenizer, or keep another file for"
            " this one"
        )
    try:
        _fill(header, arrays, survival, segments)
    except HistoryError:  # the references do not fit the bounds
        raise
    except ValueError as error:
        raise whole_file.forged(whole_file.HISTORY, path, error) from error


def _fill(header: dict[str, Any], arrays: Sequence[Array], survival: Survival, segments: Segments) -> None:
    # Weights are meaningless with other features: they are learnt again, and the texts are still loaded.
    is_known = header["survival"] == LAYOUT
    listed = checked_list(header["segments"], "its segments")
    if not is_known:
        arrays = _of_an_earlier_layout(arrays, len(listed))
    if len(arrays) != 2 + 3 * len(listed):
        raise ValueError(f"it must hold {2 + 3 * len(listed)} arrays for {len(listed)} segments, got {len(arrays)}")
    read = list(_read(listed, arrays[2:]))
    if is_known:
        survival.take_over(checked_parameters(arrays[0]), checked_mixing(arrays[1]))
    for name, num_reference_tokens, text, grams, positions in read:
        segments.restore(name, text, num_reference_tokens, grams, positions)


def _of_an_earlier_layout(arrays: Sequence[Array], num_segments: int) -> list[Array]:
    """The arrays in today's layout. Up to layout 6, segments had weights of their own; layout 7 has no mixing."""
    if len(arrays) == 2 + 4 * num_segments:
        return [*arrays[:2], *(array for number, array in enumerate(arrays[2:]) if number % 4 < 3)]
    if len(arrays) == 1 + 3 * num_segments:
        return [arrays[0], *arrays]
    return [*arrays]


def _read(listed: Sequence[Any], arrays: Sequence[Array]) -> Iterator[tuple[str, int, Array, Array, Array]]:
    """For each segment: its name, the number of reference tokens, its text, and its sketches."""
    names = set()
    for number, segment in enumerate(listed):
        checked_object(segment, "a segment", ("name", "reference_tokens"))
        name = checked_text(segment["name"], "the name of a segment")
        if name in names:
            raise ValueError(f"each segment must have a name of its own, got {shortened(name)} twice")
        names.add(name)
        text, grams, positions = arrays[3 * number : 3 * number + 3]
        num_reference_tokens = checked_int(segment["reference_tokens"], "the size of references", 0, text.size)
        _check_text(text, num_reference_tokens)
        _check_sketches(grams, positions, text, num_reference_tokens)
        yield name, num_reference_tokens, text, grams, positions


def _check_text(text: Array, num_reference_tokens: int) -> None:
    """Check that references and answers are token ids, and that a separator precedes each text."""
    if text.dtype != np.int32 or text.ndim != 1 or (text < 0).any():
        raise ValueError(f"the text of a segment must be token ids, int32[n], got {text.dtype}{list(text.shape)}")
    for start in (0, num_reference_tokens):
        if start < text.size and text[start] != SEPARATOR:
            raise ValueError(f"references and answers must begin with a separator, got token {text[start]} at {start}")


def _check_sketches(grams: Array, positions: Array, text: Array, num_reference_tokens: int) -> None:
    """Check that each n-gram has the start of an answer, and a count of at least one prompt."""
    if grams.dtype != np.uint64 or positions.dtype != np.int32 or grams.ndim != 1 or positions.shape != (grams.size, 2):
        raise ValueError(
            "sketches must be n-grams uint64[n] and positions and counts int32[n, 2], got"
            f" {grams.dtype}{list(grams.shape)} and {positions.dtype}{list(positions.shape)}"
        )
    if np.unique(grams).size != grams.size:
        raise ValueError("each n-gram of a sketch must be listed once, got one twice")
    starts, counts = positions[:, 0], positions[:, 1]
    is_within = (starts > num_reference_tokens) & (starts < text.size)
    if not is_within.all() or (text[starts - 1] != SEPARATOR).any() or (counts < 1).any():
        raise ValueError("an n-gram of a sketch must lead to the start of an answer, and occur in at least one prompt")
