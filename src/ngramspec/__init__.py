"""Prompt-lookup n-gram speculation for language models: the same text in fewer passes."""
