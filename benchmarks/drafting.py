"""How much host time does drafting with history take? By the length of the context, and in a step of many rows.

    python -m benchmarks.drafting [TRACES...] [--trees] [--rows 128] [--rounds 3] [--contexts 1024 131072] [--json]

A drafter first serves the requests of its history, one segment for all. Then it serves others after a context of
recorded text. It drafts down to a survival of 0.01, as a GPU allows with one request, and of 0.4, as with 128. Each
round has a new drafter, so that all rounds make the same calls. A call's time is the median of its rounds, and the
printed figure is the sum, per emitted token and per pass. A step of many rows is `propose_all` for rows that have
emitted a token each since the last step; its figure is the median of the steps.
"""

import json
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.traces import parser, trace_paths
from ngramspec.decoding import common_length
from ngramspec.drafting import AdaptiveLookup, AdaptiveLookupSession, TokenArray, Tree, propose_all, propose_trees
from ngramspec.drafting.adaptive_lookup import MAX_TOKENS
from ngramspec.drafting.core import is_compiled
from ngramspec.drafting.history import History
from ngramspec.drafting.sketch import sketch
from ngramspec.replay import Trace, load_tokenizer, read_traces

CONTEXTS = (1024, 8192, 131072)
ROW_CONTEXT = 8192
SURVIVALS = (0.01, 0.4)
MAX_DRAFT_TOKENS = 48  # fewer than the budget allows, to compare times with earlier ones
MAX_EMITTED = 200
NUM_EARLIER = 10  # requests of the history per timed request
STEPS = 20
SEGMENT = "benchmark"

Call = tuple[float, float]
"""Seconds of a `propose` and of the `extend` that follows."""


def main() -> None:
    """Measure, then print."""
    command_line = parser(__doc__)
    command_line.add_argument("--rows", type=int, default=128, help="rows of the step (default: 128)")
    command_line.add_argument("--trees", action="store_true", help="draft trees instead of chains")
    command_line.add_argument("--rounds", type=int, default=3, help="repetitions (default: 3)")
    command_line.add_argument("--requests", type=int, default=40, help="requests that are timed (default: 40)")
    command_line.add_argument("--contexts", type=int, nargs="+", default=CONTEXTS, help="in tokens (default: all)")
    arguments = command_line.parse_args()
    traces = _read(trace_paths(command_line, arguments.traces), arguments.tokenizer)
    timed, earlier = traces[: arguments.requests], traces[arguments.requests :]
    text = np.concatenate([part for trace in earlier for part in (trace.prompt, trace.output)])
    text = np.resize(text, max(text.size, 2 * ROW_CONTEXT, *arguments.contexts))  # a small file is repeated
    earlier = earlier[: NUM_EARLIER * len(timed)]
    cells = [(context, survival) for context in arguments.contexts for survival in SURVIVALS]
    rounds: list[list[list[Call]]] = []
    for _ in track(range(arguments.rounds), "Measuring", console=Console(stderr=True), transient=True):
        drafter = _experienced(earlier)
        is_tree = arguments.trees
        rounds.append([_calls(drafter, timed, text[:context], survival, is_tree) for context, survival in cells])
    figures = {
        "per_token": [
            {"context": context, "min_survival": survival} | _summary(timed, samples)
            for (context, survival), samples in zip(cells, zip(*rounds, strict=True), strict=True)
        ],
        "rows": arguments.rows,
        "step_ms": _step(_experienced(earlier), text, arguments.rows, propose_trees if is_tree else propose_all),
        "bytes_per_history_token": _bytes_per_history_token(earlier),
    }
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        _print(figures)


def _read(paths: Sequence[Path], tokenizer_name: str) -> list[Trace]:
    """All requests with something to draft, shuffled: every kind of traffic comes early."""
    tokenizer = load_tokenizer(tokenizer_name)
    traces = [trace for path in paths for trace in read_traces(path, tokenizer)]
    traces = [trace for trace in traces if trace.output.size > 20 and not trace.degenerate_loop]
    return [traces[index] for index in np.random.default_rng(0).permutation(len(traces))]


