from __future__ import annotations

import ast
import json
import platform
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.pico.demo_inputs import demo_inputs
from training import demo
from training.corpus import functions, is_held_back, paragraphs
from training.drills import hard_places, hardest
from training.evaluate import interval
from training.records import record
from training.rename import is_free, renamable, rename
from training.tasks import TASKS, Example

seeds = st.integers(0, 2**32)
sides = st.booleans()


class Renamer(ast.NodeTransformer):
    """The slow way: rename on the syntax tree."""

    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        names = {ast.Name: "id", ast.arg: "arg", ast.FunctionDef: "name", ast.AsyncFunctionDef: "name"}
        field = names.get(type(node))
        if field and getattr(node, field) == self.old:
            setattr(node, field, self.new)
        return self.generic_visit(node)


@pytest.mark.parametrize("task", TASKS)
@settings(deadline=None, max_examples=20)
@given(seed=seeds, held_back=sides)
def test_the_same_seed_gives_the_same_example(task: str, seed: int, held_back: bool) -> None:
    make = TASKS[task]
    assert make(random.Random(seed), held_back=held_back) == make(random.Random(seed), held_back=held_back)


@settings(deadline=None, max_examples=100)
@given(seed=seeds, held_back=sides)
def test_an_edit_renames_the_name_on_the_syntax_tree_and_nothing_else(seed: int, held_back: bool) -> None:
    example = TASKS["edit"](random.Random(seed), held_back=held_back)
    match = re.fullmatch(r"### rename (\w+) to (\w+)\n(.*)\n### answer\n", example.prompt, re.DOTALL)
    assert match
    old, new, source = match.groups()
    expected = Renamer(old, new).visit(ast.parse(source))
    assert ast.dump(expected) == ast.dump(ast.parse(example.answer))
    assert example.answer != source
    assert rename(example.answer, new, old) == source


@settings(deadline=None, max_examples=200)
@given(seed=seeds, held_back=sides)
def test_an_extraction_is_json_of_the_fields_asked_for_and_its_values_stand_in_the_text(
    seed: int, held_back: bool
) -> None:
    example = TASKS["extract"](random.Random(seed), held_back=held_back)
    heading, text = example.prompt.split("\n", 1)
    shape = heading.removeprefix("### extract ")
    template, answer = json.loads(shape), json.loads(example.answer)
    assert list(template) == list(answer)
    assert all(isinstance(value, str) == (template[name] == "") for name, value in answer.items())
    assert all(str(value) in text for value in answer.values())
    # Spaced alike: punctuation between values is what is left when texts and numbers are taken out.
    outside = re.compile(r'"[^"]*"|[0-9.]+')
    assert outside.sub("", shape) == outside.sub("", example.answer)


@settings(deadline=None, max_examples=200)
@given(seed=seeds)
def test_a_record_states_all_its_values(seed: int) -> None:
    made = record(random.Random(seed), held_back=True)
    assert all(value in made.text for value in made.values.values())
    assert all(is_held_back(value) for name, value in made.values.items() if name not in made.numeric)


@settings(deadline=None, max_examples=100)
@given(seed=seeds, held_back=sides)
def test_a_rewrite_changes_the_one_passage(seed: int, held_back: bool) -> None:
    example = TASKS["rewrite"](random.Random(seed), held_back=held_back)
    text = example.prompt.split("\n", 1)[1].removesuffix("\n### answer\n")
    assert any(
        text.replace(old, new, 1) == example.answer and text.count(old) == 1
        for old, new in _corrections(example.prompt)
    )


def test_names_that_are_more_than_names_are_not_renamed() -> None:
    source = 'def get(key, size):\n    "The key."\n    size = limit = self.limit\n    return size, other(limit=1)\n'
    assert renamable(source) == ("get", "size")
    assert not is_free(source, "limit")
    assert not is_free(source, "class")


RECORD = "Ada Brisk chairs it. Guests: 42. In room A-17."


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('{"guests": 42, "room": "A-17"}', 0),
        ('{"guests":42,"room":"A-17"}', 1),
        ('{"chair":"Ada Brisk","room":"A-17"}', 1),
        ('{"chair":"Ada Brisk","guests":42}', 2),
    ],
)
def test_numbers_without_a_space_and_values_that_open_a_sentence_are_hard(answer: str, expected: int) -> None:
    assert hard_places(Example("extract", f"### extract {{}}\n{RECORD}\n### answer\n", answer)) == expected


def test_the_hardest_edit_has_most_new_names_per_character() -> None:
    def edit(source: str) -> Example:
        return Example("edit", f"### rename a to b\n{source}\n### answer\n", source.replace("a", "b"))

    few, many = edit("def f(a): return a, 1, 2"), edit("def f(a): return a, a, a")
    assert (hard_places(few), hard_places(many)) == (2, 4)
    assert hardest([few, many, few]) is many
    assert hardest([few, edit("def f(a): return a, 3, 4")]) is few


def test_the_interval_is_wilsons() -> None:
    assert interval(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)


def test_no_text_is_on_both_sides_of_the_split() -> None:
    sources = [{function.source for function in functions(held_back=side)} for side in (False, True)]
    assert not sources[0] & sources[1]
    assert not set(paragraphs(held_back=False)) & set(paragraphs(held_back=True))


def test_demo_inputs_are_held_back() -> None:
    edit, extract, rewrite = demo_inputs()
    source = edit.prompt.split("\n", 1)[1].removesuffix("\n### answer\n")
    assert source not in {function.source for function in functions(held_back=False)}
    name = edit.origin.partition(",")[0].split(".")
    assert any(is_held_back(".".join(name[:end])) for end in range(1, len(name)))
    values = [value for value in json.loads(extract.expected).values() if isinstance(value, str)]
    assert all(is_held_back(value) for value in values)
    assert any(is_held_back(old) and is_held_back(new) for old, new in _corrections(rewrite.prompt))


def test_demo_inputs_are_right() -> None:
    edit, extract, rewrite = demo_inputs()
    heading, source = edit.prompt.removesuffix("\n### answer\n").split("\n", 1)
    old, new = heading.removeprefix("### rename ").split(" to ")
    assert ast.dump(Renamer(old, new).visit(ast.parse(source))) == ast.dump(ast.parse(edit.expected))
    assert all(str(value) in extract.prompt for value in json.loads(extract.expected).values())
    assert any(
        rewrite.prompt.split("\n", 1)[1].removesuffix("\n### answer\n").replace(old, new) == rewrite.expected
        for old, new in _corrections(rewrite.prompt)
    )


def test_demo_inputs_are_those_of_the_rule() -> None:
    """The first that pico answers right: the generated ones on any Python, the function on its own version."""
    edit, extract, rewrite = demo_inputs()
    assert extract == demo.first_right(demo.extracts())
    assert rewrite == demo.first_right(demo.rewrites())
    if f"Python {platform.python_version()}," in edit.origin:
        assert edit == demo.first_right(demo.edits())


def _corrections(prompt: str) -> list[tuple[str, str]]:
    # ` to ` may stand inside of a passage as well: all ways to read the heading.
    heading = prompt.split("\n", maxsplit=1)[0].removeprefix("### correct ")
    parts = heading.split(" to ")
    return [(" to ".join(parts[:end]), " to ".join(parts[end:])) for end in range(1, len(parts))]
