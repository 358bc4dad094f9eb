"""What a request demands of the form of its text."""
