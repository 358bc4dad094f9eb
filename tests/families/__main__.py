"""Tries every class that writes text, and writes down the results: `python -m tests.families > docs/families.md`.

It also writes the list of classes that passed, which is part of the package.
"""

import json
import logging
import os
import resource
import signal
import sys
import time
from dataclasses import asdict

import torch
import transformers

from tests.families.build import build
from tests.families.catalogue import Family, catalogue
from tests.families.table import KNOWN, drafted_classes, page
from tests.families.trial import Result, tried

SECONDS = 180
BYTES = 4 * 2**30
"""Allowed per family."""


def main(wanted: list[str]) -> None:
    """Print the page; with names of families, what became of those alone."""
    torch.set_num_threads(1)
    transformers.logging.set_verbosity(logging.CRITICAL)
    results: dict[str, list[tuple[Family, Result]]] = {}
    for section, families in catalogue().items():
        results[section] = []
        for family in families:
            if wanted and family.name not in wanted:
                continue
            start = time.monotonic()
            result = _in_child(family)
            results[section].append((family, result))
            print(f"{time.monotonic() - start:6.1f} s", family.name, result, file=sys.stderr, flush=True)
    if not wanted:
        text = page(results)
        KNOWN.write_text("\n".join(drafted_classes(text)) + "\n", encoding="utf-8")
        print(text)


def _in_child(family: Family) -> Result:
    """A process of its own for each family: one that crashes, or never ends, takes nothing with it."""
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        os.close(reads)
        signal.alarm(SECONDS)
        resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        os.write(writes, json.dumps(asdict(_built_and_tried(family))).encode())
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if not answer:
        return Result("not tried", f"it ended with signal {os.WTERMSIG(status)}")
    return Result(**json.loads(answer))


def _built_and_tried(family: Family) -> Result:
    try:
        model = build(family.config_class, family.model_class, settings=family.settings).double()
    except Exception as error:  # hundreds of classes, each with demands of its own
        text = " ".join(str(error).split())
        return Result("not tried", f"cannot be built here: {type(error).__name__}: {text[:200]}")
    try:
        return tried(model)
    except Exception as error:
        text = " ".join(str(error).split())
        return Result("WRONG", f"{type(error).__name__}: {text[:200]}")


if __name__ == "__main__":
    main(sys.argv[1:])
