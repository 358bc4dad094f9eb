"""One job of the demo: an answer made plainly and with speculation, in turns."""

from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from ngramspec.cli.compare import Comparison, compare
from ngramspec.cli.models import Loaded
from ngramspec.cli.prompts import Prompt
from ngramspec.cli.recording import Recorder
from ngramspec.cli.render import decode
from ngramspec.decoding import FixedBudget
from ngramspec.drafting import PromptLookup
from ngramspec.pico.demo_inputs import DemoInput
from ngramspec.stats import Counters

if TYPE_CHECKING:
    from ngramspec.hf import Speculator

ROUNDS = 3
MAX_SECONDS = 6.0
"""No further round of a job begins behind this, so that a larger model makes a demo too."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one job.

    tokens: emitted ids. accepted: per token, whether it was an accepted draft. counters: of one run.
    plain_seconds, speculative_seconds: medians of the rounds. identical: the same ids in every round.
    """

    job: DemoInput
    answer: str
    tokens: list[int]
    accepted: list[bool]
    counters: Counters
    plain_seconds: float
    speculative_seconds: float
    identical: bool

    @property
    def right(self) -> bool:
        """Whether the answer is the expected one, to the last character."""
        return self.answer == self.job.expected

    @property
    def ratio(self) -> float:
        """Plain decoding's time over speculation's."""
        return self.plain_seconds / self.speculative_seconds


def run(job: DemoInput, loaded: Loaded, *, max_draft_tokens: int) -> Result:
    """Do one job: warm both ways up once, then let them take turns."""
    from ngramspec.hf import Speculator

    budget = FixedBudget(max_draft_tokens)
    _round(job, loaded, Speculator(budget=budget))
    recorder = Recorder(PromptLookup())
    spec = Speculator(recorder, budget)
    start = perf_counter()
    rounds = [_round(job, loaded, spec)]
    counters = spec.stats.total
    while len(rounds) < ROUNDS and perf_counter() - start < MAX_SECONDS:
        rounds.append(_round(job, loaded, spec))
    tokens = rounds[0].speculative[0].tolist()
    return Result(
        job,
        answer=decode(loaded.tokenizer, tokens),
        tokens=tokens,
        accepted=recorder.sessions[0].accepted,
        counters=counters,
        plain_seconds=median(each.plain_seconds for each in rounds),
        speculative_seconds=median(each.speculative_seconds for each in rounds),
        identical=all(each.plain.equal(each.speculative) for each in rounds),
    )


def _round(job: DemoInput, loaded: Loaded, spec: "Speculator") -> Comparison:
    prompt = loaded.encode([Prompt(job.prompt, job.name)])
    # Room for a wrong answer, but not for an endless one.
    settings = {"max_new_tokens": 2 * len(loaded.tokenizer.encode(job.expected)), "do_sample": False}
    return compare(lambda: loaded.generate(prompt, None, **settings), lambda: loaded.generate(prompt, spec, **settings))
