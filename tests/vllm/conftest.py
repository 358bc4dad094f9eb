"""Shared by tests inside vLLM. They are skipped if it is not installed; `make test-vllm` installs it."""

from pathlib import Path

import pytest

from tests.vllm.inside import make_model


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("llama"))
