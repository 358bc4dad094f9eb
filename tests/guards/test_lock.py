"""No other thread is blocked for long, whatever is read: no work holds the interpreter's lock for more than 50 ms."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache

import pytest

from ngramspec.errors import GuardError
from ngramspec.guards import Guard, Limits
from tests.guards.vocabularies import BYTES

pytestmark = pytest.mark.usefixtures("machine_pace")

MOST_SECONDS = 0.05
MEGABYTE = 1_000_000
QUICK = Limits(max_seconds=2.0)
HIDDEN = 'start: "b"* s\ns: s s s | s s | "a"\n'
"""Ambiguous after a while: each further letter takes longer than the last one, and other threads stand still."""


class Ticking:
    """A thread that would tick each millisecond; longest: seconds that it stood still while this process computed.

    What others compute on a busy machine is not counted, so neither is their noise.
    """

    def __enter__(self) -> "Ticking":
        self.longest = 0.0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._tick)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _tick(self) -> None:
        then, spent = time.perf_counter(), time.process_time()
        while not self._is_over.wait(0.001):
            now, now_spent = time.perf_counter(), time.process_time()
            self.longest = max(self.longest, min(now - then, now_spent - spent))
            then, spent = now, now_spent


@cache
def guard(name: str) -> Guard:
    made: dict[str, Callable[[], Guard]] = {
        "any": lambda: Guard.regex("(?s:.*)", BYTES, limits=QUICK),
        "json": lambda: Guard.load("json", BYTES, limits=QUICK),
        "schema": lambda: Guard.json_schema({}, BYTES, limits=QUICK),
        "hidden": lambda: Guard.grammar(HIDDEN, BYTES, limits=QUICK),
        "nested": lambda: Guard.regex("((a{1,100}){1,100}){1,100}", BYTES, limits=QUICK),
        "between": lambda: Guard.regex("a*", BYTES, limits=QUICK).between("<", ">"),
        "after": lambda: Guard.regex("a*", BYTES, limits=QUICK).after("</think>"),
        "xgrammar": lambda: Guard.grammar('root ::= "b"* s\ns ::= s s | "a"', BYTES, backend="xgrammar", limits=QUICK),
    }
    return made[name]()


READ: dict[str, Callable[[], object]] = {
    "blank lines": lambda: Guard.grammar("\n" * 20_000 + ":", BYTES, limits=QUICK),
    "blank lines before a rule": lambda: Guard.grammar("\n" * (MEGABYTE - 20) + 'start: "a"', BYTES, limits=QUICK),
    "a name of a megabyte": lambda: Guard.grammar("a" * (MEGABYTE - 10) + "::= b:", BYTES, limits=QUICK),
    "signs of GBNF": lambda: Guard.grammar(": ::=" * (MEGABYTE // 5), BYTES, limits=QUICK),
    "quotes": lambda: Guard.grammar("start: " + '"' * (MEGABYTE - 20), BYTES, limits=QUICK),
    "a long regex": lambda: Guard.regex("a" * MEGABYTE, BYTES, limits=QUICK),
    "open groups": lambda: Guard.regex("(" * MEGABYTE, BYTES, limits=QUICK),
    "backslashes": lambda: Guard.regex("\\" * (MEGABYTE - 1), BYTES, limits=QUICK),
    "lookahead": lambda: Guard.regex("(?=a)" + "y" * (MEGABYTE - 5), BYTES, limits=QUICK),
    "a choice of signs": lambda: Guard.choice(["." * MEGABYTE], BYTES, limits=QUICK),
    "many choices": lambda: Guard.choice([f"k{index}" for index in range(100_000)], BYTES, limits=QUICK),
    "open brackets": lambda: Guard.json_schema("[" * MEGABYTE, BYTES, limits=QUICK),
    "many lists": lambda: Guard.json_schema('{"enum":[' + "[]," * 330_000 + "[]]}", BYTES, limits=QUICK),
    "many values": lambda: Guard.json_schema(json.dumps({"enum": list(range(140_000))}), BYTES, limits=QUICK),
    "blanks": lambda: Guard.json_schema(" " * (MEGABYTE - 2) + "{}", BYTES, limits=QUICK),
    "patterns": lambda: Guard.json_schema({"allOf": [{"pattern": f"x{i}y"} for i in range(22)]}, BYTES, limits=QUICK),
    "text": lambda: guard("any").accepts("é" * (MEGABYTE // 2)),
    "a head": lambda: guard("any").legal_head("x" * MEGABYTE),
    "nested JSON": lambda: guard("json").accepts("[" * MEGABYTE),
    "nested JSON of a schema": lambda: guard("schema").accepts("[" * MEGABYTE),
    "ambiguous text": lambda: guard("hidden").accepts("b" * 10_000 + "a" * MEGABYTE),
    "ambiguous text, on xgrammar": lambda: guard("xgrammar").accepts("b" * 10_000 + "a" * MEGABYTE),
    "nested repetitions": lambda: guard("nested").accepts("a" * MEGABYTE),
    "between markers": lambda: guard("between").accepts("<" + "a" * MEGABYTE),
    "before a marker": lambda: guard("after").accepts("x" * MEGABYTE),
}


def longest_hold(read: Callable[[], object]) -> float:
    with Ticking() as ticking, suppress(GuardError):  # what is refused, and why, is another test's claim
        read()
    return ticking.longest


@pytest.mark.parametrize("name", READ)
def test_reading_lets_other_threads_go_on(name: str) -> None:
    found = [longest_hold(READ[name])]
    while found[-1] > MOST_SECONDS and len(found) < 3:  # a machine that stops in between is no hold of ours
        found.append(longest_hold(READ[name]))
    assert min(found) < MOST_SECONDS, found


def test_the_clock_sees_a_thread_that_holds_the_lock() -> None:
    assert longest_hold(lambda: sum(range(10_000_000))) > MOST_SECONDS
