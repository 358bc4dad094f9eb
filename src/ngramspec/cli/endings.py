"""How commands end: with their own exit code, with one line on standard error, or because the reader has gone."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from ngramspec.cli.terminal import complain
from ngramspec.errors import NgramspecError
from ngramspec.printing import named, printable

USER_CAN_MEND = 2
BUG = 70
"""EX_SOFTWARE in sysexits.h."""
INTERRUPTED = 130
"""128 + SIGINT, as in shells."""
NOBODY_READS = 141
"""128 + SIGPIPE: the exit code of a program whose reader, such as `head`, has gone."""


SIMILAR = 0.75
"""Minimum similarity of a suggested file name: equal suffixes alone make any two names half similar."""

_UsageError: Any = typer.BadParameter.__base__
"""click's usage error, or that of typer's own copy of click."""


class Commands(TyperGroup):
    """The commands. Errors end in one line and exit code 2; code 1 is reserved for findings, such as a defect."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command by name; for a mistyped one the error suggests the nearest name."""
        near = get_close_matches(args[0], self.commands, n=1)
        if near and args[0] not in self.commands:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Parse the arguments; `--help` and `--version` print and exit here."""
        with _ending():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with _ending():
            return super().invoke(ctx)


@contextmanager
def _ending() -> Iterator[None]:
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # here, not at Python's exit, where errors can no longer be handled
    except (BrokenPipeError, SystemExit) as error:
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):  # as rich ends it
            raise
        # Discard the remaining output, or Python would complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(NOBODY_READS) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except _UsageError as error:  # it quotes a name that may be untrusted, because the shell may have expanded it
        vars(error)["message"] = printable(error.message)
        raise
    except (NgramspecError, OSError, ImportError) as error:
        complain(_sentence(error))
        raise typer.Exit(USER_CAN_MEND) from error


_WAYS_OUT = {
    errno.ENOENT: "name one that exists",
    errno.ENOTDIR: "name one that is in a folder",
    errno.EISDIR: "name a file in it",
    errno.EACCES: "name one that you may read",
    errno.ENAMETOOLONG: "shorten its name",
    errno.ELOOP: "name a file, or a link that ends at one",
}
"""Remedies, by the system's error code."""


def _sentence(error: Exception) -> str:
    """An error's message; the system's own, which are only two words and a number, become full sentences."""
    if not isinstance(error, OSError) or error.strerror is None or error.filename is None:
        return str(error)
    if not error.filename:
        return "a file must have a name, got '': name one"
    way_out = _WAYS_OUT.get(error.errno or 0, "name another, or a copy of what it holds")
    if error.errno == errno.ENOENT and not _folder_exists(error.filename):  # of a file to read, or to write
        way_out = "make the folder, or name one that exists"
    near = _did_you_mean(error.filename) if error.errno == errno.ENOENT else ""
    return f"{named(error.filename)} must be a file that can be read, got: {error.strerror}: {way_out}{near}"


def _folder_exists(name: object) -> bool:
    return not isinstance(name, str | bytes | os.PathLike) or Path(os.fsdecode(name)).parent.is_dir()


def _did_you_mean(name: object) -> str:
    """A hint at a file with a similar name beside the missing one."""
    path = Path(os.fsdecode(name)) if isinstance(name, str | bytes | os.PathLike) else Path()
    try:
        if not path.parent.is_dir():
            return ""
        names = [other.name for other in path.parent.iterdir() if other.exists()]
        near = get_close_matches(path.name, names, n=1, cutoff=SIMILAR)
    except OSError:  # a name that is too long, or a folder that may not be listed, is reported already
        return ""
    return f" (did you mean {named(path.with_name(near[0]))}?)" if near else ""
