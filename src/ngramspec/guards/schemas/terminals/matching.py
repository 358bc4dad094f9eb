r"""The language of the texts in which a pattern of ECMA-262 finds a match: unanchored, with anchors and lookaround.

A pattern is followed from left to right, together with what has been read since the beginning of the text, or since the
last lookahead. `A(?!B)C` is A, followed by the intersection of "C and the rest" with the complement of "B and
anything". `A(?<=B)C` is the intersection of A with "anything that ends in B", followed by C: it is expressible as long
as all that B may look at has been read in one piece. If alternatives or repetitions contain assertions, each path is
followed separately.
"""

from ngramspec.guards.schemas.letters import Letters
from ngramspec.guards.schemas.patterns import PatternError
from ngramspec.guards.schemas.terminals.languages import (
    ALL,
    EMPTY,
    NOTHING,
    Language,
    both,
    complement,
    either,
    has_empty,
    joined,
    least_length,
    most_length,
    repeated,
)
from ngramspec.guards.schemas.trees import Alternation, End, Lookaround, Repeat, Sequence, Start, Tree, tree_of

MAX_WAYS = 2_000
"""Most pieces that are followed; alternatives with assertions multiply."""
MAX_ASSERTIONS = 100
"""Most assertions; each is followed by recursion from the one before it."""
MAX_UNROLLED = 8
"""Most repetitions of a part with assertions that are written out."""


def language_of(pattern: str) -> Language:
    """The texts in which `pattern` finds a match. Raises PatternError if it is not regular, or not expressible here."""
    tree = tree_of(pattern)
    if _num_assertions(tree) > MAX_ASSERTIONS:
        raise PatternError(f"more than {MAX_ASSERTIONS} assertions")
    return _Follower().all(tree)


def _num_assertions(tree: Tree) -> int:
    match tree:
        case Lookaround(part):
            return 1 + _num_assertions(part)
        case Start() | End():
            return 1
        case Sequence(parts) | Alternation(parts):
            return sum(map(_num_assertions, parts))
        case Repeat(part):
            return _num_assertions(part)
    return 0


def _has_assertions(tree: Tree) -> bool:
    match tree:
        case Lookaround() | Start() | End():
            return True
        case Sequence(parts) | Alternation(parts):
            return any(map(_has_assertions, parts))
        case Repeat(part):
            return _has_assertions(part)
    return False


def _plain(tree: Tree) -> Language:
    """The texts that match a tree without assertions."""
    match tree:
        case Letters():
            return NOTHING if tree.is_empty else tree
        case Sequence(parts):
            return joined(*map(_plain, parts))
        case Alternation(options):
            return either(*map(_plain, options))
        case Repeat(part, least, most):
            return repeated(_plain(part), least, most)
    raise AssertionError(tree)


