"""A steered draft is legal throughout, restores the matchers, and continues where a cut one would end."""

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.decoding.legal_nodes import legal_nodes
from ngramspec.decoding.steering import RowSteering, legal_part
from ngramspec.drafting import AdaptiveLookup, Draft, Drafter, PromptLookup, TokenArray, Tree
from ngramspec.foresight import LONGEST
from ngramspec.guards import Guard, Matcher, Vocabulary
from ngramspec.guards.types import BackendError
from ngramspec.testing import AdversarialDrafter
from ngramspec.testing.drafters import merged
from tests.drafting.test_tree import paths_of
from tests.guards.vocabularies import BYTES, EOS, words
from tests.hf.drafters import RandomDrafter

SCHEMA = {
    "type": "object",
    "properties": {"invoice_number": {"type": "integer"}, "currency": {"enum": ["EUR", "USD"]}},
    "required": ["invoice_number", "currency"],
    "additionalProperties": False,
}
TEXT = b'{"invoice_number": 4711, "currency": "USD"}'
PROMPT = b"Invoice number: 4711. To pay in USD. "
DRAFTERS: dict[str, Callable[[], Drafter]] = {
    "adaptive": AdaptiveLookup,
    "prompt lookup": PromptLookup,
    "random": lambda: RandomDrafter(257, seed=1),
    "adversarial": lambda: AdversarialDrafter([TEXT], 257),
}
GUARDS = {
    "schema": lambda: Guard.json_schema(SCHEMA, BYTES),
    "regex": lambda: Guard.regex(r'\{"invoice_number": [0-9]+, "currency": "(EUR|USD)"\}', BYTES),
    "xgrammar": lambda: Guard.json_schema(SCHEMA, BYTES, backend="xgrammar"),
    "after": lambda: Guard.json_schema(SCHEMA, BYTES).after("{!"),
    "between": lambda: Guard.json_schema(SCHEMA, BYTES).between("<", ">"),
}


def tokens_of(text: bytes) -> TokenArray:
    return np.frombuffer(text, np.uint8).astype(np.int32)


def masks(matcher: Matcher) -> bytes:
    row = np.zeros((1, 9), np.int32)
    matcher.fill([], row)
    return row.tobytes()


def drafted(
    drafter: Drafter, matchers: Sequence[Matcher], prompt: bytes, pieces: Sequence[bytes], most: int, end: int | None
) -> bytes:
    """The draft after `pieces`, which came one by one."""
    session, steering = drafter.open(), RowSteering(matchers, [tokens_of(prompt)], end)
    session.extend(tokens_of(prompt))
    for piece in pieces:
        session.extend(tokens_of(piece))
        for matcher in matchers:
            matcher.advance(piece)
        steering.commit(tokens_of(piece))
    before = [masks(matcher) for matcher in matchers]
    draft = steering.draft(session, matchers, most, 0.0)
    assert before == [masks(matcher) for matcher in matchers]
    assert draft.tokens.size <= most
    assert np.all(np.diff(draft.survival) <= 0)
    assert np.all((draft.survival >= 0) & (draft.survival <= 1))
    for matcher in matchers:
        matcher.advance(draft.tokens)  # raises where one of them is not legal
    return bytes(token for token in draft.tokens.tolist() if token != EOS)


@pytest.mark.parametrize("kinds", [["schema"], ["regex"], ["xgrammar"], ["after"], ["between"], ["regex", "schema"]])
@pytest.mark.parametrize("name", DRAFTERS)
@settings(deadline=None, max_examples=20)
@given(cut=st.integers(0, len(TEXT)), middle=st.integers(0, len(TEXT)), most=st.integers(0, 60))
def test_any_draft_is_legal_and_leaves_the_matchers_as_they_were(
    name: str, kinds: list[str], cut: int, middle: int, most: int
) -> None:
    before = {"after": b"hm {!", "between": b"a <"}.get(kinds[0], b"")
    text = before + TEXT[:cut]
    pieces = [piece for piece in (text[:middle], text[middle:]) if piece]
    matchers = [GUARDS[kind]().matcher() for kind in kinds]
    drafted(DRAFTERS[name](), matchers, PROMPT, pieces, most, EOS)


