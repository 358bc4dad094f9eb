"""What does it look like on a real model? Plain, transformers' lookup and ngramspec on five jobs, drafts in colour.

    python -m benchmarks.demo [--model smollm2]      # or: make demo-real

The jobs are the first summary, rename, extraction under a schema and chat of `real_prompts.toml`, and a second order
under the schema of the first one and in its segment, so that it can draft from the earlier answer. The order of the
file is older than the demo, and no prompt was selected by its result.

Each job is decoded greedily, in float32, once in each way, in turn; seconds are those of whole `generate()` calls on
this machine. One call shows only an order of magnitude: `python -m benchmarks.real` measures. transformers' lookup is
left out under a schema, because its text differs there. If our text is not plain decoding's, the exit code is 1.
"""

import argparse
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.real import PROMPTS
from benchmarks.real_models import PACKAGES, folder_of, load
from ngramspec import Guard, Speculator
from ngramspec.cli.accepted_tokens import AcceptanceRecorder
from ngramspec.cli.render import has_colour, indented, show_table, styled_text
from ngramspec.serve.endpoints import origins
from ngramspec.testing.forwards import timed_forwards

SECOND_ORDER = """
Extract the order from the message as JSON.

Hello, this is the Lakeside Bakery, customer number C-2093. We need 25 kg of rye flour at 0.90 per kg, 4 litres of cream
at 3.20 per litre and 30 pieces of cake cardboard at 0.05 each. Please deliver on 2026-05-06 to Harbour Road 14. If
anything is missing, call Martin Vogel, 0341 555 0417.
"""

SOURCES = {
    "prompt": ("green", ""),
    "answer": ("cyan", " so far"),
    "history": ("magenta", " (earlier answers of the segment)"),
    "schema": ("yellow", ""),
    "other": ("blue", " (a copy that goes on after a token that differs)"),
}
"""The text in which an accepted draft token follows the same tokens as in the answer: its colour, and its caption."""

RULE = (
    "Jobs: the first summary, rename, extraction and chat of benchmarks/real_prompts.toml, and a second order in the"
    " first one's segment."
)
HEADS = (
    "tokens",
    "per pass\nlookup",
    "\nours",
    "time\nplain",
    "\nlookup",
    "\nours",
    "\nratio",
    "text\nlookup",
    "\nours",
)
NONE = "-"


@dataclass(frozen=True, slots=True)
class Job:
    """One call. schema: of its answer, None for free text. segment: whose history it shares."""

    name: str
    prompt: str
    max_new_tokens: int
    schema: str | None = None
    segment: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """The result of a job in one way: the emitted tokens, wall seconds, and passes of the model."""

    tokens: list[int]
    seconds: float
    passes: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A job in all ways. lookup: None if it cannot be exact. sources: of our tokens, None for the model's own."""

    job: Job
    num_prompt_tokens: int
    plain: Written
    lookup: Written | None
    ours: Written
    sources: list[str | None]


def jobs(prompts: dict[str, Any]) -> list[Job]:
    """The first prompts of their kinds, and the second order."""
    first = {kind: items[0] for kind, items in prompts.items()}
    summary, rename, chat = (
        Job(name, first[kind]["prompt"], first[kind]["max_new_tokens"])
        for name, kind in (("summary", "summary"), ("edit", "rename"), ("chat", "chat"))
    )
    order = first["schema"]
    orders = [
        Job(name, prompt, order["max_new_tokens"], order["schema"], "orders")
        for name, prompt in (("extraction", order["prompt"]), ("next order", SECOND_ORDER))
    ]
    return [summary, rename, *orders, chat]


