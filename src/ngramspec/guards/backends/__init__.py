"""The grammar engines: one module each, with a `Compiled` and its `Matcher`, and what these modules share."""
