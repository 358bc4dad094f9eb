"""Tests of monitoring: metrics by segment, drift, the dashboard and its page."""
