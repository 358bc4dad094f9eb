"""Text from tokens: only complete characters, and together the text of all tokens, however they are split."""

import copy
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ngramspec.serve.endpoints.served_model import ServedModel
from ngramspec.serve.settings import Settings
from ngramspec.serve.text.answer_text import AnswerText
from ngramspec.serve.text.detokenizer import MOST_HELD, REPLACEMENT, Detokenizer, text_of
from ngramspec.serve.text.stop_strings import StopStrings
from tests.serve.serving import NAME, pico


@cache
def metaspace() -> Any:
    """A tokenizer whose words begin with "▁", and whose decoder drops the first blank of a text."""
    words = ["<s>", "</s>", "▁", "▁a", "▁no", "b", "it", "▁it", "."]
    tokenizer = Tokenizer(models.Unigram([(word, -1.0) for word in words], unk_id=0, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


def cut(tokens: list[int], sizes: list[int]) -> list[list[int]]:
    pieces = []
    for size in sizes:
        pieces.append(tokens[:size])
        tokens = tokens[size:]
    return [*pieces, tokens]


SIZES = st.lists(st.integers(0, 5), max_size=20)


@given(st.lists(st.integers(0, 1023), max_size=40), SIZES)
def test_pieces_of_bytes_are_together_the_text_of_all_tokens(tokens: list[int], sizes: list[int]) -> None:
    tokenizer = pico()[1]
    detokenizer = Detokenizer(tokenizer)
    pieces = [detokenizer.feed(piece) for piece in cut(tokens, sizes)] + [detokenizer.finish()]
    assert text_of(tokenizer, tokens) == "".join(pieces)


@given(st.lists(st.integers(0, 8), max_size=20), SIZES)
def test_pieces_of_words_are_together_the_text_of_all_tokens(tokens: list[int], sizes: list[int]) -> None:
    tokenizer = metaspace()
    detokenizer = Detokenizer(tokenizer)
    pieces = [detokenizer.feed(piece) for piece in cut(tokens, sizes)] + [detokenizer.finish()]
    assert text_of(tokenizer, tokens) == "".join(pieces)


HALVES = [bytes([byte]) for byte in (*range(0x80, 0x84), 0xE2, 0xF0, 0xFF)]


@cache
def half_characters() -> list[int]:
    """Tokens that are no character, and one that is no text."""
    model, tokenizer = pico()
    known = ServedModel(model, tokenizer, Settings(NAME)).vocabulary.tokens
    return [*(known.index(half) for half in HALVES), tokenizer.eos_token_id]


RUNS = st.lists(st.tuples(st.integers(0, len(HALVES)), st.integers(1, 70)), max_size=4)
TAILS = st.lists(st.integers(0, len(HALVES)), max_size=60)


@given(RUNS, TAILS, st.text(st.characters(codec="utf-8"), max_size=3), st.lists(st.integers(0, 50), max_size=20))
def test_pieces_of_half_characters_are_together_the_text_of_all_tokens(
    runs: list[tuple[int, int]], tail: list[int], text: str, sizes: list[int]
) -> None:
    tokenizer, half = pico()[1], half_characters()
    tokens = [half[number] for number, length in runs for _ in range(length)]
    tokens += [half[number] for number in tail] + tokenizer(text, add_special_tokens=False).input_ids
    detokenizer = Detokenizer(tokenizer)
    pieces = [detokenizer.feed(piece) for piece in cut(tokens, sizes)] + [detokenizer.finish()]
    assert text_of(tokenizer, tokens) == "".join(pieces)


@pytest.mark.parametrize("number", range(len(HALVES) + 1))
def test_an_answer_without_a_whole_character_is_not_decoded_again_with_each_token(number: int) -> None:
    tokenizer, decoded = pico()[1], []

    class Counting:
        def decode(self, tokens: list[int], **options: Any) -> str:
            decoded.append(len(tokens))
            return str(tokenizer.decode(tokens, **options))

    detokenizer = Detokenizer(Counting())
    tokens = [half_characters()[number]] * 500
    pieces = [detokenizer.feed([token]) for token in tokens] + [detokenizer.finish()]
    assert text_of(tokenizer, tokens) == "".join(pieces)
    assert max(decoded) <= 2 * MOST_HELD


@given(st.text(st.characters(codec="utf-8"), max_size=12))
def test_no_piece_of_a_text_has_half_a_character(text: str) -> None:
    tokenizer = pico()[1]
    detokenizer = Detokenizer(tokenizer)
    tokens = tokenizer(text.replace(REPLACEMENT, ""), add_special_tokens=False).input_ids
    assert [] == [piece for piece in map(detokenizer.feed, ([token] for token in tokens)) if REPLACEMENT in piece]


def first_stop(text: str, stops: list[str]) -> str:
    """The slow way: cut before the first stop string that becomes complete, at the earliest beginning."""
    for end in range(len(text) + 1):
        begins = [text.find(stop) for stop in stops if stop in text[:end]]
        if begins:
            return text[: min(begins)]
    return text


@given(st.text("ab", max_size=20), st.lists(st.text("ab", min_size=1, max_size=4), max_size=3))
def test_a_text_ends_before_the_stop_string_that_is_complete_first(text: str, stops: list[str]) -> None:
    reader = StopStrings(stops)
    expected = first_stop(text, stops)
    reply = ""
    for character in text:
        reply += reader.feed(character)
        assert expected.startswith(reply)
    assert expected == reply + reader.finish()
    assert (expected != text or any(stop in text for stop in stops)) == (reader.found is not None)


def test_what_may_become_a_stop_string_is_kept_back_and_the_rest_is_not() -> None:
    reader = StopStrings(["</end>", "\n\n"])
    assert ["a ", "", "</x b", "", "\n c"] == [reader.feed(piece) for piece in ("a <", "/", "x b", "\n", " c")]
    assert (None, "") == (reader.found, reader.finish())


@pytest.mark.parametrize("stops", [[], ["zz"]])
def test_the_end_of_sequence_is_no_text(stops: list[str]) -> None:
    tokenizer = metaspace()
    text = AnswerText(tokenizer, stops, [8])
    assert "a no" == text.feed([3, 4, 8]) + text.finish()


@given(st.lists(st.integers(0, 8), max_size=20), st.lists(st.text("ab it", min_size=1, max_size=3), max_size=2), SIZES)
def test_however_tokens_are_cut_the_text_ends_at_the_same_character(
    tokens: list[int], stops: list[str], sizes: list[int]
) -> None:
    whole, in_pieces = AnswerText(metaspace(), stops), AnswerText(metaspace(), stops)
    expected = whole.feed(tokens) + whole.finish()
    reply = "".join(map(in_pieces.feed, cut(tokens, sizes))) + in_pieces.finish()
    assert (expected, whole.stop) == (reply, in_pieces.stop)
    assert first_stop(text_of(metaspace(), tokens), stops) == reply


def test_a_tokenizer_whose_file_pads_is_settled_before_threads_share_it() -> None:
    model, tokenizer = pico()
    padding = copy.deepcopy(tokenizer)
    padding.backend_tokenizer.enable_padding(length=64)
    padding.backend_tokenizer.enable_truncation(8)
    ServedModel(model, padding, Settings(NAME))
    assert (None, None) == (padding.backend_tokenizer.padding, padding.backend_tokenizer.truncation)
