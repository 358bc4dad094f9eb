"""The page that lists the outcome for each family."""

from collections import Counter
from datetime import date
from pathlib import Path

import torch
import transformers

from tests.families.catalogue import Family
from tests.families.trial import Result

KNOWN = Path(__file__).parents[2] / "src/ngramspec/hf/facts/families.txt"
"""Classes that are known, one per line."""

HEAD = """# Families

The outcome for each class of transformers that writes text. `python -m tests.families > docs/families.md` builds a
tiny random model of every class. It decodes with each model plainly, and with drafts that are partly right and partly
wrong, one text and a batch of texts of unequal lengths; then it compares every token. Last run on {today} with
transformers {transformers} and torch {torch} on a CPU, in float64 where the family's kernels support it; experts are
computed one by one.

- **drafted**: the text is the same, and drafts were accepted and rolled back. *Rows aligned*: all rows begin each pass
  at one slot. *States put back*: after a rejected draft, running states are again as they were before it. Drafts are
  *trees* where branches of trees were accepted, else *chains*.
- **undrafted**: decoded in transformers' own loop, with one warning that gives this reason.
- **refused**: `RefusedError` before the first pass.
- **not tried**: it cannot be built here, or its own `generate()` fails, for the reason given. Nothing is claimed.

{counts}
"""


def page(results: dict[str, list[tuple[Family, Result]]]) -> str:
    """The results, by section, as Markdown."""
    counts = Counter(result.verdict for section in results.values() for _, result in section)
    total = ", ".join(f"{number} {verdict}" for verdict, number in counts.most_common())
    torch_version = torch.__version__.split("+")[0]
    lines = [
        HEAD.format(
            today=date.today(), transformers=transformers.__version__, torch=torch_version, counts=f"In all: {total}."
        )
    ]
    for heading, section in results.items():
        lines += [
            f"## {heading}",
            "",
            "| family | class | outcome | drafts | attention, precision of the run |",
            "|---" * 5 + "|",
        ]
        lines += [_row(family, result) for family, result in section] + [""]
    return "\n".join(lines).rstrip()


def verdicts(text: str) -> dict[tuple[str, str], str]:
    """Read a page: the verdict by family and class."""
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    return {(row[0], row[1].strip("`")): row[2].split(":")[0].strip("*") for row in cells if row[0] != "family"}


def drafted_classes(text: str) -> list[str]:
    """Read a page: the classes that were drafted for in every set-up that was run, in order."""
    found = verdicts(text)
    drafted = {kind for (_, kind), verdict in found.items() if verdict == "drafted"}
    return sorted(drafted - {kind for (_, kind), verdict in found.items() if verdict == "WRONG"})


def _row(family: Family, result: Result) -> str:
    why = " ".join(result.why.replace("|", "/").split())
    verdict = f"**{result.verdict}**" + (f": {why}" if why else "")
    ran = ", ".join(part for part in (result.attention, result.dtype) if part)
    return f"| {family.name} | `{family.model_class.__name__}` | {verdict} | {result.drafts} | {ran} |"
