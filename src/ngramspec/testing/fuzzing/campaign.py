"""Many scenes: drawn by Hypothesis, played, counted, and shrunk if one fails."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, reject, seed, settings
from hypothesis import strategies as st
from hypothesis.reporting import with_reporter

from ngramspec.errors import GuardError
from ngramspec.guards.source import Backend
from ngramspec.testing.constraints import Constraint
from ngramspec.testing.fuzzing.agreeing import BACKENDS, agree
from ngramspec.testing.fuzzing.checks import DefectError, check_refusal
from ngramspec.testing.fuzzing.combining import CombinedError, judge_combined
from ngramspec.testing.fuzzing.drawing import DRAFTERS, Stage, scenes, stages
from ngramspec.testing.fuzzing.playing import play
from ngramspec.testing.fuzzing.scene import Scene, Writer, vocabulary_of
from ngramspec.testing.fuzzing.tally import Tally
from ngramspec.testing.strategies import combined_schemas, constraints, mutants
from ngramspec.testing.tokens import Tokens

CHUNK = 300
"""Cases of generated constraints per run of Hypothesis: it remembers them, at a cost in time and memory."""
COMBINED = 1
"""Schemas of any keywords that are compared with `jsonschema` per scene of generated constraints."""
SOUGHT = 6
"""Texts that are generated for a constraint without any."""
STAGES, CASES_PER_STAGE = 4, 50
"""Fewest vocabularies for one given constraint, and cases with each: it is compiled for each of them."""
HEAVY = 2000
"""Length of a given constraint, in characters, above which only the first backend is used: others may take minutes."""
QUIET: dict[str, Any] = {
    "database": None,
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "verbosity": Verbosity.quiet,
    "report_multiple_bugs": False,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """A defect; example: a call of `play` or `judge` that shows it, shrunk."""

    kind: str
    constraint: str
    message: str
    example: str


@dataclass(slots=True)
class Result:
    """What a campaign tried, and the defects it found."""

    tally: Tally = field(default_factory=Tally)
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Subject:
    """A given constraint, and the backends that accept it."""

    constraint: Constraint
    backends: tuple[Backend, ...]


@dataclass(frozen=True, slots=True)
class Campaign:
    """A fuzzing run of `examples` cases or a few more, from `seed`.

    given: the constraints; empty: generate them. tokenizer: by name; None: generate vocabularies.
    backends: those that take part, llguidance first.
    """

    examples: int
    seed: int = 0
    given: tuple[Constraint, ...] = ()
    tokenizer: str | None = None
    backends: tuple[Backend, ...] = BACKENDS

    def run(self, progress: Callable[[int], None] = lambda cases: None) -> Result:
        """Run it; progress: called with the number of finished cases."""
        result = Result()
        parts: list[Subject | None] = [None] * -(-self.examples // CHUNK)
        if self.given:
            parts = [subject for each in self.given if (subject := self._subject(each, result)).backends]
        quota, left_over = divmod(self.examples, len(parts) or 1)
        for number, part in enumerate(parts):
            _Part(self, part, quota + (number < left_over), result, self.seed * 1_000_003 + number).play()
            progress(result.tally.cases)
        return result

    def _subject(self, constraint: Constraint, result: Result) -> Subject:
        """Check the known texts of a given constraint on all backends that accept it."""
        vocabulary, takers = vocabulary_of(self.tokenizer or Tokens()), []
        for backend in self.backends[: 1 if len(constraint.source) > HEAVY else None]:
            try:
                guard = constraint.guard(vocabulary, backend=backend)
            except GuardError as error:
                result.tally.refused.update([f"{backend}: {type(error).__name__}"])
                continue
            takers.append(backend)
            for text in (*constraint.valid, *constraint.invalid):
                try:
                    agree(constraint, {backend: guard}, text, result.tally)
                except DefectError as error:
                    result.failures.append(failure(error, constraint))
        if takers and not constraint.valid:
            constraint = replace(constraint, valid=self._written(constraint, takers[0], result))
        return Subject(constraint, tuple(takers))

    def _written(self, constraint: Constraint, backend: Backend, result: Result) -> tuple[str, ...]:
        """Fitting texts for a constraint without any, written by a model without a script."""
        found: dict[str, None] = {}
        for number in range(SOUGHT):
            rows = (Writer(""),) * 3
            scene = Scene(constraint, self.tokenizer or Tokens(), rows, (), backend, seed=number, max_new_tokens=64)
            try:
                found |= dict.fromkeys(text.decode() for text in play(scene)[1])
            except DefectError as error:
                result.failures.append(failure(error, constraint, scene))
        return tuple(found)[:SOUGHT]


class _Part:
    """The scenes of one constraint, or a chunk of generated ones."""

    def __init__(self, campaign: Campaign, subject: Subject | None, quota: int, result: Result, number: int) -> None:
        self._campaign = campaign
        self._subject = subject
        self._quota = quota
        self._result = result
        self._number = number
        self._scene: Scene | None = None
        self._has_failed = False
        self._stages: list[Stage] = []

    def play(self) -> None:
        """Let Hypothesis draw scenes until there are enough cases, or one fails and is shrunk."""
        if self._subject is not None:
            count = max(STAGES, self._quota // CASES_PER_STAGE)
            found = drawn(stages(self._subject.constraint, self._campaign.tokenizer), count, self._number)
            self._stages = sorted(found, key=lambda stage: (len(stage[0]), len(repr(stage))))  # to shrink towards

        @seed(self._number)
        @settings(max_examples=-(-self._quota // DRAFTERS), phases=(Phase.generate, Phase.shrink), **QUIET)
        @given(st.data())
        def scene(data: Any) -> None:
            self._play(data)

        try:
            with with_reporter(lambda _: None):
                scene()
        except DefectError as error:
            assert self._scene is not None
            self._result.failures.append(failure(error, self._scene.constraint, self._scene))
        if self._subject is None:
            self._judge_combined()

    def _judge_combined(self) -> None:
        """Check combined schemas, in a small fraction of the scenes' time."""
        count, result = COMBINED * -(-self._quota // DRAFTERS), self._result
        try:
            judge_combined(count, self._number, self._campaign.backends, result.tally)
        except CombinedError as found:
            result.failures.append(failure(found.error, found.constraint))

    def _play(self, data: Any) -> None:
        campaign, subject = self._campaign, self._subject
        constraint = data.draw(st.one_of(constraints(), combined_schemas())) if subject is None else subject.constraint
        backends = campaign.backends if subject is None else subject.backends
        stage = st.sampled_from(self._stages) if self._stages else stages(constraint, campaign.tokenizer)
        self._scene = scene = data.draw(scenes(constraint, stage, backends))
        others = data.draw(st.lists(mutants(constraint.valid), max_size=3)) if constraint.valid else []
        try:
            known = () if subject is not None else (*constraint.valid, *constraint.invalid)
            tally = self._tried(scene, [*known, *others], backends)
        except DefectError:
            self._has_failed = True
            raise
        if not self._has_failed:
            self._result.tally.add(tally)
        if subject is None and not tally.cases:
            reject()  # refused: another one is drawn in its place

    def _tried(self, scene: Scene, texts: Sequence[str], backends: Sequence[Backend]) -> Tally:
        try:
            tally, _ = play(scene)
            names = dict.fromkeys((scene.backend, backends[0]))
            guards = {name: scene.constraint.guard(scene.vocabulary, backend=name) for name in names}
        except GuardError as error:
            check_refusal(scene.constraint, scene.backend, error)
            return Tally(refused=Counter([f"{scene.backend}: {type(error).__name__}"]))
        for text in texts:
            agree(scene.constraint, guards, text, tally)
        return tally


def failure(error: DefectError, constraint: Constraint, scene: Scene | None = None) -> Failure:
    """The report of a defect, shown by a text if one suffices, else by the scene."""
    return Failure(error.kind, str(constraint), str(error), error.example or f"play({scene!r})")


def drawn(strategy: st.SearchStrategy[Any], count: int, number: int) -> list[Any]:
    """`count` examples of `strategy`, the same for the same number."""
    found: list[Any] = []

    @seed(number)
    @settings(max_examples=2 * count, phases=(Phase.generate,), **QUIET)
    @given(strategy)
    def note(example: Any) -> None:
        found.append(example)

    note()
    return found[-count:]  # the first ones are the smallest