class _Follower:
    def __init__(self) -> None:
        self._num_ways = 0

    def all(self, tree: Tree) -> Language:
        return self._rest((tree,), ALL, is_from_start=True)

    def _rest(self, parts: tuple[Tree, ...], read: Language, *, is_from_start: bool) -> Language:
        """`read`, then a match of `parts`, then anything.

        is_from_start: whether `read` begins at the start of the text.
        """
        self._num_ways += 1
        if self._num_ways > MAX_WAYS:
            raise PatternError(f"assertions in more than {MAX_WAYS} ways")
        while parts and not _has_assertions(parts[0]):
            read = joined(read, _plain(parts[0]))
            parts = parts[1:]
        if not parts or read == NOTHING:
            return joined(read, ALL)
        first, rest = parts[0], parts[1:]
        match first:
            case Sequence(inner):
                return self._rest((*inner, *rest), read, is_from_start=is_from_start)
            case Alternation(options):
                ways = (self._rest((option, *rest), read, is_from_start=is_from_start) for option in options)
                return either(*ways)
            case Repeat():
                return self._repeated(first, rest, read, is_from_start=is_from_start)
            case Start():
                return self._rest(rest, _at_start(read, is_from_start=is_from_start), is_from_start=is_from_start)
            case Lookaround(part, True, is_negated):
                seen = self._behind(part, read, is_from_start=is_from_start)
                read = both(read, complement(seen) if is_negated else seen)
                return self._rest(rest, read, is_from_start=is_from_start)
            case Lookaround(part, False, is_negated):
                seen = self._ahead(part, read, is_from_start=is_from_start)
                return joined(
                    read, both(self._after(rest, read, is_from_start), complement(seen) if is_negated else seen)
                )
            case End():
                return joined(read, both(self._after(rest, read, is_from_start), EMPTY))
        raise AssertionError(first)

    def _after(self, rest: tuple[Tree, ...], read: Language, is_from_start: bool) -> Language:
        return self._rest(rest, EMPTY, is_from_start=is_from_start and read == EMPTY)

    def _ahead(self, part: Tree, read: Language, *, is_from_start: bool) -> Language:
        return self._rest((part,), EMPTY, is_from_start=is_from_start and read == EMPTY)

    def _behind(self, part: Tree, read: Language, *, is_from_start: bool) -> Language:
        """The texts that end with a match of `part`, as far as `read` goes back."""
        match part:
            case Alternation(options):
                return either(*(self._behind(option, read, is_from_start=is_from_start) for option in options))
            case Sequence((Start(), *inner)) if is_from_start and not any(map(_has_assertions, inner)):
                return joined(*map(_plain, inner))
            case Start() if is_from_start:
                return EMPTY
        if _has_assertions(part):
            raise PatternError("a lookaround inside a lookbehind")
        seen = _plain(part)
        length = most_length(seen)
        if not is_from_start and (length is None or length > least_length(read)):
            raise PatternError("a lookbehind that reaches back before a lookahead")
        return joined(ALL, seen)

    def _repeated(self, part: Repeat, rest: tuple[Tree, ...], read: Language, *, is_from_start: bool) -> Language:
        if part.most is not None and part.most <= MAX_UNROLLED:
            ways = [
                self._rest((*(part.part,) * count, *rest), read, is_from_start=is_from_start)
                for count in range(part.least, part.most + 1)
            ]
            return either(*ways)
        after = self._after(rest, NOTHING, is_from_start=False)
        if after == ALL and part.least <= MAX_UNROLLED:
            return self._rest((part.part,) * part.least, read, is_from_start=is_from_start)
        if after != EMPTY:
            raise PatternError("assertions that are repeated, but not up to the end of the text")
        return joined(read, self._tempered(part))

    def _tempered(self, part: Repeat) -> Language:
        """One character after another up to the end of the text, each with lookaheads before or after it."""
        parts = part.part.parts if isinstance(part.part, Sequence) else (part.part,)
        letters = [index for index, inner in enumerate(parts) if not isinstance(inner, Lookaround)]
        if (
            len(letters) != 1
            or not isinstance(parts[letters[0]], Letters | Alternation)
            or _has_assertions(parts[letters[0]])
        ):
            raise PatternError("assertions that are repeated with more than one character")
        letter = _plain(parts[letters[0]])
        if (least_length(letter), most_length(letter)) != (1, 1):
            raise PatternError("assertions that are repeated with more than one character")
        some = joined(letter, ALL)
        allowed = repeated(letter, part.least, part.most)
        for index, look in enumerate(parts):
            if not isinstance(look, Lookaround):
                continue
            if look.is_behind:
                raise PatternError("a lookbehind that is repeated")
            seen = self._ahead(look.part, EMPTY, is_from_start=False)
            wrong = seen if look.is_negated else complement(seen)
            wrong = joined(ALL, both(wrong, some)) if index < letters[0] else joined(ALL, some_letter(wrong))
            allowed = both(allowed, complement(wrong))
        return allowed


def some_letter(rest: Language) -> Language:
    """One character, then `rest`."""
    from ngramspec.guards.schemas.letters import ANY_LETTER

    return joined(ANY_LETTER, rest)


def _at_start(read: Language, *, is_from_start: bool) -> Language:
    if is_from_start:
        return EMPTY if has_empty(read) else NOTHING
    if least_length(read):
        return NOTHING
    raise PatternError("^ after a lookahead")
