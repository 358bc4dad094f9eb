"""The console for tables."""

from rich.console import Console


def wide_console() -> Console:
    """A wide console: a pipe has no width, and a wrapped table cannot be read or cut."""
    console = Console()
    if not console.is_terminal:
        console.width = 150
    return console
