"""A context-free grammar under construction: rules by number, removal of rules without text, and output as Lark."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ngramspec.guards.schemas.terminals import Terminal


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, by its number."""

    number: int


@dataclass(frozen=True, slots=True)
class Token:
    """A terminal: its name or, in quotes, its text."""

    text: str


@dataclass(frozen=True, slots=True)
class Repeated:
    """`symbol` repeated from `least` to `most` times; most: None for any number."""

    symbol: Rule
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Counting:
    """A counting rule, from the count `start` on."""

    rule: Rule
    start: int


Symbol = Rule | Token | Repeated | Counting
Body = tuple[Symbol, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """One body of a rule. condition, step: in a counting rule, when it may be taken, and how the count changes."""

    body: Body
    condition: str = ""
    step: str = ""


STEP = 200
"""Deepest nesting of rules that llguidance can read."""


@dataclass(slots=True)
class Grammar:
    """Rules and terminals. Equal rules are one rule."""

    _bodies: list[tuple[Branch, ...]] = field(default_factory=list)
    _numbers: dict[tuple[Branch, ...], int] = field(default_factory=dict)
    _counting: set[int] = field(default_factory=set)
    _loops: dict[Rule, Rule] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)
    _helpers: dict[str, str] = field(default_factory=dict)

    def token(self, terminal: Terminal) -> Token:
        """The terminal, by a name."""
        self._helpers.update(terminal.helpers)
        return Token(self._tokens.setdefault(terminal.text, f"T{len(self._tokens)}"))

    def rule(self, bodies: Iterable[Sequence[Symbol]]) -> Rule:
        """The rule with these alternative bodies."""
        branches = tuple(dict.fromkeys(Branch(tuple(body)) for body in bodies))
        number = self._numbers.setdefault(branches, len(self._bodies))
        if number == len(self._bodies):
            self._bodies.append(branches)
        return Rule(number)

    def open(self) -> Rule:
        """A rule whose bodies are added later, so that others, or itself, can refer to it."""
        self._bodies.append(())
        return Rule(len(self._bodies) - 1)

    def close(self, rule: Rule, bodies: Iterable[Sequence[Symbol]]) -> None:
        """Add the bodies of an open rule."""
        self._bodies[rule.number] = tuple(dict.fromkeys(Branch(tuple(body)) for body in bodies))

    def loop(self, item: Rule, between: Symbol) -> Rule:
        """At least one `item`, with `between` between them."""
        if item not in self._loops:
            self._loops[item] = self.open()
            self.close(self._loops[item], [(item,), (self._loops[item], between, item)])
        return self._loops[item]

    def counting(self, branches: Iterable[Branch]) -> Rule:
        """A rule with a 64-bit count, which continues with itself wherever a branch has a step."""
        self._bodies.append(tuple(branches))
        self._counting.add(len(self._bodies) - 1)
        return Rule(len(self._bodies) - 1)

    def text(self, root: Rule) -> str | None:
        """The grammar in Lark; None if `root` has no text."""
        productive = self._productive()
        if root.number not in productive:
            return None
        used = self._in_order(root.number, productive)
        lines = [f"start: {_name(root)}"]
        if len(used) > STEP:
            # llguidance reads a rule while reading the first one that refers to it, and 3,000 nested ones overflow its
            # stack. So some are listed earlier, each a little deeper than the last, after a terminal that never comes.
            named = " | ".join(f"r{number}" for number in used[::STEP] if number not in self._counting)
            lines = [f"start: read | {_name(root)}", f"read: READ ({named})", r"READ: /[^\s\S]/"]
        lines += [self._line(number, productive) for number in reversed(used)]
        texts = {name: text for text, name in self._tokens.items()}
        tokens = {
            symbol.text
            for number in used
            for branch in self._branches(number, productive)
            for symbol in branch.body
            if isinstance(symbol, Token)
        }
        lines += [f"{name}: {texts[name]}" for name in texts if name in tokens]
        lines += [f"{name}: {text}" for name, text in self._helpers.items()]
        return "\n".join(lines) + "\n"

    def _branches(self, number: int, productive: set[int]) -> list[Branch]:
        return [branch for branch in self._bodies[number] if _is_productive(branch.body, productive)]

    def _in_order(self, root: int, productive: set[int]) -> list[int]:
        """The used rules, each after those that it refers to, as far as they do not refer back."""
        order: list[int] = []
        seen, waiting = {root}, [(root, self._used(root, productive))]
        while waiting:
            number, inner = waiting[-1]
            following = next((other for other in inner if other not in seen), None)
            if following is None:
                order.append(number)
                waiting.pop()
            else:
                seen.add(following)
                waiting.append((following, self._used(following, productive)))
        return order

    def _used(self, number: int, productive: set[int]) -> Iterator[int]:
        """The rules that a rule refers to."""
        for branch in self._branches(number, productive):
            for symbol in branch.body:
                if not isinstance(symbol, Token) and _inner(symbol) in productive:
                    yield _inner(symbol)

    def _productive(self) -> set[int]:
        """The rules that derive some text."""
        users: dict[int, list[tuple[int, int]]] = {}
        missing: dict[tuple[int, int], int] = {}
        ready: list[int] = []
        for number, branches in enumerate(self._bodies):
            for index, branch in enumerate(branches):
                needed = {_needed(symbol) for symbol in branch.body} - {None}
                missing[number, index] = len(needed)
                for inner in needed:
                    users.setdefault(inner, []).append((number, index))  # type: ignore[arg-type]
                if not needed:
                    ready.append(number)
        found: set[int] = set()
        while ready:
            number = ready.pop()
            if number in found:
                continue
            found.add(number)
            for user in users.get(number, ()):
                missing[user] -= 1
                if not missing[user]:
                    ready.append(user[0])
        return found

    def _line(self, number: int, productive: set[int]) -> str:
        is_counting = number in self._counting

        def said(symbol: Symbol) -> str:
            if isinstance(symbol, Token):
                return symbol.text
            if isinstance(symbol, Rule):
                return _name(symbol)
            if isinstance(symbol, Counting):
                return f"{_name(symbol.rule)}::{symbol.start}"
            if symbol.symbol.number not in productive or symbol.most == 0:
                return ""
            most = "" if symbol.most is None else symbol.most
            return f"{_name(symbol.symbol)}{{{symbol.least},{most}}}"

        ways = []
        for branch in self._branches(number, productive):
            words = [*filter(None, map(said, branch.body))] or ['""']
            if branch.step:
                words.append(f"r{number}::{branch.step}")
            if branch.condition:
                words.append(f"%if {branch.condition}")
            ways.append(" ".join(words))
        return f"r{number}{'::_' if is_counting else ''}: " + "\n  | ".join(ways)


def _name(rule: Rule) -> str:
    return f"r{rule.number}"


def _inner(symbol: Rule | Repeated | Counting) -> int:
    """The rule inside `symbol`."""
    if isinstance(symbol, Repeated):
        return symbol.symbol.number
    return symbol.rule.number if isinstance(symbol, Counting) else symbol.number


def _needed(symbol: Symbol) -> int | None:
    """The rule without which `symbol` derives no text."""
    if isinstance(symbol, Token) or (isinstance(symbol, Repeated) and not symbol.least):
        return None
    return _inner(symbol)


def _is_productive(body: Body, productive: set[int]) -> bool:
    return all(needed is None or needed in productive for needed in map(_needed, body))
