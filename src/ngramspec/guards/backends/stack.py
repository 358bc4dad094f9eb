"""Calls on a stack of known size, so that what succeeded in a worker's thread also succeeds in any caller's."""

import threading
from collections.abc import Callable
from typing import TypeVar

from ngramspec import forking

T = TypeVar("T")

SHARE = 2
"""The stack is this many times the size of the one on which the same call succeeded."""

_lock = forking.lock()


def on_a_stack(num_bytes: int, call: Callable[[], T]) -> T:
    """The result of `call` in a thread with SHARE times `num_bytes` of stack; the wait can be interrupted."""
    found: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            found.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    with _lock:  # the size is a setting of the process, for threads that start from now on
        before = threading.stack_size(SHARE * num_bytes)
        try:
            thread.start()
        finally:
            threading.stack_size(before)
    thread.join()
    if errors:
        raise errors[0]
    return found[0]
