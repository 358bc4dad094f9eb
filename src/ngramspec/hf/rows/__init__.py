"""A `generate()` call and its rows, and how their tokens are read off the logits of a pass."""
