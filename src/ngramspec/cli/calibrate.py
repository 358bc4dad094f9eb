"""`ngramspec calibrate`: what passes of a model cost on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from ngramspec.cli.models import Loaded
from ngramspec.cli.terminal import complain
from ngramspec.printing import named, printable

if TYPE_CHECKING:
    from ngramspec.guards import Vocabulary


def calibrate(
    model: Annotated[str, typer.Argument(help="pico, a model's folder, or its name on the hub.")],
    output: Annotated[Path, typer.Option(help="The file to write, JSON.")] = Path("calibration.json"),
    dtype: Annotated[str | None, typer.Option(help="The precision to compute in, by default the model's own.")] = None,
) -> None:
    """Measure what passes of a model cost on this machine, by rows, drafted tokens and context, and write it to a file.

    ngramspec simulate --cost FILE simulates this machine; generate and serve --costs FILE draft by it from the first
    pass on. Takes a few hundred passes; the machine should do nothing else meanwhile.
    """
    from ngramspec.calibration import model as calibration
    from ngramspec.cli.loading import load

    loaded = load(model, dtype)
    shapes = calibration.BATCHES, calibration.COLUMNS, calibration.contexts_of(loaded.model, calibration.CONTEXTS)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Measuring", total=calibration.num_reports(*shapes))
        found = calibration.calibrate(
            loaded.model,
            model,
            shapes,
            vocabulary=_vocabulary(loaded),
            progress=lambda: progress.advance(task),
        )
    found.write(output)
    plain, off = found.measured[0].seconds, found.fit_error
    print(
        printable(
            f"{loaded}: a plain pass over {found.measured[0].context} tokens takes {1e3 * plain:.3g} ms. The fit of"
            f" {len(found.measured)} shapes is off by {off['median']:.0%} at the median, {off['worst']:.0%} at worst."
            f" Written to {named(output)}."
        )
    )


def _vocabulary(loaded: Loaded) -> "Vocabulary | None":
    from ngramspec.guards import Vocabulary

    try:
        return Vocabulary.of(loaded.tokenizer)
    except TypeError as error:
        complain(f"what guards cost is not measured: {error}")
        return None
