"""The grammar engines, a module each with a `Compiled` and its `Matcher`, and what these modules share."""
