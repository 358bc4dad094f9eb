"""Turns a request into jobs of the engine's thread, and their tokens into an answer."""
