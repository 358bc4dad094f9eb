"""The command line. Thin: parse, call, print. One module per command, named as the command is.

A command's module is imported with this one, so it imports torch, transformers and the rooms that need them only
inside its function: `ngramspec --help` answers at once.
"""

import sys
import warnings

import typer

from ngramspec.cli.check import check
from ngramspec.cli.demo import demo
from ngramspec.cli.fuzz import fuzz
from ngramspec.cli.generate import generate
from ngramspec.cli.replay import replay
from ngramspec.errors import NgramspecError

app = typer.Typer(
    help="Prompt-lookup n-gram speculation: the same text in fewer passes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _commands() -> None:
    """Prompt-lookup n-gram speculation: the same text in fewer passes."""


app.command()(demo)
app.command()(generate)
app.command()(replay)
app.command()(check)
app.command()(fuzz)


def main() -> None:
    """Run the command line; what the user can put right ends in one line on stderr and exit code 2."""
    warnings.showwarning = _show_warning
    try:
        app()
    except (NgramspecError, OSError, ImportError) as error:
        sys.exit(_fail(error))


def _show_warning(message: Warning | str, *place: object, **more: object) -> None:
    """What is warned of, without the place in our code."""
    print(f"ngramspec: {message}", file=sys.stderr)


def _fail(error: Exception) -> int:
    print(f"ngramspec: {error}", file=sys.stderr)
    return 2