class Demo:
    """One model, and one Speculator for all jobs."""

    def __init__(self, folder: Path) -> None:
        self.model, self.tokenizer = load(folder, torch.float32)
        self._drafter = AcceptanceRecorder()
        self._spec = Speculator(self._drafter)
        self._answers: dict[str, list[int]] = {}

    def run(self, job: Job) -> Shown:
        """Decode a job plainly, with transformers' lookup if that is exact, and with drafts."""
        prompt = self._prompt(job.prompt.strip())
        settings = {"max_new_tokens": job.max_new_tokens, "do_sample": False, "pad_token_id": self._pad_token()}
        masked, guarded = {}, {}
        if job.schema is not None:
            guard = Guard.json_schema(job.schema, self.tokenizer)
            masked, guarded = {"logits_processor": [guard.processor()]}, {"logits_processor": [guard]}
        self._timed(prompt, settings | {"max_new_tokens": 1})  # warms up
        plain = self._timed(prompt, settings | masked)
        lookup = None if job.schema else self._timed(prompt, settings | {"prompt_lookup_num_tokens": 10})
        ours = self._timed(prompt, settings | guarded | {"custom_generate": self._spec, "segment": job.segment})
        return Shown(job, prompt["input_ids"].shape[1], plain, lookup, ours, [*self._sources(job, prompt, ours.tokens)])

    def _timed(self, prompt: dict[str, torch.Tensor], settings: dict[str, Any]) -> Written:
        with timed_forwards(self.model, time.perf_counter) as forwards:
            start = time.perf_counter()
            output = self.model.generate(**prompt, **settings)
            seconds = time.perf_counter() - start
        return Written(output[0, prompt["input_ids"].shape[1] :].tolist(), seconds, len(forwards.ends))

    def _sources(self, job: Job, prompt: dict[str, torch.Tensor], tokens: list[int]) -> Iterator[str | None]:
        ids = prompt["input_ids"][0].tolist()
        earlier = self._answers.get(job.segment or "", [])
        texts = [*origins.texts_of(ids, None), origins.OriginText("history", earlier)]
        found = origins.Origins(texts, ids, has_form=job.schema is not None)
        elsewhere = {"form or history": "schema", "history": "history" if earlier else "other", None: None}
        for token, is_accepted in zip(tokens, self._drafter.sessions[-1].accepted, strict=True):
            [origin] = found.read([token], int(is_accepted))
            yield elsewhere.get(origin, origin)
        if job.segment is not None:
            self._answers[job.segment] = earlier + tokens

    def _prompt(self, text: str) -> dict[str, torch.Tensor]:
        if self.tokenizer.chat_template is None:
            return dict(self.tokenizer(f"{text}\n\nAnswer:\n", return_tensors="pt"))
        turns = [{"role": "user", "content": text}]
        return dict(
            self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=True, return_tensors="pt")
        )

    def _pad_token(self) -> int:
        token: int | None = self.tokenizer.pad_token_id
        return self.tokenizer.eos_token_id if token is None else token


def show(console: Console, tokenizer: Any, shown: Shown) -> None:
    """Print a job: its request, the answer with drafts in colour, and where they came from."""
    first_line = shown.job.prompt.strip().splitlines()[0]
    under = ", under a schema" if shown.job.schema else ""
    console.print(Text(f"\n{shown.job.name}", "bold"), Text(f"{shown.num_prompt_tokens} prompt tokens{under}", "dim"))
    console.print(*indented(console, Text(f"{first_line} […]", "dim")), sep="\n")
    styles = [None if source is None else SOURCES[source][0] for source in shown.sources]
    for line in indented(console, styled_text(tokenizer, shown.ours.tokens, styles)):
        console.print(line, soft_wrap=True)
    counts = Counter(source for source in shown.sources if source is not None)
    told = ", ".join(f"{counts[name]} {name}" for name in SOURCES if counts[name])
    num_own = len(shown.sources) - counts.total()
    console.print(*indented(console, Text(f"drafted from: {told or 'nothing'}; the model's own: {num_own}")), sep="\n")


def table(all_shown: Sequence[Shown]) -> Table:
    """Tokens per pass, seconds, and whether the text is plain decoding's; 80 columns wide at most."""
    made = Table("", box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for title in HEADS:
        made.add_column(title, justify="right", vertical="bottom")
    for each in all_shown:
        plain, lookup, ours = each.plain, each.lookup, each.ours
        made.add_row(
            each.job.name,
            str(len(ours.tokens)),
            NONE if lookup is None else _per_pass(lookup),
            _per_pass(ours),
            _seconds(plain),
            NONE if lookup is None else _seconds(lookup),
            _seconds(ours),
            f"{plain.seconds / ours.seconds:.1f}x",
            NONE if lookup is None else _is_same(lookup, plain),
            _is_same(ours, plain),
        )
    return made


def _per_pass(way: Written) -> str:
    return f"{len(way.tokens) / way.passes:.2f}"


def _seconds(way: Written) -> str:
    return f"{way.seconds:.1f} s"


def _is_same(way: Written, plain: Written) -> str:
    return "same" if way.tokens == plain.tokens else "other"


def main() -> None:
    """Run the jobs."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--model", default="smollm2", help=f"{', '.join(PACKAGES)}, or a folder with a model")
    made.add_argument("--cache", type=Path, default=Path("build/models"), help="where a model is put once converted")
    arguments = made.parse_args()
    console = Console(highlight=False)
    with console.status("Loading the model"):
        demo = Demo(folder_of(arguments.model, arguments.cache))
    console.print(
        *indented(console, Text(f"{arguments.model}, greedy, float32, default settings. {RULE}"), ""), sep="\n"
    )
    if has_colour(console):
        sources = [Text(name, colour).append(more, "default") for name, (colour, more) in SOURCES.items()]
        legend = Text("Accepted drafts stand in: ").append(Text(", ").join(sources))
        console.print(*indented(console, legend, ""), sep="\n")
    all_shown = []
    for job in jobs(tomllib.loads(PROMPTS.read_text())):
        with console.status(job.name):
            all_shown.append(demo.run(job))
        show(console, demo.tokenizer, all_shown[-1])
    console.print()
    show_table(console, table(all_shown))
    if any(each.ours.tokens != each.plain.tokens for each in all_shown):
        sys.exit(1)


if __name__ == "__main__":
    main()
