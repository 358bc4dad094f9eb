"""The command line, for what its commands read."""

from tests.cli.conftest import run

__all__ = ["run"]