@pytest.mark.parametrize("name", ["adaptive", "prompt lookup"])
def test_the_text_that_the_schema_determines_is_drafted_and_the_end_too(name: str) -> None:
    matcher = Guard.json_schema(SCHEMA, BYTES).matcher()
    found = drafted(DRAFTERS[name](), [matcher], b"", [b'{"'], 60, EOS)
    assert found.startswith(b'invoice_number":')
    matcher = Guard.json_schema(SCHEMA, BYTES).matcher()
    assert b"" == drafted(DRAFTERS["adaptive"](), [matcher], b"", [TEXT], 60, EOS)
    assert matcher.ended


def test_a_value_is_drafted_from_where_its_name_stands_in_the_prompt_and_the_draft_goes_on_after_it() -> None:
    matcher = Guard.json_schema(SCHEMA, BYTES).matcher()
    found = drafted(AdaptiveLookup(), [matcher], PROMPT, [b'{"invoice_number": '], 60, None)
    assert TEXT[len(b'{"invoice_number": ') :].startswith(found)
    assert found.startswith(b'4711, "currency": "')


def test_forced_text_is_drafted_in_the_tokens_of_the_vocabulary() -> None:
    vocabulary = words("hello", " world")
    matcher = Guard.regex("hello world(!|[?])", vocabulary).matcher()
    session, steering = AdaptiveLookup().open(), RowSteering([matcher], [])
    session.extend(tokens_of(b""))
    session.extend(tokens_of(b"h"))
    matcher.advance(b"h")
    steering.commit(tokens_of(b"h"))
    draft = steering.draft(session, [matcher], 9, 0.0)
    assert b"ello world" == vocabulary.decode(draft.tokens)
    assert draft.tokens.tolist()[-1] == 257


def test_between_markers_the_schema_is_foreseen_again_each_time() -> None:
    guard = Guard.json_schema(SCHEMA, BYTES).between("<", ">")
    for before in (b"well <", b"<" + TEXT + b"> and <"):
        found = drafted(AdaptiveLookup(), [guard.matcher()], b"", [before], 30, None)
        assert found.startswith(b'{"invoice_number":')
    assert b"invoice" not in drafted(AdaptiveLookup(), [guard.matcher()], b"", [b"well"], 30, None)


@pytest.mark.parametrize("whitespace", ["flexible", "spaced", "compact"])
@pytest.mark.parametrize("backend", ["llguidance", "xgrammar"])
def test_foreseen_text_has_the_whitespace_of_its_guard(whitespace: Any, backend: Any) -> None:
    guard = Guard.json_schema(SCHEMA, BYTES, whitespace=whitespace, backend=backend)
    separators = (",", ":") if whitespace == "compact" else None
    text = json.dumps(json.loads(TEXT), separators=separators).encode()
    begun = text[: text.index(b"4711")]
    found = drafted(AdaptiveLookup(), [guard.matcher()], PROMPT, [begun], 60, None)
    assert begun + found == text[: len(begun) + len(found)]
    assert len(found) > len(b'4711, "currency"')


@pytest.mark.parametrize("begun", [b"", b'{"invoice_number": ', b'{"invoice_number": 4711, "cur'])
def test_a_text_that_the_prompt_began_is_foreseen_to_continue(begun: bytes) -> None:
    matcher = (
        Guard.json_schema(SCHEMA, BYTES, whitespace="spaced").between("<", ">").matcher(prompt=[*b"so: <", *begun])
    )
    found = drafted(AdaptiveLookup(), [matcher], PROMPT + b"so: <" + begun, [], 60, None)
    assert (TEXT + b">")[len(begun) :].startswith(found)
    assert found


@pytest.mark.parametrize("kind", GUARDS)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_any_pops_take_back_the_last_pushes(kind: str, data: st.DataObject) -> None:
    matcher = GUARDS[kind]().matcher()
    text = {"after": b"{!", "between": b"<"}.get(kind, b"") + TEXT
    steps: list[Any] = data.draw(st.lists(st.booleans(), max_size=40))
    position = 0
    with matcher.lookahead() as ahead:
        for goes_on in steps:
            if goes_on and position < len(text):
                assert ahead.push(text[position])
                position += 1
            elif position:
                ahead.pop()
                position -= 1
        expected = GUARDS[kind]().matcher()
        expected.advance(text[:position])
        assert (expected.accepting(), expected.num_guarded) == (ahead.accepting(), ahead.num_guarded)
        assert all(ahead.push(token) for token in text[position:])


