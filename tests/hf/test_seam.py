"""The one module that uses transformers' names: a missing one is reported with its version, not blamed on a model."""

import ast
import builtins
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import transformers

import ngramspec
from ngramspec.hf import seam
from ngramspec.hf.choice import known_processors
from ngramspec.hf.seam import PIECES, UsedName

PACKAGE = Path(ngramspec.__file__).parent
PUBLIC = {
    "AutoConfig",
    "AutoModelForCausalLM",
    "AutoModelForSeq2SeqLM",
    "AutoTokenizer",
    "LlamaConfig",
    "LlamaForCausalLM",
    "PreTrainedModel",
    "PreTrainedTokenizerBase",
    "TextStreamer",
}
"""Public names of transformers' top level; any module may import them."""


def imports_of_transformers() -> Iterator[tuple[str, str, str]]:
    """Each import of transformers: file, module, name."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found = []
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                found = [(node.module, alias.name) for alias in node.names]
            elif isinstance(node, ast.Import):
                found = [(alias.name, "") for alias in node.names]
            for module, name in found:
                if module.split(".")[0] == "transformers":
                    yield str(path.relative_to(PACKAGE)), module, name


def test_no_other_module_imports_more_than_public_names_of_transformers() -> None:
    found = list(imports_of_transformers())
    assert any(file == "hf/seam.py" for file, _, _ in found)
    quiet = ("transformers.utils", "logging")
    others = [
        entry
        for entry in found
        if entry[0] != "hf/seam.py" and entry[1:] != quiet and not (entry[1] == "transformers" and entry[2] in PUBLIC)
    ]
    assert [] == others


@pytest.mark.parametrize(
    "name", ["_sample", "_prefill", "_supports_logits_to_keep", "_is_user_defined", "_mask_length"]
)
def test_no_other_module_speaks_private_names_of_transformers(name: str) -> None:
    speaking = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if f".{name}" in path.read_text(encoding="utf-8")
    ]
    assert not [path for path in speaking if path != "hf/seam.py"]


@pytest.mark.parametrize("piece", PIECES, ids=str)
def test_a_piece_that_is_missing_is_named_with_the_version_and_with_what_breaks(
    piece: UsedName, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert piece.is_there
    gone = {"sets": "_renamed"} if piece.sets is not None else {"parameter": "renamed"}
    if piece.sets is None and piece.parameter is None:
        gone = {"name": "renamed"}
    renamed = UsedName(**{"owner": piece.owner, "name": piece.name, "breaks": piece.breaks, **gone})
    monkeypatch.setattr(seam, "PIECES", (renamed,))
    with pytest.raises(ImportError) as error:
        seam.check()
    for said in (transformers.__version__, str(renamed), piece.breaks, seam.SUPPORTED):
        assert said in str(error.value)


@pytest.mark.parametrize("name", seam.__all__)
def test_a_class_or_function_that_is_missing_is_named_with_the_version(name: str) -> None:
    def without(module: str, *args: Any) -> Any:
        names = args[2] if len(args) > 2 else ()
        if module.startswith("transformers") and name in (names or ()):
            raise ImportError(f"cannot import name {name!r} from {module!r}")
        return builtins.__import__(module, *args)

    code = compile(Path(seam.__file__).read_text(encoding="utf-8"), seam.__file__, "exec")
    within = {"__name__": "seam", "__builtins__": {**vars(builtins), "__import__": without}}
    with pytest.raises(ImportError) as error:
        exec(code, within)
    for said in (transformers.__version__, name, seam.SUPPORTED):
        assert said in str(error.value)


@pytest.mark.parametrize(
    ("table", "size"),
    [
        (known_processors.BLIND_PROCESSORS, 11),
        (known_processors.PURE_PROCESSORS, 22),
        (known_processors.PURE_CRITERIA, 4),
    ],
)
def test_every_processor_and_criterion_that_is_known_is_there(table: frozenset[type], size: int) -> None:
    """One that is gone costs speed alone, so nothing is raised: that it is gone must be seen here."""
    assert size == len(table)


def test_the_arguments_of_generate_have_the_order_of_transformers() -> None:
    parameters = inspect.signature(seam.GenerationMixin.generate).parameters
    assert ("self", *seam.POSITIONAL, "kwargs") == tuple(parameters)
