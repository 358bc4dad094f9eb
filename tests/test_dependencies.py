"""The oldest environment of `make test` has the oldest versions that pyproject.toml allows, so these are tested."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ENVIRONMENTS = ("newest", "oldest")
ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TESTED = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]


def pins(name: str) -> dict[str, list[Version]]:
    """Versions by package in `.ci/<name>.txt`; several where they depend on Python's version."""
    lines = [Requirement(line) for line in (ROOT / ".ci" / f"{name}.txt").read_text().splitlines() if line[0] != "#"]
    found: dict[str, list[Version]] = {}
    for line in lines:
        [pin] = line.specifier
        found.setdefault(canonicalize_name(line.name), []).append(Version(pin.version))
    return found


def floors() -> dict[str, list[Version]]:
    """The declared floors by package, torch apart."""
    found: dict[str, list[Version]] = {}
    for line in map(Requirement, TESTED):
        [bound] = line.specifier
        assert ">=" == bound.operator
        found.setdefault(canonicalize_name(line.name), []).append(Version(bound.version))
    return found


def test_every_declared_floor_is_what_the_oldest_environment_pins() -> None:
    oldest = pins("oldest")
    assert "torch" in floors()
    expected = {name: sorted(versions) for name, versions in floors().items() if name != "torch"}
    assert expected == {name: sorted(oldest[name]) for name in expected}


@pytest.mark.parametrize("name", ["xgrammar", "instructor"])
def test_what_is_apart_from_the_extra_is_pinned_too(name: str) -> None:
    [wanted] = [Requirement(line) for line in (ROOT / ".ci" / f"{name}.in").read_text().splitlines() if line[0] != "#"]
    assert [[True], [True]] == [[wanted.specifier.contains(pin) for pin in pins(env)[name]] for env in ENVIRONMENTS]


def test_the_oldest_torch_that_is_tried_is_the_declared_floor() -> None:
    tried = re.search(r"^OLDEST_TORCH \?= (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert tried is not None
    assert floors()["torch"] == [Version(tried[1])]


@pytest.mark.parametrize("name", ["transformers", "numpy", "rich", "typer", "outlines", "llguidance", "pytest"])
def test_the_newest_environment_is_newer(name: str) -> None:
    assert max(pins("newest")[name]) > max(pins("oldest")[name])
