"""The pages are right: the README's section on structured output, docs/guards.md and the how-to pages are run."""

import doctest
import re
from pathlib import Path
from typing import Any

import outlines
import pytest
from pydantic import BaseModel, Field

import ngramspec
from ngramspec.errors import GuardWarning
from ngramspec.pico import extract_prompt

ROOT = Path(__file__).parents[1]
PROGRAMS = ["howto/generate.md", "howto/structured-output.md", "howto/fuzz.md", "coming-from/outlines.md"]
"""Pages whose Python is one program."""


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """What the pages take for given: a model, its tokenizer, a prompt and a Speculator."""
    model, tokenizer = ngramspec.load_pico()
    prompt = extract_prompt("Our invoice B/20934 is attached. It comes to 12.5 dollars.", {"number": "", "total": 0})
    return {
        "BaseModel": BaseModel,
        "Field": Field,
        "inputs": tokenizer([prompt, prompt], return_tensors="pt"),
        "model": model,
        "ngramspec": ngramspec,
        "outlines": outlines,
        "prompt": prompt,
        "spec": ngramspec.Speculator(),
        "tokenizer": tokenizer,
    }


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def test_the_readmes_section_on_structured_output_runs(names: dict[str, Any]) -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    [section] = re.findall(r"^## Structured output\n(.*?)^## ", page, re.MULTILINE | re.DOTALL)
    code = blocks(section, "python")
    assert code
    for block in code:
        exec(block, names)
    width = names["inputs"]["input_ids"].shape[1]
    for text in names["tokenizer"].batch_decode(names["out"][:, width:], skip_special_tokens=True):
        assert names["guard"].accepts(text)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.filterwarnings(f"ignore:llguidance leaves out:{GuardWarning.__module__}.{GuardWarning.__qualname__}")
def test_the_program_of_a_page_runs_and_what_it_asserts_holds(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # it saves files
    code = blocks((ROOT / "docs" / name).read_text(encoding="utf-8"), "python")
    assert len(code) >= 3
    exec("\n".join(code), {"__name__": "page"})


def test_the_examples_in_docs_guards_do_what_they_show(names: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "guards.md").read_text(encoding="utf-8")
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    test = doctest.DocTestParser().get_doctest("\n".join(blocks(page, "python")), names, "guards.md", None, None)
    runner.run(test)
    assert (0, len(test.examples)) == (runner.failures, runner.tries)
    assert len(test.examples) >= 10
