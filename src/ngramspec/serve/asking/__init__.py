"""A request as jobs of the engine's thread, and their tokens as an answer."""
