"""`ngramspec fuzz --hostile` prints what was tried, the slowest and largest inputs, and how to repeat a finding."""

import pytest

from ngramspec.cli.hostile import as_dict, show
from ngramspec.testing.hostile import Input, Result, play

FINE, FOREIGN = Input("regexes.letters", 300, 3), Input("no such\x1b[31m kind", 300)


def found() -> Result:
    result = Result()
    result.add(play(FINE))
    return result


def test_the_output_names_the_slowest_and_the_largest_input(capsys: pytest.CaptureFixture[str]) -> None:
    show(found(), again="ngramspec fuzz --hostile --seed 1")
    lines = capsys.readouterr().out.splitlines()
    assert "1 hostile inputs: 1 answered, 0 refused by name" == lines[0]
    assert [True] * 3 == [line.endswith(f", {FINE}") for line in lines[1:4]]
    assert ["longest answer", "most memory", "longest hold of the lock"] == [
        line.partition(":")[0] for line in lines[1:4]
    ]
    assert ["crashes: 0", "", "nothing found"] == lines[4:]


def test_a_finding_comes_with_a_line_that_repeats_it_and_without_control_sequences(
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = found()
    outcome = play(FOREIGN)
    result.add(outcome)
    show(result, again="ngramspec fuzz --hostile --seed 1")
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert f"from ngramspec.testing.hostile import *; play({FOREIGN!r})" in text
    assert "1 findings; again: ngramspec fuzz --hostile --seed 1" in text
    assert [outcome.fault] == [finding["fault"] for finding in as_dict(result)["findings"]]
    assert (2, 1, 0, 0) == tuple(as_dict(result)[key] for key in ("tried", "answered", "refused", "crashes"))


def test_an_example_is_python_that_makes_the_same_input() -> None:
    assert FINE == eval(repr(FINE), {"Input": Input})
