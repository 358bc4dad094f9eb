"""``python -m training FOLDER``: tokenizer and model, from the running Python's standard library and fixed seeds."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from .tokenizer import train_tokenizer
from .train import Settings, save, train

parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
parser.add_argument("folder", type=Path, help="gets log.jsonl and the folder model/")
parser.add_argument("--steps", type=int, default=2600)
parser.add_argument("--decay-from", type=int, default=1000, help="step from which the learning rate falls to zero")
arguments = parser.parse_args()

torch.set_num_threads(1)
arguments.folder.mkdir(parents=True, exist_ok=True)
tokenizer = train_tokenizer(seed=0)
settings = Settings(num_steps=arguments.steps, decay_from=arguments.decay_from)
save(train(tokenizer, settings, arguments.folder), tokenizer, arguments.folder / "model")
