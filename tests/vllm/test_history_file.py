"""A history outlives its engine."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.errors import HistoryError
from ngramspec.vllm.history_file import Saving, kept_drafter
from tests.vllm.engines import decode, drafting_of

ANSWER = [*range(300, 340)]


def test_a_history_is_drafted_from_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "history"
    drafter = kept_drafter(path, "tokenizer")
    decode(drafting_of(drafter), [[1, 2, 3]], [ANSWER], segment="a")
    drafter.save(path, "tokenizer")
    assert any(decode(drafting_of(kept_drafter(path, "tokenizer")), [[1, 2, 3]], [ANSWER], segment="a")[0])
    assert not any(decode(drafting_of(kept_drafter(None, "tokenizer")), [[1, 2, 3]], [ANSWER], segment="a")[0])


def test_a_file_that_cannot_be_the_history_is_named_at_the_start_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_bytes(b"mine")
    with pytest.raises(HistoryError):
        kept_drafter(path, "tokenizer")
    assert b"mine" == path.read_bytes()
    with pytest.raises(OSError, match="missing"):
        kept_drafter(tmp_path / "missing" / "history", "tokenizer")


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=60), st.integers(1, 9), st.integers(1, 9))
def test_what_is_new_is_saved_in_time_and_nothing_else(
    ticks: list[tuple[int, bool]], idle_ticks: int, busy_ticks: int
) -> None:
    """Each tick: answers that were kept in it, and whether the engine is idle then."""
    now = {"kept": 0, "idle": True}
    saved: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ngramspec.vllm.history_file.IDLE_TICKS", idle_ticks)
        patch.setattr("ngramspec.vllm.history_file.BUSY_TICKS", busy_ticks)
        saving = Saving(lambda: saved.append(now["kept"]), lambda: now["kept"], lambda: bool(now["idle"]))
        waited = 0
        for num_kept, is_idle in ticks:
            now["kept"], now["idle"] = now["kept"] + num_kept, is_idle
            saving.work(False)
            is_saved = saved[-1:] == [now["kept"]] or not now["kept"]
            waited = 0 if is_saved else waited + 1
            assert waited < max(idle_ticks, busy_ticks)
        saving.work(True)
    assert not now["kept"] or saved[-1] == now["kept"]
    assert saved == sorted(set(saved))