@given(free=st.text("ab", max_size=4), inner=st.integers(0, len(TEXT)), again=st.booleans())
@settings(deadline=None)
def test_any_bytes_since_the_marker_are_guarded_and_none_where_the_text_is_free(
    free: str, inner: int, again: bool
) -> None:
    matcher = Guard.json_schema(SCHEMA, BYTES).between("<", ">").matcher()
    matcher.advance(free.encode())
    assert matcher.num_guarded is None
    if again:
        matcher.advance(b"<" + TEXT + b">" + free.encode())
        assert matcher.num_guarded is None
    matcher.advance(b"<" + TEXT[:inner])
    assert inner == matcher.num_guarded


@pytest.mark.parametrize(
    ("schema", "text", "expected"),
    [
        ({"type": "array", "minItems": 2, "items": {"const": "x"}}, b'["x"', b',"x"]'),
        ({"const": {"k": [1, 2, 3]}}, b'{"k":[1,', b"2,3]}"),
    ],
)
def test_if_the_foreseen_token_is_refused_the_forced_one_is_drafted(schema: Any, text: bytes, expected: bytes) -> None:
    matcher = Guard.json_schema(schema, BYTES, whitespace="compact").matcher()
    assert expected == drafted(AdaptiveLookup(), [matcher], b"", [text], 30, None)


def test_after_within_between_is_foreseen_where_both_hold() -> None:
    guard = Guard.json_schema(SCHEMA, BYTES).after("!").between("<", ">")
    assert drafted(AdaptiveLookup(), [guard.matcher()], b"", [b"x <ab", b"c!"], 30, None).startswith(
        b'{"invoice_number":'
    )
    assert b"invoice" not in drafted(AdaptiveLookup(), [guard.matcher()], b"", [b"x <ab"], 30, None)


def test_where_a_backend_fails_in_mid_draft_nothing_is_drafted_and_no_error_is_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    matcher = Guard.json_schema(SCHEMA, BYTES).matcher()

    def fails(*tokens: object) -> int:
        raise BackendError("full")

    for name in ("_push", "_push_all", "_num_possible"):
        monkeypatch.setattr(matcher, name, fails)
    session, steering = AdaptiveLookup().open(), RowSteering([matcher], [])
    session.extend(tokens_of(b"x"))
    assert 0 == steering.draft(session, [matcher], 9, 0.0).tokens.size


@pytest.mark.parametrize("size", [1_000, 100_000])
def test_of_a_long_constant_and_a_long_value_so_much_is_cut_as_is_drafted(size: int) -> None:
    asked: list[int] = []

    class Counting(Vocabulary):
        def encode(self, text: str) -> list[int]:
            asked.append(len(text))
            return super().encode(text)

    vocabulary = Counting(BYTES.tokens, eos_tokens=[EOS])
    matcher = Guard.json_schema({"const": {"k": "z" * size}}, vocabulary).matcher()
    session, steering = AdaptiveLookup().open(), RowSteering([matcher], [])
    session.extend(tokens_of(b"x"))
    asked.clear()
    assert b'{"k": "z' == bytes(steering.draft(session, [matcher], 8, 0.0).tokens.tolist())
    assert max(asked) <= LONGEST


INVOICES = b'{"invoice_number": 4711, "currency": "EUR"}{"invoice_number": 4823, "currency": "USD"}'


