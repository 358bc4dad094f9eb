"""A job on a local Ray cluster of two actors: each row gets one answer, that of one process, whatever actor dies."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray.data", reason="`make test-ray` has an environment with Ray")

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import ray

import ngramspec
from examples.ray_batch import Batch, Writer, run
from ngramspec.pico import extract_prompt, repeat_prompt

NUM_ROWS = 96
ITEMS, CITIES = ("green lamp", "steel chair", "oak shelf"), ("Bremen", "Turin", "Oslo", "Graz")


@pytest.fixture(scope="module")
def prompts() -> list[str]:
    """Of several kinds and lengths, each another."""
    orders = [
        f"Order K/{number * 37} came in. The item is a {ITEMS[number % 3]}. Ship it to {CITIES[number % 4]}."
        for number in range(NUM_ROWS)
    ]
    forms = ({"order": "", "ship_to": ""}, {"item": ""})
    return [
        repeat_prompt(order) if number % 3 == 2 else extract_prompt(order, forms[number % 3])
        for number, order in enumerate(orders)
    ]


@pytest.fixture(scope="module")
def expected(prompts: list[str]) -> dict[int, str]:
    """The answers of one process, each prompt alone, without drafts."""
    model: Any
    tokenizer: Any
    model, tokenizer = ngramspec.load_pico()
    answers = {}
    for number, prompt in enumerate(prompts):
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        plain = model.generate(ids, max_new_tokens=80)[0, ids.shape[1] :]
        answers[number] = tokenizer.decode(plain, skip_special_tokens=True)
    return answers


@contextmanager
def cluster() -> Iterator[None]:
    """A CPU for each actor, and some to read and write."""
    paths = os.pathsep.join(path for path in sys.path if path)
    ray.init(num_cpus=4, include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": paths}})
    try:
        yield
    finally:
        ray.shutdown()


@pytest.fixture
def job(tmp_path: Path, prompts: list[str]) -> Path:
    """A folder with the prompts."""
    (tmp_path / "prompts").mkdir()
    table = pa.table({"id": range(NUM_ROWS), "prompt": prompts})
    pq.write_table(table, tmp_path / "prompts" / "0.parquet")
    return tmp_path


def rows_of(job: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(job / "answers").to_pylist()
    return sorted(rows, key=lambda row: row["id"])


def asked(job: Path) -> list[str]:
    """Lines that actors have written while they worked."""
    return (job / "asked").read_text().split()


def assert_answered(expected: dict[int, str], job: Path) -> None:
    rows = rows_of(job)
    assert [*expected.items()] == [(row["id"], row["answer"]) for row in rows]
    assert sum(row["tokens"] for row in rows) > 1.5 * sum(row["passes"] for row in rows)


def test_answers_are_those_of_one_process_also_when_an_actor_is_killed(job: Path, expected: dict[int, str]) -> None:
    killed, log = job / "killed", job / "asked"

    class Mortal(Writer):
        """One of them dies in the middle of its second batch."""

        num_batches = 0

        def __call__(self, batch: Batch) -> Batch:
            with log.open("a") as file:
                file.writelines(f"{number}\n" for number in batch["id"])
            answered = super().__call__(batch)
            self.num_batches += 1
            if self.num_batches == 2 and not killed.exists():
                killed.write_text(str(os.getpid()))
                os.kill(os.getpid(), signal.SIGKILL)
            return answered | {"process": np.full(len(batch["id"]), os.getpid())}

    with cluster():
        run(job, Mortal)
    assert_answered(expected, job)
    assert int(killed.read_text()) in {row["process"] for row in rows_of(job)}  # it had answered some before
    assert NUM_ROWS < len(asked(job)) < 2 * NUM_ROWS  # and some were asked again


def test_a_job_that_was_stopped_goes_on_where_it_was(job: Path, expected: dict[int, str]) -> None:
    log = job / "asked"

    class Stopped(Writer):
        """Fails as soon as some answers are kept."""

        num_batches = 0

        def __call__(self, batch: Batch) -> Batch:
            self.num_batches += 1
            if self.num_batches > 2:
                wait_for_answers(job)
                raise RuntimeError("no more")
            return super().__call__(batch)

    class Logged(Writer):
        def __call__(self, batch: Batch) -> Batch:
            with log.open("a") as file:
                file.writelines(f"{number}\n" for number in batch["id"])
            return super().__call__(batch)

    with pytest.raises(Exception, match="no more"), cluster():
        run(job, Stopped)
    kept = {number for path in committed(job) for number in pq.read_table(path)["id"].to_pylist()}
    assert 0 < len(kept) < NUM_ROWS
    with cluster():
        run(job, Logged)
    assert_answered(expected, job)
    assert {*range(NUM_ROWS)} - kept == {*map(int, asked(job))}


def committed(job: Path) -> list[Path]:
    """The files of Ray's in which it keeps which rows have their answers."""
    return [path for path in (job / "done").glob("*.parquet") if ".pending" not in path.name]


def wait_for_answers(job: Path) -> None:
    """Until some are kept, for a minute at most."""
    for _ in range(600):
        if committed(job):
            return
        time.sleep(0.1)
