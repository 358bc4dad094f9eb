"""Our drafter with one idea switched off at a time: what does each bring?

Private parts of the plain core are replaced here, and nowhere else: nobody who drafts would want these switches. The
compiled core has no such parts, and makes the same drafts: so these rules run with NGRAMSPEC_CORE=plain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from benchmarks.rules import OTHER_LOOKUPS, OURS, TREE_PEERS, TREES, Rule
from ngramspec.drafting import AdaptiveLookup, AdaptiveLookupSession, Likely, TokenArray
from ngramspec.drafting.adaptive_lookup import MAX_SEGMENTS, MAX_TOKENS
from ngramspec.drafting.core import is_compiled
from ngramspec.drafting.core.plain.chain import Chain
from ngramspec.drafting.core.plain.copies import Copy
from ngramspec.drafting.core.plain.features import NOT_FORESEEN, Features
from ngramspec.drafting.core.plain.key import NUM_KINDS, NUM_SOURCES, pack
from ngramspec.drafting.core.plain.pointers import Pointer
from ngramspec.drafting.core.plain.row import Row
from ngramspec.drafting.core.plain.suffix_index import Match, SuffixIndex
from ngramspec.drafting.core.plain.survival import Lesson, Survival
from ngramspec.drafting.core.plain.tree import Branches
from ngramspec.drafting.segments import Segment, Segments


def check_core() -> None:
    """Leave with a message where parts of the core cannot be replaced."""
    if is_compiled():
        raise SystemExit("ablations replace parts of the plain core, got the compiled one: set NGRAMSPEC_CORE=plain")


def _plain_row(session: AdaptiveLookupSession) -> Row:
    return cast(Row, session.row)


def _adaptive(survival: Survival) -> AdaptiveLookup:
    return AdaptiveLookup(cast(Any, survival))


class _NoCopy(Copy):
    def anchor(self, match: Match) -> None:
        pass

    def follow(self, tokens: Sequence[int], text: "memoryview[int]", end: int) -> None:
        self.start = -1  # the most similar prompt has set it


class WithoutCopies(AdaptiveLookup):
    """Nothing goes on after a token that differed; matches alone."""

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> AdaptiveLookupSession:
        """Start a row."""
        session = super().open(segment, references)
        row = _plain_row(session)
        row._own.copy, row._past.copy = _NoCopy(), _NoCopy()
        return session


class _WithoutLikeness(Segments):
    def similar(self, segment: Segment, index: object, grams: Sequence[int]) -> int:
        return -1


class WithoutLikeness(AdaptiveLookup):
    """The copy from history waits for a match, instead of beginning at the answer to the most similar prompt."""

    def __init__(self) -> None:
        """Begin without a history."""
        super().__init__()
        self._segments = _WithoutLikeness(MAX_TOKENS, MAX_SEGMENTS)


class _LongestAlone(Chain):
    def _begin(self, answer: Sequence[int]) -> list[Pointer]:
        pointers = super()._begin(answer)
        return [max(pointers, key=lambda pointer: pointer.length)] if pointers else []


class LongestAlone(AdaptiveLookup):
    """The source that agrees over the most tokens is followed, whatever the others say; the row's own first."""

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> AdaptiveLookupSession:
        """Start a row."""
        session = super().open(segment, references)
        row = _plain_row(session)
        row._chain = _LongestAlone(row._own, row._past, row._survival)
        return session


class WithoutAgreement(Survival):
    """Whether the occurrence before the match goes on the same is not looked at.

    It knows nothing at first, for the prior was learnt with agreement.
    """

    _OF_MATCHES = pack((NUM_KINDS - 1, NUM_KINDS - 1, 0, 0, 0), (0,) * NUM_SOURCES)
    """The kinds of the two matches in a key, which say how they agree; those of copies say something else."""

    def __init__(self) -> None:
        """Know nothing."""
        super().__init__(knows_nothing=True)

    def weigh(self, key: int, recent: int, ahead: int, foreseen: int = NOT_FORESEEN) -> tuple[float, Features]:
        """As if nothing earlier read like the match."""
        return super().weigh(key & ~self._OF_MATCHES, recent, ahead, foreseen)


class Frozen(Survival):
    """The prior, and nothing else."""

    def learn(self, lessons: Sequence[Lesson], right: Sequence[int], recent: int) -> None:
        """Learn nothing."""


