"""The command line's options for the length of drafts."""

from pathlib import Path
from typing import Annotated

import typer

from ngramspec.decoding import FixedBudget

MaxDraftTokens = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="The same draft length in every pass, so that every run makes the same passes; 0 drafts nothing."
        " By default as long as it pays.",
    ),
]
"""The option `--max-draft-tokens`, with 0 allowed."""

Costs = Annotated[
    Path | None,
    typer.Option(
        "--costs",
        help="What passes cost, as ngramspec calibrate or Speculator.save_costs wrote it, if it is of this model and"
        " machine: drafts pay from the first pass on.",
    ),
]
"""The option `--costs`."""


def budget_of(max_draft_tokens: int | None) -> FixedBudget | None:
    """The budget for `Speculator`; None for its default."""
    return None if max_draft_tokens is None else FixedBudget(max_draft_tokens)
