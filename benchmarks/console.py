"""Where the tables go."""

from rich.console import Console


def wide_console() -> Console:
    """A pipe has no width, and a table that wraps cannot be read or cut."""
    console = Console()
    if not console.is_terminal:
        console.width = 150
    return console
