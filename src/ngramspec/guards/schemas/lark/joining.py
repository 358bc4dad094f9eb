"""Alternatives that are one shape together, for they multiply otherwise."""

from collections.abc import Sequence

from ngramspec.guards.schemas.lark.shapes import Members, Shape


def joined(shapes: Sequence[Shape]) -> list[Shape]:
    """The same alternatives: where a property may be missing, or be there and fit, it fits wherever it is there."""
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
