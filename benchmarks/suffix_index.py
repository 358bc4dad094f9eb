"""How much host time does drafting take, by the length of the context? Compared with rescanning the context.

    python -m benchmarks.suffix_index [TRACES...] [--json]

The context is recorded requests, one after another, in tokens. The tokens after it are drafted and committed as with a
target that emits exactly these, up to ten drafted per pass. Everything is repeated several times, with context lengths
in turn. A call's time is the median of its repetitions, so that moments of other load do not count, and the figure is
the sum over all calls, per emitted token.

The rescans answer the same question without an index: transformers' own PromptLookupCandidateGenerator, and vLLM's
search (Knuth-Morris-Pratt on the reversed context), rewritten here and compiled with numba if that is installed.
"""

import json
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.console import wide_console
from benchmarks.traces import parser, trace_paths
from ngramspec.decoding import common_length
from ngramspec.drafting import Drafter, PromptLookup, TokenArray
from ngramspec.drafting.core import is_compiled
from ngramspec.replay import load_tokenizer, read_traces

LENGTHS = (1024, 8192, 32768, 131072)
NUM_EMITTED = 2000
REPETITIONS = 7
RESCANS = 20
MAX_DRAFT_TOKENS = 10

Rescan = Callable[[TokenArray], Callable[[], object]]
"""Maps a context to the search in it, which is timed."""


def main() -> None:
    """Measure, then print."""
    command_line = parser(__doc__)
    arguments = command_line.parse_args()
    paths = trace_paths(command_line, arguments.traces)
    text = _read(paths, arguments.tokenizer, max(LENGTHS) + NUM_EMITTED)

    rescans: dict[str, Rescan | None] = {
        "transformers_us_per_pass": _transformers_rescan(),
        "kmp_us_per_pass": _kmp_rescan(),
    }
    samples: dict[int, list[dict[str, list[float]]]] = {length: [] for length in LENGTHS}
    for _ in track(range(REPETITIONS), "Measuring", console=Console(stderr=True), transient=True):
        for length in LENGTHS:
            samples[length].append(_measure(text, length, rescans))
    rows = [{"context": length} | _summarise(samples[length]) | _memory(text[:length]) for length in LENGTHS]
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        _print(rows)


def _read(paths: list[Path], tokenizer_name: str, size: int) -> TokenArray:
    """Requests one after another, taken from the files in turn, so that every kind of traffic is among them."""
    tokenizer = load_tokenizer(tokenizer_name)
    sources = [read_traces(path, tokenizer) for path in paths]
    parts: list[TokenArray] = []
    while sources and sum(part.size for part in parts) < size:
        for source in list(sources):
            trace = next(source, None)
            if trace is None:
                sources.remove(source)
            else:
                parts += [trace.prompt, trace.output]
    text = np.concatenate(parts)[:size]
    if text.size < size:
        raise SystemExit(f"the traces must hold at least {size} tokens, got {text.size}: pass more of them")
    return text


