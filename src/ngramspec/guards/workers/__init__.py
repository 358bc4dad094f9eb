"""Processes that read, prepare and compile untrusted sources: they can be killed, and may crash."""
