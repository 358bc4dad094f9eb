"""Oracles for test suites: is speculation's text that of plain `generate()`, on this model and these prompts?

>>> from ngramspec.testing import check_equivalence
>>> report = check_equivalence(model, tokenizer(texts)["input_ids"])    # doctest: +SKIP
>>> assert report.finding in ("identical", "near-tie"), report          # doctest: +SKIP
"""

from ngramspec.testing.drafters import OracleDrafter
from ngramspec.testing.equivalence import check_equivalence
from ngramspec.testing.report import Difference, Finding, Mode, Report

__all__ = ["Difference", "Finding", "Mode", "OracleDrafter", "Report", "check_equivalence"]
