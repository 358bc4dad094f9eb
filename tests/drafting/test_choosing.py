"""Which core drafts, and the warning if it is the slow one."""

import os
import subprocess
import sys

import pytest

from ngramspec.drafting.core import is_compiled
from ngramspec.drafting.core.choosing import VARIABLE

WITHOUT_THE_COMPILED = "import sys; sys.modules['ngramspec.drafting.core._native'] = None\n"
"""As where it is not installed."""
TWICE = """
import warnings
from ngramspec.drafting import AdaptiveLookup, PromptLookup, core
with warnings.catch_warnings(record=True) as given:
    warnings.simplefilter("always")
    drafter = AdaptiveLookup()
    before = len(given)
    for each in (drafter, PromptLookup(), AdaptiveLookup()):
        each.open()
print(core.is_compiled(), before, len(given), *(warning.message for warning in given))
"""


def said(code: str, wish: str | None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    if wish is not None:
        environment[VARIABLE] = wish
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_without_the_compiled_core_the_first_row_that_is_opened_warns_and_no_other() -> None:
    printed = said(WITHOUT_THE_COMPILED + TWICE, None).stdout
    assert printed.startswith("False 0 1 drafting must be compiled to be fast, got the plain Python core")
    assert printed.rstrip().endswith(f"or set {VARIABLE}=plain to go on as it is")


@pytest.mark.parametrize("absent", ["", WITHOUT_THE_COMPILED])
def test_the_plain_core_is_had_by_name_and_without_a_warning(absent: str) -> None:
    assert "False 0 0\n" == said(absent + TWICE, "plain").stdout


def test_the_compiled_core_is_had_by_name_or_not_at_all() -> None:
    pytest.importorskip("ngramspec.drafting.core._native", reason="the compiled core is not installed")
    assert "True 0 0\n" == said(TWICE, "compiled").stdout == said(TWICE, None).stdout
    assert "ModuleNotFoundError" in said(WITHOUT_THE_COMPILED + TWICE, "compiled").stderr


def test_another_name_is_refused() -> None:
    assert "NGRAMSPEC_CORE must be 'plain', 'compiled' or not set, got 'fast'" in said(TWICE, "fast").stderr


def test_what_is_tested_here_is_what_was_wished_for() -> None:
    """Or CI would test one core twice."""
    assert {"plain": False, "compiled": True}.get(os.environ.get(VARIABLE, ""), is_compiled()) == is_compiled()
