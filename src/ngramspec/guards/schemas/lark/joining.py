"""Joins alternatives that together are one shape, because they would multiply."""

from collections.abc import Sequence

from ngramspec.guards.schemas.lark.shapes import Members, Shape


def joined(shapes: Sequence[Shape]) -> list[Shape]:
    """The same values in fewer shapes: "missing, or present and fitting" becomes "fitting if present"."""
    left = dict.fromkeys(shapes)
    for shape in shapes:
        if not isinstance(shape, Members) or len(shape.required) != 1 or len(shape.rules) != 1:
            continue
        (name,), ((names, _),) = shape.required, shape.rules
        missing = Members.without(name)
        if shape == Members(shape.rules, shape.required) and names.only == name and missing in left:
            del left[missing], left[shape]
            left[Members(shape.rules)] = None
    return list(left)
