"""Tests that are too long for the suite: a soak test, dropped clients, and hooks for schemathesis. Run by hand."""
