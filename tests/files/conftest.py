"""The command line, for tests of the files that its commands read."""

from tests.cli.conftest import run

__all__ = ["run"]