@pytest.mark.parametrize("kinds", [["schema"], ["regex"], ["xgrammar"], ["after"], ["between"], ["regex", "schema"]])
def test_the_nodes_of_a_steered_tree_are_legal_the_steered_chain_among_them_and_matchers_stay(kinds: list[str]) -> None:
    before = {"after": b"{!", "between": b"<"}.get(kinds[0], b"")
    most_beside = 0
    for cut in range(len(TEXT)):
        drafts = []
        for name in ("draft", "draft_tree"):
            matchers = [GUARDS[kind]().matcher() for kind in kinds]
            session, steering = AdaptiveLookup().open(), RowSteering(matchers, [tokens_of(INVOICES)], EOS)
            session.extend(tokens_of(INVOICES))
            session.extend(tokens_of(before + TEXT[:cut]))
            for matcher in matchers:
                matcher.advance(before + TEXT[:cut])
            steering.commit(tokens_of(before + TEXT[:cut]))
            states = [*map(masks, matchers)]
            drafts.append(getattr(steering, name)(session, matchers, 40, 0.01))
            assert states == [*map(masks, matchers)]
        chain, tree = drafts
        assert isinstance(tree, Tree)
        paths = paths_of(tree)
        for path in paths:
            assert len(path) == legal_part(Draft(np.array(path, np.int32)), matchers).tokens.size
        heads = [path for path in paths if [*path] == chain.tokens[: len(path)].tolist()]
        assert len({*map(len, heads)}) == len(heads)
        most_beside = max(most_beside, len(paths) - len(heads))
    assert most_beside > 1


@settings(deadline=None)
@given(
    cut=st.integers(0, len(TEXT)),
    chains=st.lists(st.lists(st.sampled_from(TEXT), max_size=5), max_size=3),
    at=st.integers(0, 6),
)
@pytest.mark.parametrize("name", GUARDS)
def test_of_any_tree_the_same_nodes_are_legal_after_tokens_that_are_known_to_be(
    name: str, cut: int, chains: list[list[int]], at: int
) -> None:
    text = {"after": b"{!", "between": b"<"}.get(name, b"") + TEXT
    matcher = GUARDS[name]().matcher()
    matcher.advance(text[:cut])
    upcoming = [*text[cut : cut + 6]]
    tree = merged([upcoming[:4], *chains, *([*upcoming[:at], *chain] for chain in chains)], 40)
    found = []
    for num_known in range(len(upcoming) + 1):
        with matcher.lookahead() as ahead:
            assert num_known == ahead.push_all(upcoming[:num_known])
            found.append(legal_nodes(tree, [ahead], upcoming[:num_known]))
    assert found[:1] * len(found) == found


@settings(deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("name", GUARDS)
def test_of_any_draft_the_head_is_kept_whose_tokens_can_be_pushed_one_by_one(name: str, data: st.DataObject) -> None:
    matcher = GUARDS[name]().matcher()
    text = {"after": b"{!" + TEXT, "between": b"<" + TEXT + b">."}.get(name, TEXT)
    said = data.draw(st.integers(0, len(text)))
    tokens = [*text[said : data.draw(st.integers(said, len(text)))]]
    tokens += data.draw(st.lists(st.integers(-1, 300) | st.sampled_from([EOS, *TEXT]), max_size=4))
    tokens += [*text[said + len(tokens) :]]
    matcher.advance(text[:said])
    with matcher.lookahead() as ahead:
        expected = [*itertools.takewhile(ahead.push, tokens)]
    before = masks(matcher)
    assert expected == legal_part(Draft(np.array(tokens, np.int32)), [matcher]).tokens.tolist()
    assert before == masks(matcher)


@settings(deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("name", GUARDS)
def test_of_a_tree_the_nodes_are_kept_whose_paths_a_chain_would_keep(name: str, data: st.DataObject) -> None:
    matchers = [GUARDS[name]().matcher([EOS]), Guard.regex("[^7]*", BYTES).matcher([EOS])]
    start = data.draw(st.integers(0, len(TEXT) - 1))
    for matcher in matchers:
        matcher.advance([*TEXT[:start].replace(b"7", b"1")])
    before = [*map(masks, matchers)]
    letters = st.sampled_from([*b'{"1a}7U', *TEXT])
    chains = data.draw(st.lists(st.lists(letters, max_size=6) | st.just([*TEXT[start : start + 6]]), max_size=4))
    tree = merged(chains, 12)
    legal = legal_part(tree, matchers)
    assert isinstance(legal, Tree)
    heads = [legal_part(Draft(np.array(path, np.int32)), matchers) for path in paths_of(tree)]
    kept = [path for path, head in zip(paths_of(tree), heads, strict=True) if len(path) == head.tokens.size]
    assert kept == paths_of(legal)
    assert before == [*map(masks, matchers)]
