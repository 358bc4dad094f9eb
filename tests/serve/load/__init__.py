"""What is too long for the test suite: a soak, dropped clients, and hooks for schemathesis. Each is run by hand."""
