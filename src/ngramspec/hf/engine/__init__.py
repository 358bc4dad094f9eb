"""`ModelEngine`: requests that come and go, on the targets of `generate()`."""
