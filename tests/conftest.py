"""What all tests share."""

import os

os.environ.setdefault(
    "TRANSFORMERS_VERBOSITY", "error"
)  # right padding is meant here, and one line each would drown a failure
