"""Loads the model of a command: pico, a folder, or a name on the hub."""

import os
from typing import Any

from ngramspec.cli.models import Loaded
from ngramspec.pico import load_pico
from ngramspec.replay.pretrained import MODEL, PICO, TOKENIZER, unloadable


def load(name: str, dtype: str | None = None) -> Loaded:
    """Load a model, to the GPU if there is one (pico stays on the CPU).

    dtype: the precision to compute in, "float64" for example; default: the one that the model was saved in.
    """
    import torch
    from transformers.utils import logging

    logging.set_verbosity_error()  # commands print themselves what the user needs
    logging.disable_progress_bar()
    if name == PICO:
        # Its layers are small: under other load, two threads wait for each other, and take many times as long as one.
        torch.set_num_threads(1)
        model, tokenizer = load_pico()
        return Loaded(name, model.to(getattr(torch, dtype)) if dtype else model, tokenizer)
    return _load_pretrained(name, dtype)


def _load_pretrained(name: str, dtype: str | None) -> Loaded:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    path = os.path.expanduser(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
        config = AutoConfig.from_pretrained(path)
        kind: Any = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        model: Any = kind.from_pretrained(path, dtype=dtype or "auto")
    except (OSError, ValueError) as error:
        raise OSError(
            f"--model must be {PICO}, a model's folder or its name on the hub,"
            f" got {name!r}: {unloadable(name, MODEL | TOKENIZER, error)}"
        ) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # as plain generate() does
    if torch.cuda.is_available():
        model = model.cuda()
    return Loaded(name, model, tokenizer)
