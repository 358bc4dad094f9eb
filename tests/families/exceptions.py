"""What single families need beyond smaller sizes."""
from typing import Any
SETTINGS: dict[str, dict[str, Any]] = {}
