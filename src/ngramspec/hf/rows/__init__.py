"""A `generate()` call and its rows, and how their tokens are chosen from the logits of a pass."""
