"""The public entry points: what users call, how arguments are handled, and what is refused."""
