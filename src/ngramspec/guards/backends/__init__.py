"""The grammar engines, one small module each, with the same names in it: `compile_guard` and a `Matcher`."""
