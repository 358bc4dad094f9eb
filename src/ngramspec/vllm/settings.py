"""The user's settings: `--additional-config '{"ngramspec": {"history": "/var/lib/ngramspec/history"}}'`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ngramspec.errors import did_you_mean, shortened

KEY = "ngramspec"


@dataclass(frozen=True, slots=True)
class Settings:
    """history: the file that histories are loaded from and saved to; None: they end with the engine.

    segment: for requests that name none; None: their answers are not kept.
    """

    history: Path | None = None
    segment: str | None = None

    @classmethod
    def of(cls, additional_config: Any) -> "Settings":
        """The settings in vLLM's `additional_config`. Raises ValueError for an unknown one, or a wrong value."""
        given = additional_config.get(KEY, {}) if isinstance(additional_config, Mapping) else {}
        if not isinstance(given, Mapping):
            raise ValueError(f"additional_config[{KEY!r}] must be an object, got {shortened(given)}")
        for name, value in given.items():
            if name not in cls.__dataclass_fields__:
                raise ValueError(
                    f"additional_config[{KEY!r}] may have history and segment, got {shortened(name)}"
                    f"{did_you_mean(name, cls.__dataclass_fields__)}"
                )
            if not isinstance(value, str) or not value:
                raise ValueError(f"{name} of additional_config[{KEY!r}] must be text, got {shortened(value)}")
        history = given.get("history")
        return cls(None if history is None else Path(history), given.get("segment"))

    def of_engine(self, index: int) -> "Settings":
        """The settings of one engine: engines that share a configuration have a history each."""
        if self.history is None or index == 0:
            return self
        return replace(self, history=self.history.with_name(f"{self.history.name}.{index}"))
