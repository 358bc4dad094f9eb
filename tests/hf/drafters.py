"""Drafters that know nothing. The one that knows the answer and spoils it is `ngramspec.testing.OracleDrafter`."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ngramspec.drafting import NO_DRAFT, Draft, Drafter, DraftSession, TokenArray, Tree
from ngramspec.testing.drafters import first_branch, merged


class _Session:
    """What the sessions below share: randomness, and no interest in the text."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def extend(self, tokens: TokenArray) -> None:
        pass

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        raise NotImplementedError

    def observe(self, draft: Draft, num_accepted: int) -> None:
        pass

    def close(self) -> None:
        pass


class RandomDrafter:
    """Drafts random tokens, a random number of them."""

    def __init__(self, vocabulary: int, seed: int = 0) -> None:
        self.vocabulary = vocabulary
        self.rng = np.random.default_rng(seed)

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> DraftSession:
        return _RandomSession(self.vocabulary, self.rng.spawn(1)[0])


class _RandomSession(_Session):
    def __init__(self, vocabulary: int, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self.vocabulary = vocabulary

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        length = int(self.rng.integers(0, max_tokens + 1))
        return Draft(self.rng.integers(0, self.vocabulary, length).astype(np.int32))


class PatternDrafter:
    """Drafts what might hurt: end of sequence in mid-draft, one token over and over, the vocabulary's edges, padding.

    eos_token: drafted in the middle and at both ends. pad_token: drafted as if the row had ended.
    """

    def __init__(self, vocabulary: int, eos_token: int, pad_token: int = 0) -> None:
        self.patterns = [
            [2, eos_token, 2, 3],
            [eos_token],
            [2],
            [0, vocabulary - 1],
            [eos_token, *[pad_token] * 30],
            [pad_token],
            [vocabulary - 1],
        ]

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> DraftSession:
        return _PatternSession(self.patterns)


class _PatternSession(_Session):
    def __init__(self, patterns: list[list[int]]) -> None:
        super().__init__(np.random.default_rng(0))
        self.patterns = patterns

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        pattern = self.patterns[int(self.rng.integers(0, len(self.patterns)))]
        return Draft(np.resize(np.array(pattern, np.int32), max_tokens))


class NoDrafter:
    """Drafts nothing, which is a normal answer."""

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> DraftSession:
        return _NoSession(np.random.default_rng(0))


class _NoSession(_Session):
    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        return Draft(NO_DRAFT)


class BranchingDrafter:
    """The chains of a drafter, as trees: beside them branches of random tokens, which often come first.

    branches: by depth, accepted nodes that the first branches do not lead to.
    """

    def __init__(self, chains: Drafter, vocabulary: int, seed: int = 0) -> None:
        self.chains = chains
        self.vocabulary = vocabulary
        self.branches: Counter[int] = Counter()
        self.rng = np.random.default_rng(seed)

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> DraftSession:
        return _BranchingSession(self, self.chains.open(segment, references))


class _BranchingSession(_Session):
    def __init__(self, drafter: BranchingDrafter, chains: DraftSession) -> None:
        super().__init__(drafter.rng.spawn(1)[0])
        self.drafter, self.chains = drafter, chains
        self.tree: tuple[Tree, int] | None = None

    def extend(self, tokens: TokenArray) -> None:
        self.chains.extend(tokens)
        if self.tree is not None:
            tree, num_accepted = self.tree
            self.drafter.branches.update(range(first_branch(tree, tokens[:num_accepted].tolist()), num_accepted))

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        return self.chains.propose(max_tokens, min_survival)

    def propose_tree(self, max_nodes: int, min_survival: float = 0.0) -> Draft:
        chain = self.propose(max_nodes - 2, min_survival).tokens.tolist() if max_nodes > 2 else []
        start = int(self.rng.integers(0, len(chain) + 1))
        other = [*chain[:start], *self.rng.integers(0, self.drafter.vocabulary, 2).tolist()]
        return merged([other, chain] if self.rng.random() < 0.7 else [chain, other], max_nodes)

    def observe(self, draft: Draft, num_accepted: int) -> None:
        self.chains.observe(draft, num_accepted)
        self.tree = (draft, num_accepted) if isinstance(draft, Tree) else None

    def close(self) -> None:
        self.chains.close()
