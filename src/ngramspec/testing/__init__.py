"""Oracles for test suites: does speculation give the text of plain `generate()`, and does a guard hold?

>>> from ngramspec.testing import assert_lossless, assert_valid, check_equivalence
>>> prompts = tokenizer(texts)["input_ids"]                             # doctest: +SKIP
>>> report = check_equivalence(model, prompts)                          # doctest: +SKIP
>>> assert report.finding in ("identical", "near-tie"), report          # doctest: +SKIP
>>> assert_lossless(model, guard, prompts)                              # doctest: +SKIP
>>> assert_valid(guard, '{"total": 12}')                                # doctest: +SKIP

Hypothesis strategies for schemas, regexes, grammars, vocabularies and drafts that go wrong are in
`ngramspec.testing.strategies`, which needs hypothesis: `pip install 'ngramspec[fuzz]'`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ngramspec.testing.adversary import AdversarialDrafter, Slip
    from ngramspec.testing.constraints import Constraint
    from ngramspec.testing.drafters import OracleDrafter
    from ngramspec.testing.equivalence import check_equivalence
    from ngramspec.testing.lossless import assert_lossless
    from ngramspec.testing.report import Difference, Finding, Mode, Report
    from ngramspec.testing.validity import assert_valid

__all__ = [
    "AdversarialDrafter",
    "Constraint",
    "Difference",
    "Finding",
    "Mode",
    "OracleDrafter",
    "Report",
    "Slip",
    "assert_lossless",
    "assert_valid",
    "check_equivalence",
]

_HOMES = {
    "AdversarialDrafter": "adversary",
    "Constraint": "constraints",
    "Difference": "report",
    "Finding": "report",
    "Mode": "report",
    "OracleDrafter": "drafters",
    "Report": "report",
    "Slip": "adversary",
    "assert_lossless": "lossless",
    "assert_valid": "validity",
    "check_equivalence": "equivalence",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: `assert_valid` needs no torch, and only strategies need hypothesis."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
