"""Every example runs as users run it: as a program, in an empty folder, with default settings."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))

NEEDS = {"ray_batch.py": ["ray.data"], "ray_llm.py": ["ray.data", "vllm"]}
"""Packages that are not among those of the tests: `make test-ray` and `make test-vllm` have them."""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs_and_what_it_claims_with_assert_holds(path: Path, tmp_path: Path) -> None:
    for package in NEEDS.get(path.name, ()):
        pytest.importorskip(package)
    done = subprocess.run([sys.executable, path], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip(), "an example shows something"


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5
