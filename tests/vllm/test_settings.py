"""Settings are read from vLLM's additional_config, and refused by name when vLLM starts."""

from pathlib import Path
from typing import Any

import pytest

from ngramspec.vllm.settings import Settings


def test_settings_are_read_beside_those_of_others() -> None:
    given = {"other": 1, "ngramspec": {"history": "/a/history", "segment": "mail"}}
    assert Settings(Path("/a/history"), "mail") == Settings.of(given)


@pytest.mark.parametrize("given", [None, {}, {"ngramspec": {}}])
def test_without_settings_nothing_is_kept(given: Any) -> None:
    assert Settings(None, None) == Settings.of(given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"histroy": "/a"}, "may have history and segment, got 'histroy': did you mean 'history'"),
        ({"history": ""}, "history .* must be text, got ''"),
        ({"segment": 3}, "segment .* must be text, got 3"),
        ("history", "must be an object, got 'history'"),
    ],
)
def test_what_is_no_setting_is_refused_by_name(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings.of({"ngramspec": given})


@pytest.mark.parametrize(("index", "name"), [(0, "history"), (2, "history.2")])
def test_each_of_several_engines_has_a_history_of_its_own(index: int, name: str) -> None:
    assert Settings(Path("/a") / name, "mail") == Settings(Path("/a/history"), "mail").of_engine(index)
