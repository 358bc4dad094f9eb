"""The command line. Thin: parse, call, print. One module per command, named after the command.

A command's module is imported with this one, so it imports torch, transformers and the rooms that need them only
inside its function: `ngramspec --help` answers at once.
"""

import io
import sys
import traceback
import warnings
from typing import Annotated

import typer

from ngramspec import __version__
from ngramspec.cli.bench import bench
from ngramspec.cli.calibrate import calibrate
from ngramspec.cli.check import check
from ngramspec.cli.demo import demo
from ngramspec.cli.endings import BUG, Commands
from ngramspec.cli.fuzz import fuzz
from ngramspec.cli.generate import generate
from ngramspec.cli.replay import replay
from ngramspec.cli.serve import serve
from ngramspec.cli.simulate import simulate
from ngramspec.cli.terminal import complain
from ngramspec.printing import printable

app = typer.Typer(
    cls=Commands,
    help="Prompt-lookup n-gram speculation: the same text in fewer passes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(f"ngramspec {__version__}")
        raise typer.Exit


@app.callback()
def _commands(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Prompt-lookup n-gram speculation: the same text in fewer passes."""


app.command()(demo)
app.command()(generate)
app.command()(replay)
app.command()(simulate)
app.command()(calibrate)
app.command()(bench)
app.command()(check)
app.command()(fuzz)
app.command()(serve)


def main() -> None:
    """Run the command line; an error that the user can fix ends in one line on stderr and exit code 2."""
    warnings.showwarning = _show_warning
    if isinstance(sys.stdout, io.TextIOWrapper):  # characters that the encoding lacks are escaped instead of raising
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except Exception:  # a bug of ours, which must not look like exit code 1
        print(printable(traceback.format_exc()), file=sys.stderr)
        sys.exit(BUG)


def _show_warning(message: Warning | str, *location: object, **more: object) -> None:
    """Show a warning without its location in our code."""
    complain(message)
