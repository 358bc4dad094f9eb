"""`ngramspec fuzz` without the packages of its extra."""

import sys
import tomllib
from pathlib import Path

import pytest

from tests.cli.conftest import Command

ROOT = Path(__file__).parents[2]


def test_without_hypothesis_the_extra_is_named(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("ngramspec.testing.fuzzing", "hypothesis"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    outcome = run("fuzz", "--regex", "a")
    assert outcome.code == 2
    assert outcome.errors == "ngramspec: ngramspec fuzz needs hypothesis: pip install 'ngramspec[fuzz]'\n"


def test_the_extra_brings_both_backends_that_are_held_against_each_other() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras["xgrammar"]) < set(extras["fuzz"])