def _calls(
    drafter: AdaptiveLookup, timed: Sequence[Trace], context: TokenArray, survival: float, is_tree: bool
) -> list[Call]:
    """Every call's times; the history does not change, because no row is closed."""
    calls: list[Call] = []
    for trace in timed:
        prompt = np.concatenate((context, trace.prompt))[-context.size :]
        _serve(drafter.open(SEGMENT), prompt, trace.output[:MAX_EMITTED], survival, calls, is_tree=is_tree)
    return calls


def _summary(timed: Sequence[Trace], samples: Sequence[list[Call]]) -> dict[str, float]:
    typical = [[median(seconds) for seconds in zip(*call, strict=True)] for call in zip(*samples, strict=True)]
    num_emitted = sum(min(trace.output.size, MAX_EMITTED) - 1 for trace in timed)
    propose, extend = (sum(column) / num_emitted * 1e6 for column in zip(*typical, strict=True))
    return {
        "us_per_token": propose + extend,
        "propose_us": propose,
        "extend_us": extend,
        "us_per_pass": (propose + extend) * num_emitted / len(typical),
        "tokens_per_pass": num_emitted / len(typical),
        "slowest_pass_us": max(map(sum, typical)) * 1e6,
    }


def _experienced(earlier: Sequence[Trace]) -> AdaptiveLookup:
    drafter = AdaptiveLookup()
    for trace in earlier:
        session = drafter.open(SEGMENT)
        _serve(session, trace.prompt, trace.output, max(SURVIVALS), [])
        session.close()
    return drafter


def _serve(
    session: AdaptiveLookupSession,
    prompt: TokenArray,
    output: TokenArray,
    survival: float,
    calls: list[Call],
    *,
    is_tree: bool = False,
) -> None:
    """Decode `output` like a target that chooses it; adds the times to `calls`."""
    session.extend(prompt)
    session.extend(output[:1])
    position, propose = 1, session.propose_tree if is_tree else session.propose
    while position < output.size:
        before = time.thread_time()
        draft = propose(min(MAX_DRAFT_TOKENS, output.size - position - 1), survival)
        between = time.thread_time()
        upcoming = output[position : position + draft.tokens.size].tolist()
        if isinstance(draft, Tree):
            num_accepted = draft.num_accepted(upcoming)
        else:
            num_accepted = common_length(draft.tokens.tolist(), upcoming)
        emitted = output[position : position + num_accepted + 1]
        again = time.thread_time()
        session.observe(draft, emitted.size - 1)
        session.extend(emitted)
        calls.append((between - before, time.thread_time() - again))
        position += emitted.size


def _step(drafter: AdaptiveLookup, text: TokenArray, num_rows: int, propose: Callable[..., object]) -> float:
    # Rows begin at positions all over the text, and continue like it.
    starts = np.linspace(0, text.size - ROW_CONTEXT - STEPS, num_rows).astype(int).tolist()
    sessions = [drafter.open(SEGMENT) for _ in starts]
    for session, start in zip(sessions, starts, strict=True):
        session.extend(text[start : start + ROW_CONTEXT])
    seconds = []
    for step in range(ROW_CONTEXT, ROW_CONTEXT + STEPS):
        for session, start in zip(sessions, starts, strict=True):
            session.extend(text[start + step : start + step + 1])
        before = time.thread_time()
        propose(sessions, [MAX_DRAFT_TOKENS] * num_rows, max(SURVIVALS))
        seconds.append(time.thread_time() - before)
    return median(seconds) * 1e3


def _bytes_per_history_token(earlier: Sequence[Trace]) -> float:
    tracemalloc.start()
    history = History(MAX_TOKENS)
    for trace in earlier:
        history.add(sketch(trace.prompt), trace.output)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    if is_compiled():  # memory outside of Python is not traced
        size += history.index.nbytes
    return size / len(history.index)


def _print(figures: dict[str, object]) -> None:
    rows = figures["per_token"]
    assert isinstance(rows, list)
    table = Table(*rows[0], box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(
            *(f"{value:.1f}" if isinstance(value, float) and value > 1 else f"{value}" for value in row.values())
        )
    console = Console()
    if not console.is_terminal:
        console.width = 120
    console.print(table)
    print(f"A step of {figures['rows']} rows of {ROW_CONTEXT} tokens: {figures['step_ms']:.2f} ms.")
    print(f"A token of history, sketches of prompts included: {figures['bytes_per_history_token']:.0f} bytes.")


if __name__ == "__main__":
    main()