def _measure(text: TokenArray, length: int, rescans: dict[str, Rescan | None]) -> dict[str, list[float]]:
    """Seconds of each call."""
    drafter: Drafter = PromptLookup()
    session = drafter.open()
    calls = {"index": [_seconds(partial(session.extend, text[:length]))]}
    calls["propose"], calls["extend"] = [], []
    position = length
    while position < length + NUM_EMITTED:
        start = time.perf_counter()
        draft = session.propose(MAX_DRAFT_TOKENS)
        calls["propose"].append(time.perf_counter() - start)
        upcoming = text[position : length + NUM_EMITTED]
        emitted = upcoming[: common_length(draft.tokens.tolist(), upcoming[: draft.tokens.size].tolist()) + 1]
        start = time.perf_counter()
        session.observe(draft, emitted.size - 1)
        session.extend(emitted)
        calls["extend"].append(time.perf_counter() - start)
        position += emitted.size
    for name, rescan in rescans.items():
        if rescan is not None:
            ends = range(length, length + NUM_EMITTED, NUM_EMITTED // RESCANS)
            calls[name] = [_seconds(rescan(text[end - length : end])) for end in ends]
    return calls


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _summarise(samples: list[dict[str, list[float]]]) -> dict[str, float]:
    typical = {
        name: [median(times) for times in zip(*(sample[name] for sample in samples), strict=True)]
        for name in samples[0]
    }
    figures = {
        "us_per_token": sum(typical["propose"] + typical["extend"]) / NUM_EMITTED * 1e6,
        "us_per_pass": sum(typical["propose"] + typical["extend"]) / len(typical["propose"]) * 1e6,
        "slowest_pass_us": max(map(sum, zip(typical["propose"], typical["extend"], strict=True))) * 1e6,
        "index_ms": typical["index"][0] * 1e3,
    }
    return figures | {name: median(typical[name]) * 1e6 for name in typical if name.endswith("_us_per_pass")}


def _memory(text: TokenArray) -> dict[str, float]:
    """Bytes per token of the index; the worst case is a text without repeated tokens."""
    distinct = np.arange(2**31 - 1 - text.size, 2**31 - 1).astype(np.int32)
    # One by one, up to the length just after dictionaries have doubled, when they are emptiest.
    emitted = list(np.arange(87_400, dtype=np.int32)[:, None])
    return {
        "bytes_per_token": _bytes_per_token([text]),
        "bytes_per_token_at_worst": _bytes_per_token([distinct]),
        "bytes_per_emitted_token_at_worst": _bytes_per_token(emitted),
    }


def _bytes_per_token(parts: list[TokenArray]) -> float:
    tracemalloc.start()
    session = PromptLookup().open()
    for tokens in parts:
        session.extend(tokens)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    if is_compiled():  # its memory is not traced
        size = session.index.nbytes
    return size / sum(tokens.size for tokens in parts)


def _transformers_rescan() -> Rescan:
    import torch
    from transformers.generation.candidate_generator import PromptLookupCandidateGenerator

    torch.set_num_threads(1)
    generator = PromptLookupCandidateGenerator(
        num_output_tokens=MAX_DRAFT_TOKENS, max_matching_ngram_size=2, max_length=2**31
    )
    return lambda context: partial(generator.get_candidates, torch.LongTensor(context[None]))


def _kmp_rescan() -> Rescan | None:
    try:
        numba = import_module("numba")
    except ImportError:
        return None
    compiled: Callable[[TokenArray, int, int], int] = numba.njit(kmp_earliest_longest)
    compiled(np.zeros(8, np.int32), 2, 4)  # compile before timing
    return lambda context: partial(compiled, context, 2, 4)


def kmp_earliest_longest(text: TokenArray, min_match: int, max_match: int) -> int:
    """Position after the earliest position of the longest match, or -1; one pass over the text from its end."""
    reversed_text = text[::-1]
    border = np.zeros(max_match, np.int32)  # by number of first tokens: the longest proper prefix that is also a suffix
    longest, position, matched = 0, 0, 0
    for index in range(1, text.size):
        while matched > 0 and reversed_text[matched] != reversed_text[index]:
            matched = border[matched - 1]
        if reversed_text[matched] == reversed_text[index]:
            matched += 1
        if matched >= longest and matched > 0:
            longest, position = matched, index
        if index < max_match:
            border[index] = matched
        if matched == max_match:
            matched = border[max_match - 1]
    return text.size - 1 - position + longest if longest >= min_match else -1


def _print(rows: list[dict[str, float]]) -> None:
    console = wide_console()
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    columns = {
        "context": "context\n(tokens)",
        "us_per_token": "extend + propose\n(µs per token)",
        "us_per_pass": "\n(µs per pass)",
        "slowest_pass_us": "slowest pass\n(µs)",
        "index_ms": "indexing the\nprompt (ms)",
        "bytes_per_token": "memory (bytes\nper token)",
        "bytes_per_token_at_worst": "at most:\nprompt",
        "bytes_per_emitted_token_at_worst": "at most:\noutput",
        "transformers_us_per_pass": "transformers'\nrescan (µs)",
        "kmp_us_per_pass": "KMP rescan\n(µs)",
    }
    for title in columns.values():
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(*(_cell(key, row.get(key)) for key in columns))
    console.print(table)


def _cell(key: str, value: float | None) -> str:
    if value is None:
        return "no numba"
    return f"{value:.1f}" if key in ("us_per_token", "us_per_pass", "index_ms") else f"{value:.0f}"


if __name__ == "__main__":
    main()
