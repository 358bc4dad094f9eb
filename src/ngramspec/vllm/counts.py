"""Passes counters from the engine's process to the one that serves /metrics, in a file in a folder of the user's.

vLLM's own channel carries only vLLM's own counters.
"""

import json
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from ngramspec.errors import NgramspecError
from ngramspec.files import writing
from ngramspec.files.checking import checked_int, checked_list, checked_number, checked_object
from ngramspec.files.reading import Bounds
from ngramspec.printing import named
from ngramspec.stats import Counters, GuardOutcome, Undrafted
from ngramspec.watching.drift import DriftCounts
from ngramspec.watching.figures import Watched, by_segment

BOUNDS = Bounds("a file of counters", NgramspecError, 1 << 25)

MOST = 1 << 62

NUMBERS = (
    *("requests", "tokens", "target_passes", "num_drafts", "num_draft_tokens", "num_accepted_tokens"),
    "num_shortened_drafts",
)
"""Fields of `Counters` that are whole numbers."""

TIMES = ("drafting_seconds", "steering_seconds", "masking_seconds", "verifying_seconds")
"""Fields of `Counters` that are times."""


class EngineCounts(NamedTuple):
    """segments: counters by segment, those of requests without one under "". drifts: by segment.

    num_errors: errors while drafting.
    """

    segments: Mapping[str, Counters]
    drifts: Mapping[str, DriftCounts]
    num_errors: int


def counts_file(instance: str, index: int) -> Path:
    """The file of one engine of this user. instance: vLLM's name, to which some engines append their index."""
    name = f"{instance.partition('_dp')[0]}-{index}.json"
    return Path(tempfile.gettempdir()) / f"ngramspec-{os.getuid()}" / name


def counts_of(watched: Watched, num_errors: int) -> EngineCounts:
    """The counts of `watched`."""
    return EngineCounts(by_segment(watched.stats), watched.drifts.counts, num_errors)


def publish(path: Path, counts: EngineCounts) -> None:
    """Write `counts`. Raises OSError, also if the folder does not belong to this user alone."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    _check_private(path.parent)
    segments = {name: asdict(counters) for name, counters in counts.segments.items()}
    drifts = {name: [drifted.fell, drifted.rose] for name, drifted in counts.drifts.items()}
    writing.replace(path, [json.dumps([segments, drifts, counts.num_errors]).encode()])


def published(path: Path) -> EngineCounts:
    """What `publish` wrote. Raises OSError if the file is missing, NgramspecError or ValueError if it is invalid."""
    _check_private(path.parent)
    with BOUNDS.opened(path) as file:
        content = json.loads(BOUNDS.content(file, named(path)))
    segments, drifts, num_errors = checked_list([content], "the counters", of=3)[0]
    return EngineCounts(
        {name: _counters(given) for name, given in checked_object(segments, "counters by segment", ()).items()},
        {name: _drifts(given) for name, given in checked_object(drifts, "drifts by segment", ()).items()},
        _count(num_errors),
    )


def _counters(given: object) -> Counters:
    reasons, outcomes, accepted = "num_undrafted_per_reason", "num_guarded_per_outcome", "num_accepted_tokens_per_pos"
    found = checked_object(given, "counters", (*NUMBERS, *TIMES, reasons, outcomes, accepted))
    numbers: dict[str, Any] = {name: _count(found[name]) for name in NUMBERS}
    numbers |= {name: checked_number(found[name], "a time", 0.0, MOST) for name in TIMES}
    return Counters(
        **numbers,
        num_accepted_tokens_per_pos=[_count(number) for number in checked_list(found[accepted], "counts by position")],
        num_undrafted_per_reason={Undrafted(why): _count(number) for why, number in _named(found[reasons])},
        num_guarded_per_outcome={GuardOutcome(how): _count(number) for how, number in _named(found[outcomes])},
    )


def _named(given: object) -> list[tuple[str, Any]]:
    return [*checked_object(given, "counts by name", ()).items()]


def _drifts(given: object) -> DriftCounts:
    fell, rose = checked_list([given], "the drifts of a segment", of=2)[0]
    return DriftCounts(_count(fell), _count(rose))


def _count(number: object) -> int:
    return checked_int(number, "a counter", 0, MOST)


def _check_private(folder: Path) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise OSError(f"{named(folder)} must be a folder of this user's alone: remove it")
