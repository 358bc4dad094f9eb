"""Watching it run: metrics by segment, drift, the dashboard and its page."""
