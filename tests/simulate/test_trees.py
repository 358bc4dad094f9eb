"""Drafts that branch are simulated as they are decoded: walked, counted, priced, and heeding what was recorded."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.decoding import FITS, DraftingPrices, FixedBudget, HostPrices, PassPrices
from ngramspec.drafting import ROOT, AdaptiveLookup, Draft, Tree
from ngramspec.drafting.types import Steering
from ngramspec.guards import Guard, Vocabulary
from ngramspec.replay import Trace
from ngramspec.replay.alternatives import Alternatives
from ngramspec.simulate import Arm, ClosedLoop, Machine, Reliability, Run, Service
from ngramspec.simulate.drafting import PricedSession
from ngramspec.simulate.target import _num_masked
from tests.drafting.test_tree import paths_of, trees
from tests.simulate.test_service import requests
from tests.test_replay import AnyTrees

H100 = Machine(FITS["h100-8b"].passes, FITS["h100-8b"].host)


def run(traces: list[Trace], arm: Arm, *, machine: Machine = H100, clients: int = 1) -> Run:
    return Service(machine, arm).run(traces, ClosedLoop(len(traces), clients))


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=5), st.integers(0, 9), st.integers(0, 99))
def test_any_trees_are_walked_as_far_as_the_recording_is_a_path(lengths: list[int], most: int, seed: int) -> None:
    traces = [replace(each, prompt=each.prompt[:0]) for each in requests([(0, length) for length in lengths], seed)]
    found = run(traces, Arm(lambda: AnyTrees(seed), lambda: FixedBudget(most), takes_trees=True))
    drafter = AnyTrees(seed)
    for trace, served in zip(traces, found.served, strict=True):
        output, position, passes, drafted = trace.output.tolist(), 0, 0, 0
        while position < len(output):
            tree = drafter.propose_tree(min(most, len(output) - position - 1))
            paths, start = paths_of(tree), position
            while position < len(output) and (*output[start : position + 1],) in paths:
                position += 1
            position, passes, drafted = position + 1, passes + 1, drafted + len(paths)
        counters = served.counters
        assert (passes, drafted) == (counters.target_passes, counters.num_draft_tokens)
        assert (len(output), len(output) - passes) == (counters.tokens, counters.num_accepted_tokens)


def test_a_node_takes_the_time_of_a_token_of_a_chain() -> None:
    (trace,) = requests([(0, 9)])
    price = HostPrices(blind=DraftingPrices(of_token=0.5))
    arm = Arm(lambda: AnyTrees(1), lambda: FixedBudget(4), takes_trees=True)
    (served,) = run([trace], arm, machine=Machine(PassPrices(base=1.0, of_token=0.25), price)).served
    counters = served.counters
    assert 0 < counters.num_accepted_tokens < counters.num_draft_tokens
    assert 0.5 * counters.num_draft_tokens == pytest.approx(served.host_seconds)
    checked = counters.target_passes + counters.num_draft_tokens
    assert counters.target_passes + 0.25 * checked + served.host_seconds == pytest.approx(served.latency)


def test_of_a_recording_that_says_what_was_held_for_likely_that_is_drafted_where_trees_are() -> None:
    """Here each choice held the next token for likely."""
    output = np.random.default_rng(0).permutation(200).astype(np.int32)
    top = Alternatives(
        np.stack([output, np.roll(output, -1)], axis=1), np.log(np.array([[0.6, 0.4]] * 200, np.float32))
    )
    plain = Trace(np.zeros(1, np.int32), output, "a")
    said = replace(plain, output_top=top)
    passes = [
        run([each], Arm(AdaptiveLookup, takes_trees=takes)).served[0].counters.target_passes
        for each, takes in ((plain, True), (said, False), (said, True))
    ]
    assert [200, 200] == passes[:2]
    assert passes[2] < 120


def test_trees_bring_more_than_chains_at_the_published_prices() -> None:
    """Texts in which each word is followed by one of two."""
    drawn = np.random.default_rng(0)
    texts = [np.cumsum(drawn.choice([1, 3], 400, p=[0.6, 0.4])).astype(np.int32) % 40 for _ in range(8)]
    traces = [Trace(text[:200], text[200:], "a") for text in texts]
    chains, branching = (run(traces, Arm(AdaptiveLookup, takes_trees=takes)) for takes in (False, True))
    assert branching.num_passes < 0.95 * chains.num_passes
    assert branching.seconds < chains.seconds


def test_guarded_rows_draft_trees_too_and_emit_their_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    drafts, steer_tree = list[Draft](), PricedSession._steer_tree

    def noted(self: PricedSession, max_nodes: int, min_survival: float, steering: Steering) -> Draft:
        drafts.append(steer_tree(self, max_nodes, min_survival, steering))
        return drafts[-1]

    monkeypatch.setattr(PricedSession, "_steer_tree", noted)
    vocabulary = Vocabulary([b'"', b"a", b"b", b"</s>"], eos_tokens=[3])
    guard = Guard.json_schema({"enum": ["abab", "abba", "baab"]}, vocabulary)
    outputs = [[0, 1, 2, 1, 2, 0, 3], [0, 1, 2, 2, 1, 0, 3], [0, 2, 1, 1, 2, 0, 3]] * 4
    traces = [Trace(np.array([1, 2], np.int32), np.array(each, np.int32), "a", guard=guard) for each in outputs]
    found = run(traces, Arm(AdaptiveLookup, takes_trees=True))
    assert [7] * 12 == [each.counters.tokens for each in found.served]
    assert sum(each.counters.num_accepted_tokens for each in found.served) > 40
    trees_drafted = [draft.parents for draft in drafts if isinstance(draft, Tree)]
    assert sum(np.unique(parents).size < parents.size for parents in trees_drafted) > 3


@given(st.lists(st.tuples(trees(), st.lists(st.integers(0, 2), min_size=1, max_size=9)), max_size=9))
def test_reliability_of_trees_is_what_a_loop_counts(checked: list[tuple[Tree, list[int]]]) -> None:
    found, tenths, accepted, tried = Reliability(), [[0.0, 0.0, 0.0] for _ in range(10)], 0, 0
    for tree, chosen in checked:
        found.record_tree(tree, chosen)
        paths = paths_of(tree)
        for path, probability in zip(paths, tree.survival.tolist(), strict=True):
            tenth = tenths[min(9, int(probability * 10))]
            tenth[0] += 1
            tenth[1] += probability
            tenth[2] += path == (*chosen[: len(path)],)
        prefixes = [(*chosen[:number],) for number in range(len(chosen) + 1)]
        accepted += sum(prefix in paths for prefix in prefixes[1:])
        tried += sum(
            (not prefix or prefix in paths) and any(path[:-1] == prefix for path in paths) for prefix in prefixes
        )
    assert (accepted, tried) == (found.num_accepted, found.num_tried)
    shown = [
        {"tokens": count, "predicted": predicted / count, "accepted": right / count}
        for count, predicted, right in tenths
        if count
    ]
    assert len(shown) == len(found.as_dicts())
    for expected, actual in zip(shown, found.as_dicts(), strict=True):
        assert expected == pytest.approx(actual)


@given(trees())
def test_of_a_tree_masks_are_filled_along_its_surest_path(tree: Tree) -> None:
    surest, node = 0, ROOT
    while children := [child for child, parent in enumerate(tree.parents.tolist()) if parent == node]:
        surest, node = surest + 1, children[0]
    assert surest == _num_masked(tree)
