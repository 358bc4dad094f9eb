"""Processes that read, prepare and compile what strangers have written: they can be ended, and may crash."""
