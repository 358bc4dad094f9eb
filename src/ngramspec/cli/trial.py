"""One job of the demo: an answer made plainly and with speculation, in turns."""

from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ngramspec.cli.compare import Comparison, compare
from ngramspec.cli.models import Loaded
from ngramspec.cli.prompts import Prompt
from ngramspec.cli.recording import Recorder
from ngramspec.cli.render import decode
from ngramspec.drafting import AdaptiveLookup
from ngramspec.pico.demo_inputs import DemoInput
from ngramspec.stats import Counters

if TYPE_CHECKING:
    from torch import Tensor

    from ngramspec.decoding import Budget
    from ngramspec.hf import Speculator

WARM_UP_TOKENS = 8
ROUNDS = 9
MAX_SECONDS = 6.0
"""No further round of a job begins after this, so that a larger model makes a demo too."""
STEADY = 0.1
"""How far the middle half of the rounds may lie from the median for that to stand alone."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one job.

    tokens: emitted ids of the last round. accepted: per token, whether it was an accepted draft.
    first, last: counts of the Speculator's first request, which knows no prices yet, and of its last one.
    rounds: plain and drafted in turn, the first request apart. identical: the same ids in every round, the first too.
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
        """Plain decoding's time over speculation's, round by round: the median, or where rounds disagree their middle.

        The two of a round follow each other at once, so that what else the machine does disturbs both or one round.
        """
        ratios = sorted(each.plain_seconds / each.speculative_seconds for each in self.rounds)
        low, middle, high = quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
        if high - middle > STEADY * middle or middle - low > STEADY * middle:
            return f"{low:.1f}-{high:.1f}x"
        return f"{middle:.1f}x"


def run(job: DemoInput, loaded: Loaded, *, budget: "Budget | None") -> Result:
    """Do one job with a Speculator of its own, by default with default settings: once cold, then in turns."""
    from ngramspec.hf import Speculator

    prompt, settings = _call(job, loaded)
    loaded.generate(prompt, None, **settings | {"max_new_tokens": WARM_UP_TOKENS})  # torch's own first time
    recorder = Recorder(AdaptiveLookup())
    spec = Speculator(recorder, budget)
    first = _round(job, loaded, spec)
    counted = [Counters(), spec.stats.total]
    start = perf_counter()
    rounds: list[Comparison] = []
    while not rounds or (len(rounds) < ROUNDS and perf_counter() - start < MAX_SECONDS):
        rounds.append(_round(job, loaded, spec))
        counted.append(spec.stats.total)
    tokens = rounds[-1].speculative[0].tolist()
    return Result(
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
    # Room for a wrong answer, but not for an endless one.
    room = 2 * len(loaded.tokenizer.encode(job.expected))
    return loaded.encode([Prompt(job.prompt, job.name)]), {"max_new_tokens": room, "do_sample": False}
