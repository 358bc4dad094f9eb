"""Untrusted input is answered or refused by name, and does no harm: no crash, no hang, no lock that is held."""

import gzip
import os
import re
import signal
import time
from pathlib import Path
from random import Random

import pytest

from ngramspec.testing.hostile import CORPUS, Bounds, Campaign, Input, Watchdog, drawn, files, play
from ngramspec.testing.hostile.child import TICK, Ticker
from ngramspec.testing.hostile.corpus import source

SMALL, MIDDLE, LARGE = 300, 3_000, 30_000


def test_hostile_inputs_are_answered_or_refused_by_name() -> None:
    bounds, sizes = Bounds(seconds=40.0, bytes=1 << 30), (MIDDLE, LARGE)
    result = Campaign(2 * len(CORPUS), seed=1, sizes=sizes, bounds=bounds).run()
    assert [] == [(finding.fault, finding.example) for finding in result.findings]
    assert 2 * len(CORPUS) == result.tried
    assert result.answered > 20
    assert result.refused > 20


def test_each_kind_of_input_is_drawn_with_each_size_and_the_same_ones_from_the_same_seed() -> None:
    sizes, backends = (SMALL, LARGE), ("llguidance", "xgrammar")
    count = len(CORPUS) * len(sizes) * len(backends)
    found = list(drawn(count + 3, 7, backends, sizes))
    assert count + 3 == len(found)
    assert count == len({(each.generator, each.size, each.backend) for each in found[:count]})
    assert found == list(drawn(count + 3, 7, backends, sizes))


@pytest.mark.parametrize("name", [name for name in CORPUS if not name.startswith("files.")])
def test_an_input_is_made_again_from_its_name_size_and_seed(name: str) -> None:
    texts = [source(Input(name, SMALL, seed)) for seed in (3, 3)]
    assert texts[0] == texts[1]
    assert "" != texts[0]


def test_an_error_that_is_none_of_ours_is_a_fault() -> None:
    outcome = play(Input("no such kind", SMALL))
    assert outcome.fault is not None
    assert outcome.fault.startswith("raised KeyError: 'no such kind' at corpus.py:")
    assert not outcome.is_crash


def test_a_process_that_dies_is_a_crash_and_the_next_input_has_another_one() -> None:
    with Watchdog() as watchdog:
        first = watchdog.ask(Input("regexes.letters", SMALL))
        assert watchdog._process is not None
        os.kill(watchdog._process.pid, signal.SIGKILL)
        second = watchdog.ask(Input("regexes.letters", SMALL))
        third = watchdog.ask(Input("regexes.letters", SMALL))
    assert [None, "the process died: signal SIGKILL", None] == [each.fault for each in (first, second, third)]
    assert [False, True, False] == [each.is_crash for each in (first, second, third)]


def test_inputs_that_take_too_long_or_too_much_are_killed() -> None:
    for bounds, fault in ((Bounds(seconds=0.0), "no answer in 0 s"), (Bounds(bytes=-1), "more than -1 MB")):
        with Watchdog(bounds) as watchdog:
            outcome = watchdog.ask(Input("schemas.properties", LARGE))
        assert fault == outcome.fault
        assert outcome.is_crash


def test_a_ticker_notices_a_thread_that_holds_the_lock() -> None:
    ticker = Ticker()
    time.sleep(5 * TICK)
    ticker.longest, start = 0.0, time.process_time()
    re.match("(a|a)+b", "a" * 22)  # one call of C, which lets no other thread in
    computed = time.process_time() - start
    time.sleep(5 * TICK)
    assert computed / 2 < ticker.longest <= computed + 5 * TICK


def test_hostile_files_are_what_they_are_called(tmp_path: Path) -> None:
    for name in files.NAMES:
        folder = tmp_path / name
        folder.mkdir()
        path = files.make(name, SMALL, Random(1), folder)
        assert (name != "nowhere") == path.exists()
        assert (name == "pipe") == path.is_fifo()
        assert (name == "zero") == path.is_char_device()
    with gzip.open(tmp_path / "bomb" / "bomb") as file:
        assert 1000 * SMALL <= len(file.read())
