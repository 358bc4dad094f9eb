from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from ngramspec import Speculator
from ngramspec.pico import PICO_PATH, edit_prompt, extract_prompt, load_pico
from ngramspec.pico.demo_inputs import DemoInput, demo_inputs
from training.evaluate import complete
from training.score import score
from training.tasks import TASKS

MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(PICO_PATH, local_files_only=True)
    return loaded


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise AssertionError("pico must load without network")

    with monkeypatch.context() as patch:
        patch.setattr("socket.socket.connect", refuse)
        yield


def test_the_folder_takes_at_most_8_mb() -> None:
    shipped = [path for path in PICO_PATH.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in shipped) <= 8 * MEBIBYTE
    assert {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "README.md"} <= {
        path.name for path in shipped
    }


@pytest.mark.usefixtures("no_network")
def test_it_loads_offline_as_a_plain_llama() -> None:
    model, tokenizer = load_pico()
    assert type(model).__name__ == "LlamaForCausalLM"
    assert not model.training
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model.config.max_position_embeddings >= 1024
    assert model.config.vocab_size == len(tokenizer)
    assert len({tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}) == 3


def test_importing_the_prompt_formats_imports_no_torch() -> None:
    code = "import sys, ngramspec.pico, ngramspec.pico.demo_inputs as d; d.demo_inputs(); print('torch' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "False"


@settings(deadline=None)
@given(text=st.text())
def test_the_tokenizer_gives_any_text_back(tokenizer: PreTrainedTokenizerBase, text: str) -> None:
    ids = tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids
    assert tokenizer.decode(ids) == text


@given(name=st.from_regex(r"[a-z]{1,12}(_[a-z]{1,12})?", fullmatch=True), before=st.sampled_from(' "(\n.'))
def test_a_name_has_the_same_tokens_wherever_it_stands(
    tokenizer: PreTrainedTokenizerBase, name: str, before: str
) -> None:
    alone = tokenizer(name, add_special_tokens=False).input_ids
    behind = tokenizer(before + name, add_special_tokens=False).input_ids
    assert behind[-len(alone) :] == alone


def test_prompts_begin_with_bos_and_do_not_end_the_sequence(tokenizer: PreTrainedTokenizerBase) -> None:
    ids = tokenizer(edit_prompt("old", "new", "def old(): pass")).input_ids
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.eos_token_id not in ids


def test_extraction_without_fields_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one field"):
        extract_prompt("Invoice A-17.", {})


@pytest.mark.parametrize("case", demo_inputs(), ids=lambda case: str(case.name))
def test_drafts_are_accepted_on_every_demo_input_and_leave_the_text_alone(case: DemoInput) -> None:
    model, tokenizer = load_pico()
    inputs = tokenizer(case.prompt, return_tensors="pt")
    spec = Speculator()
    generate = model.generate
    plain = generate(**inputs, max_new_tokens=96, do_sample=False)  # type: ignore[operator]
    fast = generate(**inputs, max_new_tokens=96, do_sample=False, custom_generate=spec)  # type: ignore[operator]
    assert fast.tolist() == plain.tolist()
    assert spec.stats.total.num_accepted_tokens > 0


# The model card's figures, less two and a half standard deviations of 60 items.
@pytest.mark.parametrize(("task", "share"), [("edit", 0.4), ("extract", 0.7)])
def test_held_back_items_are_answered_exactly_as_often_as_promised(task: str, share: float) -> None:
    model, tokenizer = load_pico()
    rng = random.Random(task)
    assert score(model, tokenizer, [TASKS[task](rng, held_back=True) for _ in range(60)]).exact >= share


def test_the_score_of_one_pass_is_that_of_greedy_decoding() -> None:
    model, tokenizer = load_pico()
    rng = random.Random(0)
    examples = [TASKS["extract"](rng, held_back=True) for _ in range(12)]
    right = [complete(model, tokenizer, example) == example.answer for example in examples]
    assert {True, False} == set(right)
    assert sum(right) / len(right) == score(model, tokenizer, examples).exact
