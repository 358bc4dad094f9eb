"""The way in: what a user calls, what becomes of the arguments, and what is refused."""
