"""Explains why transformers cannot load a model or tokenizer by a given name."""

import os
from difflib import get_close_matches
from pathlib import Path

PICO = "pico"
Files = dict[str, tuple[str, ...]]
"""Patterns of file names by content; one matching file suffices."""
TOKENIZER: Files = {"tokenizer": ("tokenizer*", "vocab*", "*.model", "*.tiktoken", "tekken.json")}
MODEL: Files = {"configuration": ("config.json",), "weights": ("*.safetensors*", "*.bin*")}


def unloadable(name: str, files: Files, error: Exception | None = None) -> str | None:
    """Why `name` cannot be loaded: what the disk shows, else the first line of transformers' `error`.

    None if neither says. The network is not used.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        missing = next((what for what, ways in files.items() if not any(any(path.glob(way)) for way in ways)), None)
        if missing is not None:
            return (
                f"this folder holds no {missing} ({' or '.join(files[missing])}): name one that save_pretrained wrote"
            )
    elif path.exists():
        return "this is a file: name the folder that it is in"
    elif _is_a_path(name):
        return f"there is no such folder{_did_you_mean(path)}"
    else:
        reason = _unknown_to_the_hub(name)
        if reason is not None:
            return reason
    return str(error).strip().partition("\n")[0] if error is not None else None


def _is_a_path(name: str) -> bool:
    """Whether a name cannot be a name on the hub, OWNER/NAME or NAME."""
    return name.startswith((".", "~", "/", "\\")) or name.count("/") > 1 or os.sep in name.replace("/", "")


def _unknown_to_the_hub(name: str) -> str | None:
    from huggingface_hub import constants, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    hint = _did_you_mean(Path(name))
    try:
        known = any(isinstance(try_to_load_from_cache(name, file), str) for file in ("config.json", "tokenizer.json"))
    except HFValidationError:
        return f"there is no such folder, and the hub allows no such name{hint}"
    if known or not constants.HF_HUB_OFFLINE:
        return None
    return (
        f"there is no such folder, and the hub's cache holds no such name, and HF_HUB_OFFLINE is set{hint}:"
        " name a folder, or unset it to download"
    )


def _did_you_mean(path: Path) -> str:
    """A hint at a folder beside the missing one, or a packaged model, with a similar name."""
    beside = [other for other in path.parent.iterdir() if other.is_dir()] if path.parent.is_dir() else []
    names = [other.name for other in beside] + ([PICO] if len(path.parts) == 1 else [])
    near = get_close_matches(path.name, names, n=1)
    return f" (did you mean {path.with_name(near[0])}?)" if near else ""
