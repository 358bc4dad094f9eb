"""The form that a request demands of its text."""
