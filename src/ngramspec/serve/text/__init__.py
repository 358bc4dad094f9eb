"""Prompts from messages and holes, and text from tokens."""
