"""Errors while drafting: counted, and logged once per kind. None is raised into the engine."""

import logging

from ngramspec.errors import readable

logger = logging.getLogger("ngramspec.vllm")


class Trouble:
    """Counts errors. num_errors: so far."""

    def __init__(self) -> None:
        self.num_errors = 0
        self._told: set[str] = set()

    def note(self, what: str, why: object = "") -> None:
        """Count an error; what: its kind. The first of a kind is logged, with its traceback."""
        self.num_errors += 1
        if what not in self._told:
            self._told.add(what)
            said = f"{what}: {readable(why)}" if why != "" else what
            logger.warning("%s (counted from now on, and not told again)", said, exc_info=isinstance(why, Exception))
