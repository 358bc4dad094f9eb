"""Shared by several tests of drafting."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture
def impatient_threads() -> Iterator[None]:
    """Threads take turns as often as they can, so that whatever can come between does."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)
