"""What does each idea of our drafter gain? One is switched off at a time.

Private parts of the plain core are replaced here, and nowhere else, because no user needs these switches. The compiled
core has no such parts, and makes the same drafts, so these rules run with NGRAMSPEC_CORE=plain.
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
    """Exit with a message if parts of the core cannot be replaced."""
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
        self.start = -1  # undo the start that the most similar prompt set


class WithoutCopies(AdaptiveLookup):
    """Only matches: nothing continues after a token that differed."""

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
    """Always follows the source that agrees over the most tokens; in a tie the row's own text."""

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> AdaptiveLookupSession:
        """Start a row."""
        session = super().open(segment, references)
        row = _plain_row(session)
        row._chain = _LongestAlone(row._own, row._past, row._survival)
        return session


class WithoutAgreement(Survival):
    """Ignores whether the occurrence before the match continues in the same way.

    It starts without a prior, which was learnt with agreement.
    """

    _OF_MATCHES = pack((NUM_KINDS - 1, NUM_KINDS - 1, 0, 0, 0), (0,) * NUM_SOURCES)
    """Mask of the kinds of the two matches in a key, which say how they agree; a copy's kind has another meaning."""

    def __init__(self) -> None:
        """Start without a prior."""
        super().__init__(knows_nothing=True)

    def weigh(self, key: int, recent: int, ahead: int, foreseen: int = NOT_FORESEEN) -> tuple[float, Features]:
        """Weigh as if the match had no earlier occurrence."""
        return super().weigh(key & ~self._OF_MATCHES, recent, ahead, foreseen)


class Frozen(Survival):
    """Only the prior: nothing is learnt."""

    def learn(self, lessons: Sequence[Lesson], right: Sequence[int], recent: int) -> None:
        """Do nothing."""


class BranchesOfOneText(AdaptiveLookup):
    """Trees with branches from only the row's own text, or only the history; their chain is from both."""

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
    """Does not heed the target's likeliest tokens."""

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> AdaptiveLookupSession:
        """Start a row."""
        return _Unheeding(self, self._segments.open(segment), references)


class _Unguessing(Branches):
    def _guesses(self) -> tuple[int, ...]:
        return ()


class _Unrecycling(Branches):
    def _recycled(self, node: Any, walked: int) -> None:
        return None


class WithBranches(AdaptiveLookup):
    """Grows trees and paths in another way."""

    def __init__(self, branches: type[Branches]) -> None:
        """Begin without a history; branches: grows those of a row."""
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
    """A rule with an idea switched off. than: the name of the rule that it is compared with."""

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
"""These also need WITH_TREES."""


def spelled_alike(vocabulary: Sequence[bytes]) -> Ablation:
    """A default turned around: text is also matched by its bytes."""
    return Ablation(Rule("with vocabulary", "and what is spelled alike", lambda: AdaptiveLookup(vocabulary=vocabulary)))
