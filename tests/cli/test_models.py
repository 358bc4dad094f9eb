"""`--model` and `--tokenizer`: if something cannot be loaded, the error says why, without the network."""

import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from ngramspec.cli.loading import load
from ngramspec.replay import load_tokenizer

RULE = "--model must be pico, a model's folder or its name on the hub, got "


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def without(model: Path, tmp_path: Path, *names: str) -> Path:
    folder = tmp_path / "less"
    shutil.copytree(model, folder)
    for name in names:
        (folder / name).unlink()
    return folder


def why(name: object) -> str:
    with pytest.raises(OSError, match="--model must be") as caught:
        load(str(name))
    return str(caught.value).removeprefix(f"{RULE}{str(name)!r}: ")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/typo", "there is no such folder"),
        ("./typo", "there is no such folder"),
        ("~/typo", "there is no such folder"),
        ("a/b/c", "there is no such folder"),
        ("a b", "there is no such folder, and the hub allows no such name"),
        ("picco", "there is no such folder, and the hub's cache holds no such name, and HF_HUB_OFFLINE is set"
                  " (did you mean pico?): name a folder, or unset it to download"),
        ("some-owner/no-such-model", "there is no such folder, and the hub's cache holds no such name, and"
                                     " HF_HUB_OFFLINE is set: name a folder, or unset it to download"),
    ],
)  # fmt: skip
def test_a_name_that_is_none_is_explained(name: str, reason: str) -> None:
    assert reason == why(name)


def test_a_folder_that_is_called_nearly_so_is_named(model: Path) -> None:
    assert f"there is no such folder (did you mean {model}?)" == why(f"{model}x")


def test_a_file_is_distinguished_from_its_folder(model: Path) -> None:
    assert "this is a file: name the folder that it is in" == why(model / "model.safetensors")


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (["config.json"], "configuration (config.json)"),
        (["model.safetensors"], "weights (*.safetensors* or *.bin*)"),
        (["tokenizer.json", "tokenizer_config.json"],
         "tokenizer (tokenizer* or vocab* or *.model or *.tiktoken or tekken.json)"),
    ],
)  # fmt: skip
def test_a_folder_says_what_it_lacks(model: Path, tmp_path: Path, names: list[str], missing: str) -> None:
    expected = f"this folder holds no {missing}: name one that save_pretrained wrote"
    assert expected == why(without(model, tmp_path, *names))


def test_a_broken_model_is_reported_in_the_loaders_own_words(model: Path, tmp_path: Path) -> None:
    folder = without(model, tmp_path)
    (folder / "config.json").write_text("{")
    assert "config.json" in why(folder)


def test_a_tokenizers_name_is_explained_alike(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"got '/typo': there is no such folder$"):
        load_tokenizer("/typo")
    with pytest.raises(OSError, match=r"this folder holds no tokenizer \("):
        load_tokenizer(str(tmp_path))
