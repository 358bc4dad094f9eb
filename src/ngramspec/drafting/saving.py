"""What outlives a restart: histories, sketches, and what was learnt of survival."""

from pathlib import Path
from typing import Any

import numpy.typing as npt

from ngramspec.drafting import whole_file
from ngramspec.drafting.segments import Segments
from ngramspec.drafting.sketch import Sketches
from ngramspec.drafting.survival import LAYOUT, Survival
from ngramspec.errors import HistoryError, shortened


def save(path: Path, fingerprint: str, survival: Survival, segments: Segments) -> None:
    """See `AdaptiveLookup.save`."""
    arrays: list[npt.NDArray[Any]] = [survival.lessons(), survival.lessons(segments.unnamed.weights)]
    listed = []
    for segment, text, num_reference_tokens, sketches in segments.snapshot():
        listed.append({"name": segment.name, "reference_tokens": num_reference_tokens})
        arrays += [text, *sketches.arrays(), survival.lessons(segment.weights)]
    header = {"fingerprint": fingerprint, "survival": LAYOUT, "segments": listed}
    whole_file.write(path, whole_file.HISTORY, header, arrays)


def load(path: Path, fingerprint: str, survival: Survival, segments: Segments) -> None:
    """Fill `survival` and `segments`, which are new; see `AdaptiveLookup.load`."""
    header, arrays = whole_file.read(path, whole_file.HISTORY)
    if header["fingerprint"] != fingerprint:
        raise HistoryError(
            f"a history serves the tokenizer that it was made with, of fingerprint {shortened(header['fingerprint'])},"
            f" got {shortened(fingerprint)} for {path}: load it with that tokenizer, or keep another file for this one"
        )
    # Weights mean nothing to an ngramspec with other features: it learns anew, and has the texts all the same.
    is_known = header["survival"] == LAYOUT
    if is_known:
        survival.take_over(arrays[0])
        survival.take_over(arrays[1], segments.unnamed.weights)
    of_segments = iter(arrays[2:])
    for listed in header["segments"]:
        text, grams, places, lessons = (next(of_segments) for _ in range(4))
        sketches = Sketches.of_arrays(grams, places)
        segment = segments.restore(listed["name"], text, listed["reference_tokens"], sketches)
        if is_known:
            survival.take_over(lessons, segment.weights)
