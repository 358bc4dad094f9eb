"""Counters on their way from the engine's process to the one that serves /metrics: a file in a folder of the user's.

vLLM's own way takes vLLM's own counters only.
"""

import json
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ngramspec.errors import NgramspecError
from ngramspec.files import writing
from ngramspec.files.checking import checked_int, checked_list, checked_object, checked_text
from ngramspec.files.reading import Bounds
from ngramspec.printing import named
from ngramspec.stats import Stats

BOUNDS = Bounds("a file of counters", NgramspecError, 1 << 22)

COUNTED = ("tokens", "target_passes", "num_draft_tokens", "num_accepted_tokens")
"""Of `stats.Counters`, by segment."""

MOST = 1 << 62


class Counts(NamedTuple):
    """segments: by name, the numbers of COUNTED. num_errors: errors while drafting."""

    segments: Mapping[str, tuple[int, ...]]
    num_errors: int


def counts_file(instance: str, index: int) -> Path:
    """The file of one engine of this user's. instance: vLLM's name, to which some engines add their index."""
    name = f"{instance.partition('_dp')[0]}-{index}.json"
    return Path(tempfile.gettempdir()) / f"ngramspec-{os.getuid()}" / name


def counts_of(stats: Stats, num_errors: int) -> Counts:
    """What there is to tell of `stats`."""
    sums = {name: tuple(getattr(counters, each) for each in COUNTED) for name, counters in stats}
    return Counts(sums, num_errors)


def publish(path: Path, counts: Counts) -> None:
    """Write `counts`. Raises OSError, also for a folder that is not this user's alone."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    _check_private(path.parent)
    writing.replace(path, [json.dumps([dict(counts.segments), counts.num_errors]).encode()])


def published(path: Path) -> Counts:
    """What `publish` wrote. Raises OSError if there is none, NgramspecError and ValueError for what it cannot be."""
    _check_private(path.parent)
    with BOUNDS.opened(path) as file:
        content = json.loads(BOUNDS.content(file, named(path)))
    sums, num_errors = checked_list([content], "the counters", of=2)[0]
    sums = checked_object(sums, "counters by segment", ())
    segments = {checked_text(name, "a segment"): tuple(_checked(numbers)) for name, numbers in sums.items()}
    return Counts(segments, checked_int(num_errors, "the number of errors", 0, MOST))


def _checked(numbers: object) -> list[int]:
    if not isinstance(numbers, list) or len(numbers) != len(COUNTED):
        raise ValueError(f"a segment must have {len(COUNTED)} counters, got {numbers!r:.60}")
    return [checked_int(number, "a counter", 0, MOST) for number in numbers]


def _check_private(folder: Path) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise OSError(f"{named(folder)} must be a folder of this user's alone: remove it")
