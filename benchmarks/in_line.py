"""A batch whose rows must begin a pass at one slot: row by row, in step, or apart by a few tokens?

`python -m benchmarks.in_line TRACES…` replays recorded summaries in batches, as an encoder-decoder model would decode
them, and counts target passes and their columns. Then it times passes of those shapes on a T5 of random weights, so
that each way has a price.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from transformers import EncoderDecoderCache, T5Config, T5ForConditionalGeneration
from transformers.cache_utils import DynamicCache
from transformers.modeling_outputs import BaseModelOutput

from benchmarks.traces import parser, trace_paths
from ngramspec.decoding import num_agreeing
from ngramspec.drafting import PromptLookup, TokenArray
from ngramspec.hf.seam import CACHE
from ngramspec.replay import Trace, load_tokenizer, read_traces

MAX_DRAFT = 10
REACHES = (0, 4, 8, 16, 32, 64)
SEGMENTS = ("summarize", "summarize_short", "summarize_human")
SOURCE, WRITTEN = 512, 64
"""Tokens that the timed passes attend to: of the source, and of the answer so far."""


class Row:
    """One answer being written: `position` tokens of it are there."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.position = 1
        self.session = PromptLookup().open(None, [trace.prompt])
        self.session.extend(trace.output[:1])

    @property
    def is_done(self) -> bool:
        """Whether the whole answer is there."""
        return self.position >= self.trace.output.size

    def draft(self) -> TokenArray:
        """What would be drafted now, `int32[K]`."""
        return self.session.propose(min(MAX_DRAFT, self.trace.output.size - self.position - 1)).tokens

    def gain(self) -> int:
        """Tokens that a pass over the draft would bring."""
        draft = self.draft()
        upcoming = self.trace.output[self.position : self.position + draft.size]
        return num_agreeing(draft, upcoming) + 1

    def advance(self, num_tokens: int) -> None:
        """Take in the next tokens of the recording."""
        self.session.extend(self.trace.output[self.position : self.position + num_tokens])
        self.position += num_tokens


@dataclass(slots=True)
class Work:
    """Passes by shape: (rows, columns) to how often."""

    passes: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, rows: int, columns: int, times: int = 1) -> None:
        """Note a pass."""
        self.passes[rows, columns] = self.passes.get((rows, columns), 0) + times

    def seconds(self, prices: dict[tuple[int, int], float]) -> float:
        """What the passes cost, by the next wider shape that was timed."""
        total = 0.0
        for (rows, columns), times in self.passes.items():
            wider = min(width for size, width in prices if size == rows and width >= columns)
            total += times * prices[rows, wider]
        return total


def plainly(batch: Sequence[Trace], work: Work) -> None:
    """One token per row and pass until the longest answer is there."""
    work.add(len(batch), 1, max(trace.output.size for trace in batch) - 1)


def row_by_row(batch: Sequence[Trace], work: Work) -> None:
    """Each row in passes of its own."""
    for row in map(Row, batch):
        while not row.is_done:
            work.add(1, row.draft().size + 1)
            row.advance(row.gain())


def in_step(batch: Sequence[Trace], work: Work) -> None:
    """All rows by the same number of tokens: as many as the unluckiest brings."""
    rows = [Row(trace) for trace in batch]
    while live := [row for row in rows if not row.is_done]:
        work.add(len(rows), max(row.draft().size for row in live) + 1)
        gain = min(row.gain() for row in live)
        for row in live:
            row.advance(gain)


def apart(batch: Sequence[Trace], work: Work, reach: int) -> None:
    """Rows ahead by at most `reach` tokens are read again and go on; those further ahead wait."""
    rows = [Row(trace) for trace in batch]
    while live := [row for row in rows if not row.is_done]:
        start = min(row.position for row in live)
        moving = [row for row in live if row.position <= start + reach]
        work.add(len(rows), max(row.position + row.draft().size for row in moving) - start + 1)
        for row in moving:
            row.advance(row.gain())


def batches(traces: Iterable[Trace], size: int) -> Iterator[list[Trace]]:
    """Recorded answers in the order in which they came."""
    batch: list[Trace] = []
    for trace in traces:
        if trace.segment in SEGMENTS and not trace.degenerate_loop and trace.output.size > 1:
            batch.append(trace)
            if len(batch) == size:
                yield batch
                batch = []


def prices(batch: int, widths: Sequence[int], rounds: int) -> dict[tuple[int, int], float]:
    """Seconds per pass, median, by (rows, columns), in turn: T5-small's shape, float32, one thread."""
    torch.set_num_threads(1)
    model: Any = T5ForConditionalGeneration(T5Config()).eval()
    times: dict[tuple[int, int], list[float]] = {}
    for _ in range(rounds):
        for rows in (1, batch):
            encoder = BaseModelOutput(last_hidden_state=torch.randn(rows, SOURCE, model.config.d_model))
            for width in widths:
                cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
                with torch.no_grad():
                    first = torch.zeros((rows, WRITTEN), dtype=torch.long)
                    model(encoder_outputs=encoder, decoder_input_ids=first, **{CACHE: cache})
                    ids = torch.zeros((rows, width), dtype=torch.long)
                    start = time.perf_counter()
                    model(encoder_outputs=encoder, decoder_input_ids=ids, **{CACHE: cache})
                    times.setdefault((rows, width), []).append(time.perf_counter() - start)
    return {shape: median(seconds) for shape, seconds in times.items()}


def main() -> None:
    """Print the table."""
    arguments = parser(__doc__)
    arguments.add_argument("--batch", type=int, default=8)
    arguments.add_argument("--rounds", type=int, default=7)
    options = arguments.parse_args()
    tokenizer = load_tokenizer(options.tokenizer)
    traces = [trace for path in trace_paths(arguments, options.traces) for trace in read_traces(path, tokenizer)]
    ways: dict[str, Work] = {"plain": Work(), "row by row": Work(), "in step": Work()}
    ways |= {f"apart by up to {reach}": Work() for reach in REACHES}
    for batch in batches(traces, options.batch):
        plainly(batch, ways["plain"])
        row_by_row(batch, ways["row by row"])
        in_step(batch, ways["in step"])
        for reach in REACHES:
            apart(batch, ways[f"apart by up to {reach}"], reach)
    widths = sorted({1, 2, 4, 8, 11, 16, 20, 27, 43, 75})
    cost = prices(options.batch, widths, options.rounds)
    table = Table("way", box=SIMPLE_HEAD)
    for column in ("passes", "columns per pass", "passes, of plain's", "time on this CPU, of plain's"):
        table.add_column(column, justify="right")
    plain = ways["plain"]
    for name, work in ways.items():
        passes = sum(work.passes.values())
        columns = sum(width * times for (_, width), times in work.passes.items()) / passes
        ratio, spent = passes / sum(plain.passes.values()), work.seconds(cost) / plain.seconds(cost)
        table.add_row(name, f"{passes}", f"{columns:.1f}", f"{ratio:.2f}", f"{spent:.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
