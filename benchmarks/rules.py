"""The compared rules: other projects', and ours."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ngramspec.decoding import AdaptiveBudget, FixedBudget, fitted
from ngramspec.drafting import AdaptiveLookup, Draft, Drafter, PromptLookup, PromptLookupSession, TokenArray
from ngramspec.replay import Report, Trace
from ngramspec.replay import replay as replay_traces
from ngramspec.simulate.peers import EarliestMatch, SuffixTree

FIT = "h100-8b"
"""The fit of the cost of passes; see `ngramspec.decoding.FITS`."""

BATCHES = (1, 8, 32, 128)
"""Requests that decode together."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A way to draft.

    name: short and unique. settings: in words. drafter: makes a new one. max_draft_tokens: the longest draft, in every
        pass; None if as many are verified as pay. timed: whether the time of drafting is the project's own.
        takes_trees: whether the target does.
    """

    name: str
    settings: str
    drafter: Callable[[], Drafter]
    max_draft_tokens: int | None = None
    timed: bool = False
    takes_trees: bool = False

    @property
    def batches(self) -> tuple[int, ...]:
        """The batch sizes that need a replay each; a fixed rule drafts the same for all."""
        return BATCHES if self.max_draft_tokens is None else BATCHES[:1]


def replay(rule: Rule, drafter: Drafter, traces: Iterable[Trace], batch: int) -> Report:
    """Play back the requests one after another, as `ngramspec replay --cost`; drafter: made by `rule`."""
    budget = AdaptiveBudget() if rule.max_draft_tokens is None else FixedBudget(rule.max_draft_tokens)
    costs, clock = fitted(FIT, batch), time.thread_time_ns
    return replay_traces(traces, drafter, budget=budget, costs=costs, clock=clock, takes_trees=rule.takes_trees)


class WithoutPeriod(PromptLookup):
    """Prompt lookup whose copies end where the text ends; shows the gain of letting them go on."""

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> PromptLookupSession:
        """Start a row."""
        return _WithoutPeriodSession(references)


class _WithoutPeriodSession(PromptLookupSession):
    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        draft = super().propose(max_tokens)
        available = len(self.index) - self.index.latest_longest_match().start
        return replace(draft, tokens=draft.tokens[:available])


OURS = Rule("ngramspec", "history, as many as pay", AdaptiveLookup, timed=True)
TREES = Rule("ngramspec trees", "and branches, as many nodes as pay", AdaptiveLookup, timed=True, takes_trees=True)


def _arctic_trees(batch: int, factor: float, least: float) -> Rule:
    return Rule(
        f"arctic trees {batch}",
        f"64 nodes, factor {factor:g} + 4, least {least}",
        lambda: SuffixTree(keeps_outputs=True, factor=factor, offset=4.0 if factor >= 4 else 0.0, least=least),
        64,
        timed=True,
        takes_trees=True,
    )


PEERS = (
    Rule("transformers", "earliest, n = 2..1, K = 10", lambda: EarliestMatch(min_match=1, max_match=2), 10),
    Rule("vLLM 5", "ngram default: earliest, n = 5, K = 5", lambda: EarliestMatch(min_match=5, max_match=5), 5),
    Rule("vLLM 2-4", "ngram: earliest, n = 4..2, K = 5", lambda: EarliestMatch(min_match=2, max_match=4), 5),
    Rule("arctic own", "suffix tree, own text, factor 1", SuffixTree, 24, timed=True),
    Rule("PromptLookup", "ours, latest longest, n >= 1, K = 10", PromptLookup, 10, timed=True),
    Rule("arctic 1", "and earlier outputs, factor 1", lambda: SuffixTree(keeps_outputs=True), 24, timed=True),
    Rule(
        "arctic 1+4",
        "and earlier outputs, factor 1 + 4 tokens",
        lambda: SuffixTree(keeps_outputs=True, offset=4.0),
        24,
        timed=True,
    ),
    Rule(
        "arctic 2",
        "and earlier outputs, factor 2",
        lambda: SuffixTree(keeps_outputs=True, factor=2.0),
        24,
        timed=True,
    ),
)

TREE_PEERS = (
    _arctic_trees(1, 6, 0.01),
    _arctic_trees(8, 2, 0.05),
    _arctic_trees(32, 1, 0.3),
    _arctic_trees(128, 1, 0.5),
)
"""arctic-inference's trees with the best setting for each of the batch sizes."""

OTHER_LOOKUPS = (
    Rule("PromptLookup 24", "K = 24", PromptLookup, 24, timed=True),
    Rule("earliest", "earliest longest, n = 8..1, K = 10", lambda: EarliestMatch(min_match=1, max_match=8), 10),
    Rule("no period", "a copy ends with the text, K = 10", WithoutPeriod, 10),
)
"""Variants of `PromptLookup`, each with one choice made differently."""
