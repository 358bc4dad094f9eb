"""`ngramspec fuzz`: does a constraint hold, and does a text stay the same, whatever is drafted?"""

import json
import shlex
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from ngramspec.errors import GuardWarning

if TYPE_CHECKING:
    from ngramspec.testing.constraints import Constraint


def fuzz(
    schema: Annotated[Path | None, typer.Option(help="A file of one JSON schema.")] = None,
    regex: Annotated[str | None, typer.Option(help="A regex.")] = None,
    grammar: Annotated[Path | None, typer.Option(help="A file of one grammar, Lark or GBNF.")] = None,
    corpus: Annotated[
        Path | None,
        typer.Option(
            help='A folder of *.jsonl or *.jsonl.gz with {"schema", "valid", "invalid"} per line, *.schema.json,'
            " *.regex and *.lark."
        ),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(help="tekken, pico, or a path or name that AutoTokenizer loads; by default small generated ones."),
    ] = None,
    hostile: Annotated[
        bool, typer.Option("--hostile", help="Try hostile sources, texts and files instead, under a watchdog.")
    ] = False,
    examples: Annotated[int, typer.Option(min=1, help="Outputs to make with drafts, or hostile inputs.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of everything: the same seed, the same examples.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make constrained outputs with all kinds of drafts, and check them.

    Each output must equal that of the run without drafts, and fit its constraint; matchers must agree with fresh ones,
    and backends with each other, with jsonschema and with re. Drafts reach the masks unfiltered: with tokens that the
    constraint forbids, ends of sequence and special tokens in the middle, tokens left out and doubled. Without a
    constraint, schemas, regexes and grammars are generated. A failing example is shrunk.

    With --hostile: schemas, regexes, grammars, texts, markers and files that multiply, nest deeply, or are malformed,
    each tried in a process under a watchdog. A crash, a hang, running out of memory, stopping other threads for more
    than 50 ms, or an error that is not ngramspec's own is a failure.

    Exit code 0: nothing failed. 1: something did. 2: an option or a file is wrong. 3: too little was tried of one of
    the four things whose shares are printed (less than 5 %).
    """
    if hostile:
        raise typer.Exit(_hostile(examples, seed, as_json))
    given = _given(schema, regex, grammar, corpus)

    from ngramspec.cli.fuzzed import as_dict, exit_code, show
    from ngramspec.testing.fuzzing import BACKENDS, Campaign, Tokens, vocabulary_of

    _settle()
    if len(given) == 1:  # one that cannot be compiled is the user's error
        given[0].guard(vocabulary_of(tokenizer or Tokens()))
    campaign = Campaign(examples, seed, given, tokenizer, BACKENDS if find_spec("xgrammar") else BACKENDS[:1])
    console = Console(stderr=True, highlight=False)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("examples", total=examples)
        result = campaign.run(lambda done: progress.update(task, completed=done))
    if as_json:
        print(json.dumps(as_dict(result), indent=2))
    else:
        show(result, again=shlex.join(["ngramspec", *_arguments(sys.argv[1:], seed)]))
    raise typer.Exit(exit_code(result))


def _hostile(examples: int, seed: int, as_json: bool) -> int:
    """Run hostile inputs, print the results, and return the exit code."""
    from ngramspec.cli.hostile import as_dict, run, show

    result = run(examples, seed)
    if as_json:
        print(json.dumps(as_dict(result), indent=2))
    else:
        show(result, again=shlex.join(["ngramspec", *_arguments(sys.argv[1:], seed)]))
    return 1 if result.findings else 0


def _given(
    schema: Path | None, regex: str | None, grammar: Path | None, corpus: Path | None
) -> "tuple[Constraint, ...]":
    """The constraints to fuzz; none if they are to be generated."""
    options = [
        name
        for name, value in (("--schema", schema), ("--regex", regex), ("--grammar", grammar), ("--corpus", corpus))
        if value is not None
    ]
    if len(options) > 1:
        raise typer.BadParameter(f"one constraint at a time, got {' and '.join(options)}: leave one out")

    from ngramspec.testing.fuzzing import Constraint, read_constraint, read_corpus

    if corpus is not None:
        return tuple(read_corpus(corpus))
    if schema is not None:
        return (read_constraint(schema, "schema"),)
    if grammar is not None:
        return (read_constraint(grammar, "grammar"),)
    return () if regex is None else (Constraint("regex", regex),)


def _arguments(arguments: list[str], seed: int) -> list[str]:
    """The arguments that repeat this run."""
    return arguments if "--seed" in arguments else [*arguments, "--seed", str(seed)]


def _settle() -> None:
    """Run the model on one thread, and let nothing write to the current folder or to the screen."""
    import tempfile

    import torch
    from hypothesis.configuration import set_hypothesis_home_dir
    from transformers.utils import logging

    torch.set_num_threads(1)
    set_hypothesis_home_dir(tempfile.gettempdir())
    logging.set_verbosity_error()
    warnings.simplefilter("ignore", GuardWarning)
