"""One job of the demo: an answer decoded plainly and with speculation, in turns."""

from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ngramspec.cli.accepted_tokens import AcceptanceRecorder
from ngramspec.cli.compare import Comparison, compare
from ngramspec.cli.models import Loaded
from ngramspec.cli.prompts import Prompt
from ngramspec.cli.render import decode
from ngramspec.pico.demo_inputs import DemoInput
from ngramspec.stats import Counters

if TYPE_CHECKING:
    from torch import Tensor

    from ngramspec.decoding import Budget
    from ngramspec.hf import Speculator

WARM_UP_TOKENS = 8
ROUNDS = 9
MAX_SECONDS = 6.0
"""Seconds after which no further round of a job begins, so that larger models work, too."""
STEADY = 0.1
"""Largest deviation of the middle half of the rounds from the median at which only the median is shown."""


@dataclass(frozen=True, slots=True)
class JobResult:
    """The result of one job.

    tokens: emitted ids of the last round. accepted: per token, whether it was an accepted draft token.
    first, last: counters of the Speculator's first request, which has no prices yet, and of its last one.
    rounds: plain and drafted in turn, without the first request. identical: the same ids in every round, and in the
    first request.
    """

    job: DemoInput
    answer: str
    tokens: list[int]
    accepted: list[bool]
    first: Counters
    last: Counters
    rounds: list[Comparison]
    identical: bool

    @property
    def right(self) -> bool:
        """Whether the answer is the expected one, to the last character."""
        return self.answer == self.job.expected

    @property
    def plain_seconds(self) -> float:
        """The median of the rounds."""
        return median(each.plain_seconds for each in self.rounds)

    @property
    def speculative_seconds(self) -> float:
        """The median of the rounds."""
        return median(each.speculative_seconds for each in self.rounds)

    @property
    def ratio(self) -> str:
        """Plain decoding's time over speculation's, by round: the median, or the middle half if rounds disagree.

        The two runs of a round follow each other directly, so that other load disturbs both, or just that round.
        """
        ratios = sorted(each.plain_seconds / each.speculative_seconds for each in self.rounds)
        low, middle, high = quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
        if high - middle > STEADY * middle or middle - low > STEADY * middle:
            return f"{low:.1f}-{high:.1f}x"
        return f"{middle:.1f}x"


def run(job: DemoInput, loaded: Loaded, *, budget: "Budget | None") -> JobResult:
    """Run one job with a Speculator of its own, by default with default settings: once cold, then in turns."""
    from ngramspec.hf import Speculator

    prompt, settings = _call(job, loaded)
    loaded.generate(prompt, None, **settings | {"max_new_tokens": WARM_UP_TOKENS})  # warms up torch
    recorder = AcceptanceRecorder()
    spec = Speculator(recorder, budget)
    first = _round(job, loaded, spec)
    counted = [Counters(), spec.stats.total]
    start = perf_counter()
    rounds: list[Comparison] = []
    while not rounds or (len(rounds) < ROUNDS and perf_counter() - start < MAX_SECONDS):
        rounds.append(_round(job, loaded, spec))
        counted.append(spec.stats.total)
    tokens = rounds[-1].speculative[0].tolist()
    return JobResult(
        job,
        answer=decode(loaded.tokenizer, tokens),
        tokens=tokens,
        accepted=recorder.sessions[-1].accepted,
        first=counted[1],
        last=counted[-1].since(counted[-2]),
        rounds=rounds,
        identical=all(each.plain.equal(each.speculative) for each in (first, *rounds)),
    )


def _round(job: DemoInput, loaded: Loaded, spec: "Speculator") -> Comparison:
    prompt, settings = _call(job, loaded)
    return compare(lambda: loaded.generate(prompt, None, **settings), lambda: loaded.generate(prompt, spec, **settings))


def _call(job: DemoInput, loaded: Loaded) -> "tuple[dict[str, Tensor], dict[str, Any]]":
    # Leave room for a wrong answer, but not for an endless one.
    room = 2 * len(loaded.tokenizer.encode(job.expected))
    return loaded.encode([Prompt(job.prompt, job.name)]), {"max_new_tokens": room, "do_sample": False}
