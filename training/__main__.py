"""``python -m training FOLDER``: tokenizer and model, from the running Python's standard library and fixed seeds."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from .model import new_model, saved_model
from .tokenizer import train_tokenizer
from .train import CYCLES, save, train

parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
parser.add_argument("folder", type=Path, help="gets a folder per cycle, with log.jsonl and the folder model/")
parser.add_argument("--start", type=Path, help="weights of the first cycle, to run the second alone")
arguments = parser.parse_args()

torch.set_num_threads(1)
torch.manual_seed(0)
tokenizer = train_tokenizer(seed=0)
start = arguments.start
for number, settings in enumerate(CYCLES, 1):
    folder = arguments.folder / f"cycle-{number}"
    if number == 1 and start is not None:
        continue
    folder.mkdir(parents=True, exist_ok=True)
    model = new_model(tokenizer) if start is None else saved_model(start)
    start = folder / "model"
    save(train(model, tokenizer, settings, folder), tokenizer, start)
