"""Reads third-party tokenizers: the bytes of each token, and the tokens that are not text."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

NO_UTF8 = b"\xff"
"""A byte that never occurs in text."""


class TokenizerContent(NamedTuple):
    """What was read from a tokenizer; see `Vocabulary`."""

    tokens: list[bytes]
    special: list[int]
    eos_tokens: list[int]
    padding: list[int]
    encode: Callable[[str], Sequence[int]]


def read(tokenizer: Any) -> TokenizerContent:
    """Read a fast tokenizer of transformers, or Mistral's tekken. Raises TypeError for others."""
    if hasattr(tokenizer, "id_to_byte_piece"):
        return _read_tekken(tokenizer)
    if hasattr(getattr(tokenizer, "tokenizer", None), "instruct_tokenizer"):  # transformers' MistralCommonBackend
        return read(tokenizer.tokenizer.instruct_tokenizer.tokenizer)
    if hasattr(tokenizer, "backend_tokenizer"):
        return _read_fast(tokenizer)
    raise _unreadable(tokenizer, "it does not tell the bytes of its tokens")


def _read_fast(tokenizer: Any) -> TokenizerContent:
    from llguidance import LLTokenizer

    # llguidance knows how most tokenizers spell a byte, so we need not.
    settings = json.loads(tokenizer.backend_tokenizer.to_str())
    settings |= {"padding": None, "truncation": None}
    settings |= {"normalizer": _exact(settings["normalizer"]), "decoder": _spelled_out(settings["decoder"])}
    eos, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    try:
        inner = LLTokenizer(json.dumps(settings), eos_token=eos)
    except ValueError as error:
        raise _unreadable(tokenizer, str(error)) from error
    ids = range(inner.vocab_size)
    special = [token for token in ids if inner.is_special_token(token)]
    tokens = [inner.decode_bytes([token]) for token in ids]
    for token in special:
        # llguidance marks special tokens with this byte, and takes a token of only this byte for one of them.
        tokens[token] = tokens[token] or NO_UTF8
    return TokenizerContent(
        tokens=tokens,
        special=special,
        eos_tokens=[] if eos is None else [int(eos)],
        padding=[] if pad is None or pad >= len(tokens) else [int(pad)],
        encode=inner.tokenize_str,
    )


def _exact(normalizer: Any) -> Any:
    """The parts of a normalizer that only respell spaces: a guarded text is tokenised without normalisation."""
    parts = normalizer["normalizers"] if normalizer and normalizer["type"] == "Sequence" else [normalizer]
    spaces = [part for part in parts if part and part["type"] == "Replace" and part["pattern"] == {"String": " "}]
    return {"type": "Sequence", "normalizers": spaces} if spaces else None


def _spelled_out(decoder: Any) -> Any:
    """The decoder with its `Metaspace`, which llguidance does not know, spelled out as a replacement by a space.

    (`Metaspace` also drops the first space of a text. A model's text follows a prompt, so there the space is kept.)
    """
    parts = decoder["decoders"] if decoder and decoder["type"] == "Sequence" else [decoder]
    marks = [part["replacement"] for part in parts if part and part["type"] == "Metaspace"]
    if not marks:
        return decoder
    spaces = [{"type": "Replace", "pattern": {"String": mark}, "content": " "} for mark in marks]
    return {"type": "Sequence", "decoders": [*spaces, {"type": "ByteFallback"}, {"type": "Fuse"}]}


def _read_tekken(tokenizer: Any) -> TokenizerContent:
    from mistral_common.tokens.tokenizers.base import SpecialTokenPolicy

    return TokenizerContent(
        tokens=[tokenizer.id_to_byte_piece(token, SpecialTokenPolicy.KEEP) for token in range(tokenizer.n_words)],
        special=list(range(tokenizer.num_special_tokens)),
        eos_tokens=[tokenizer.eos_id],
        padding=[tokenizer.pad_id] if tokenizer.pad_id >= 0 else [],
        encode=lambda text: tokenizer.encode(text, bos=False, eos=False),
    )


def _unreadable(tokenizer: Any, reason: str) -> TypeError:
    return TypeError(
        "a guard needs the bytes of each token, from a fast tokenizer of transformers that writes text byte by byte,"
        f" from tekken or from a Vocabulary, got {_named(tokenizer)} ({reason}): {_way_out(tokenizer)}"
    )


def _named(tokenizer: Any) -> str:
    if isinstance(tokenizer, type):
        return f"the class {tokenizer.__name__}"
    return type(tokenizer).__name__


def _way_out(tokenizer: Any) -> str:
    if isinstance(tokenizer, str | Path):
        return f"pass AutoTokenizer.from_pretrained({str(tokenizer)!r})"
    if isinstance(tokenizer, type):
        return f"pass what {tokenizer.__name__}.from_pretrained(…) returns"
    if hasattr(tokenizer, "generate") or tokenizer is None:
        return "pass the model's tokenizer, AutoTokenizer.from_pretrained(…)"
    if hasattr(tokenizer, "tokenizer"):
        return "pass its .tokenizer"
    if hasattr(tokenizer, "to_str"):  # a tokenizer of the library that fast tokenizers are made of
        return "pass transformers' PreTrainedTokenizerFast(tokenizer_object=…) with its eos_token"
    return "pass Vocabulary(tokens)"