class BranchesOfOneText(AdaptiveLookup):
    """Trees whose branches come from the row's own text alone, or from the history alone; their chain is from both."""

    def __init__(self, *, is_own: bool) -> None:
        """Begin without a history."""
        super().__init__()
        self._is_own = is_own

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> AdaptiveLookupSession:
        """Start a row."""
        session = super().open(segment, references)
        row, nothing = _plain_row(session), SuffixIndex()
        texts = (row.index, nothing) if self._is_own else (nothing, row.history)
        row._branches = Branches(*texts, row._survival.mixer)
        return session


class _Unheeding(AdaptiveLookupSession):
    def heed(self, likely: Likely) -> None:
        pass


class OfTextAlone(AdaptiveLookup):
    """Nothing is heeded of what the target held for likely."""

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> AdaptiveLookupSession:
        """Start a row."""
        return _Unheeding(self, self._segments.open(segment), references)


class _Unguessing(Branches):
    def _guesses(self) -> tuple[int, ...]:
        return ()


class _Unrecycling(Branches):
    def _said(self, node: Any, walked: int) -> None:
        return None


class WithBranches(AdaptiveLookup):
    """Trees and paths are grown in another way."""

    def __init__(self, branches: type[Branches]) -> None:
        """Begin without a history; branches: what grows those of a row."""
        super().__init__()
        self._branches = branches

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> AdaptiveLookupSession:
        """Start a row."""
        session = super().open(segment, references)
        row = _plain_row(session)
        row._branches = self._branches(row.index, row.history, row._survival.mixer)
        return session


class _Unmixed(Branches):
    def _surest(
        self, node: Any, at: int, trunk: Sequence[Mapping[int, float]], min_survival: float
    ) -> tuple[int, float, bool] | None:
        return next(((token, node.survival * chance, True) for token, chance in node.offers(trunk).items()), None)


@dataclass(frozen=True, slots=True)
class Ablation:
    """A rule with an idea switched off. than: the name of the one that it is compared with."""

    rule: Rule
    than: str = OURS.name


ABLATIONS = (
    Ablation(Rule("no history", "own text alone", lambda: AdaptiveLookup(max_tokens=1))),
    Ablation(Rule("no copies", "none goes on after a mismatch", WithoutCopies)),
    Ablation(Rule("no likeness", "none starts at a similar prompt's answer", WithoutLikeness)),
    Ablation(Rule("longest alone", "instead of the surest of all", LongestAlone)),
    Ablation(Rule("no learning", "the prior as it is", lambda: _adaptive(Frozen()))),
    Ablation(Rule("no prior", "begin with nothing", lambda: _adaptive(Survival(knows_nothing=True)))),
    Ablation(Rule("no agreement", "and no prior", lambda: _adaptive(WithoutAgreement())), than="no prior"),
    Ablation(Rule("no mixing", "the chain has the last word", lambda: WithBranches(_Unmixed))),
    Ablation(Rule("no budget", "ten tokens in every pass", AdaptiveLookup, 10)),
    *(Ablation(rule, than="PromptLookup") for rule in OTHER_LOOKUPS),
)


WITH_TREES = (
    Ablation(TREES),
    Ablation(
        Rule("trees of text", "nothing that the model held for likely", OfTextAlone, timed=True, takes_trees=True),
        TREES.name,
    ),
    *(Ablation(rule, than=TREES.name) for rule in TREE_PEERS),
)

OF_TREES = (
    Ablation(
        Rule("own branches", "none from history", lambda: BranchesOfOneText(is_own=True), takes_trees=True), TREES.name
    ),
    Ablation(
        Rule("history's branches", "none from own text", lambda: BranchesOfOneText(is_own=False), takes_trees=True),
        TREES.name,
    ),
    Ablation(
        Rule("no guesses", "the likeliest instead of the last", lambda: WithBranches(_Unguessing), takes_trees=True),
        TREES.name,
    ),
    Ablation(
        Rule("no recycling", "what was said earlier", lambda: WithBranches(_Unrecycling), takes_trees=True), TREES.name
    ),
)
"""These need WITH_TREES beside them."""


def spelled_alike(vocabulary: Sequence[bytes]) -> Ablation:
    """What is off by default, switched on: text is also matched by its bytes."""
    return Ablation(Rule("with vocabulary", "and what is spelled alike", lambda: AdaptiveLookup(vocabulary=vocabulary)))
