"""A drafter that knows the answer and corrupts it, so that tokens are accepted and rolled back on any text."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from torch import Tensor

from ngramspec.drafting import ROOT, Draft, TokenArray, Tree


class OracleDrafter:
    """Knows what each row will emit, and drafts it with a random length, often wrong from a random position on.

    Equal texts prove nothing if nothing was drafted, or nothing rolled back. With this drafter both happen even if the
    text repeats nothing. For a target that takes trees, the same share of drafts as are corrupted branch, and the right
    tokens are then often not on the first branch.

    emitted: per row, the tokens that plain decoding emits. Rows are identified by the order in which they are opened,
        cyclically, so that one drafter serves several calls. vocabulary: number of ids that the model knows.
    corrupted: share of drafts that are corrupted. Unless it is 0, once a draft was accepted, every other draft is
        corrupted from its first token on, until one is rejected: so no short text is lucky enough to have every draft
        right. That first token is another one of the text, which a grammar may well allow.
    seed: of the lengths and corruptions.
    branches: by depth, the number of accepted nodes that are not on the first branches of their trees.
    """

    def __init__(
        self, emitted: Sequence[Sequence[int]], vocabulary: int, *, seed: int = 0, corrupted: float = 0.6
    ) -> None:
        self.emitted = [list(tokens) for tokens in emitted]
        self.vocabulary = vocabulary
        self.corrupted = corrupted
        self.seed = seed
        self.branches: Counter[int] = Counter()
        self._opened = 0

    @classmethod
    def of_output(cls, output: Tensor, prompt_length: int, vocabulary: int, *, seed: int = 0) -> "OracleDrafter":
        """Know the text of `output` `int64[B, prompt_length + emitted]`, as plain `generate()` returned it."""
        return cls(output[:, prompt_length:].tolist(), vocabulary, seed=seed)

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "OracleSession":
        """Start the next row; the segment makes no difference."""
        row = self._opened % len(self.emitted)
        self._opened += 1
        return OracleSession(self, self.emitted[row], np.random.default_rng((self.seed, row)))


class OracleSession:
    """One row. It counts the emitted tokens: those after the first `observe`."""

    def __init__(self, drafter: OracleDrafter, emitted: list[int], rng: np.random.Generator) -> None:
        self._drafter = drafter
        self._emitted = emitted
        self._rng = rng
        self._position = 0
        self._was_right = self._was_wrong = self._has_slipped = False
        self._is_prompt = True

    def extend(self, tokens: TokenArray) -> None:
        """Advance by the committed tokens `int32[n]`."""
        self._position += 0 if self._is_prompt else tokens.size

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """Draft what comes next, often wrong from one of the first tokens on."""
        length = int(self._rng.integers(0, max_tokens + 1)) if self._rng.random() < 0.3 else max_tokens
        vocabulary = self._drafter.vocabulary
        tokens = self._rng.integers(0, vocabulary, length).astype(np.int32)
        known = np.array(self._emitted[self._position : self._position + length], np.int32)
        tokens[: known.size] = known
        must_slip = self._drafter.corrupted > 0 and self._was_right and not (self._was_wrong or self._has_slipped)
        self._has_slipped = must_slip
        if length and (self._rng.random() < self._drafter.corrupted or must_slip):
            start = 0 if must_slip else int(self._rng.integers(0, min(length, 4)))
            others = [token for token in self._emitted if token != tokens[start]] if must_slip else []
            wrong = (tokens[start] + 1 + self._rng.integers(0, vocabulary - 1)) % vocabulary
            tokens[start] = self._rng.choice(others) if others else wrong
            tokens[start + 1 :] = self._rng.integers(0, vocabulary, length - start - 1)
        return Draft(tokens)

    def propose_tree(self, max_nodes: int, min_survival: float = 0.0) -> Draft:
        """As `propose`, or two or three such drafts as one tree."""
        if self._rng.random() >= self._drafter.corrupted:
            return self.propose(max_nodes)
        number = int(self._rng.integers(2, 4))
        return merged([self.propose(-(-max_nodes // number)).tokens.tolist() for _ in range(number)], max_nodes)

    def observe(self, draft: Draft, num_accepted: int) -> None:
        """Note that the prompt is over, and the outcome of the draft; count accepted branches."""
        self._is_prompt = False
        self._was_right |= num_accepted > 0
        self._was_wrong |= num_accepted < draft.tokens.size
        if isinstance(draft, Tree):
            accepted = self._emitted[self._position : self._position + num_accepted]
            self._drafter.branches.update(range(first_branch(draft, accepted), len(accepted)))

    def close(self) -> None:
        """Keep nothing."""


def merged(chains: Iterable[Sequence[int]], max_nodes: int) -> Tree:
    """The tree of the first `max_nodes` different heads of `chains`, in their order."""
    nodes: dict[tuple[int, int], int] = {}
    for chain in chains:
        node = ROOT
        for token in chain:
            node = nodes.setdefault((node, token), len(nodes))
    edges = np.array([*nodes][:max_nodes], np.int32).reshape(-1, 2)
    return Tree(edges[:, 1], np.ones(len(edges)), parents=edges[:, 0])


def first_branch(tree: Tree, path: Sequence[int]) -> int:
    """The depth at which the accepted `path` leaves the first branches; its length if it does not."""
    children, node = tree.children(), ROOT
    firsts = {parent: child for child, parent in reversed([*enumerate(tree.parents.tolist())])}
    for depth, token in enumerate(path):
        node = children.get((node, token), ROOT)
        if node == ROOT:  # the row's text differs from the one that the drafter knows
            return len(path)
        if node != firsts[tree.parents.item(node)]:
            return depth
    return len(path)
