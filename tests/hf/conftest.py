"""Fixtures of several tests of the loop."""

import pytest


@pytest.fixture
def unsteered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drafts as they come, so that tokens which a grammar refuses get as far as the masks."""
    monkeypatch.setattr("ngramspec.hf.rows.row.ModelRow.matchers", lambda row: [])
