"""The findings of a check as records, readable and as JSON."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

Finding: TypeAlias = Literal["identical", "near-tie", "untested", "defect"]
"""From best to worst. `untested`: nothing was accepted, or nothing rolled back, so equal texts prove nothing."""

RANK: tuple[Finding, ...] = ("identical", "near-tie", "untested", "defect")


@dataclass(frozen=True, slots=True)
class RoundingEvidence:
    """Whether rounding can turn plain's choice into the other one; all figures in units of a logit.

    top2_gap: between plain's two best processed scores; None if there is only one.
    margin: by how much plain's token wins against the other: of the scores or, in a sampled run, of scores plus the
        Gumbel noise of that draw (the largest sum is what is drawn); None if the other could not be chosen.
    shift: by how much logits must move to turn the choice; None if no shift does.
    rounding: the largest measured difference of a logit of this text between passes over one token and over many.
    explicable: the most that rounding can explain in this precision, however much was measured.
    is_redone: whether redoing plain's choice gave the same token; else nothing is explained.
    """

    top2_gap: float | None
    margin: float | None
    shift: float | None
    rounding: float
    explicable: float
    is_redone: bool

    @property
    def finding(self) -> Finding:
        """A near-tie if a shift within the measured rounding is enough, else a defect."""
        if not self.is_redone or self.shift is None:
            return "defect"
        return "near-tie" if self.shift <= min(self.rounding, self.explicable) else "defect"

    def __str__(self) -> str:
        """One sentence."""
        if not self.is_redone:
            return "plain decoding did not repeat its own choice, so rounding explains nothing"
        needs = "no shift of the logits explains it" if self.shift is None else f"needs shifts of {self.shift:.2g}"
        measured = f"one-token and many-token passes differ by up to {self.rounding:.2g}"
        if self.rounding > self.explicable:
            measured += f", more than the {self.explicable:.2g} that rounding explains"
        gap, margin = ("none" if value is None else f"{value:.2g}" for value in (self.top2_gap, self.margin))
        return f"top-2 gap {gap}, margin over the other {margin}; {needs}; {measured}"


@dataclass(frozen=True, slots=True)
class Difference:
    """The first difference between a text with drafts and plain decoding's.

    prompt: its index. position: of the token among the emitted ones. drafter: the drafter's name.
    plain_token, speculative_token: the two tokens there; None if that text had ended.
    """

    prompt: int
    position: int
    drafter: str
    plain_token: int | None
    speculative_token: int | None
    evidence: RoundingEvidence

    @property
    def finding(self) -> Finding:
        """The verdict from the evidence; a text that ended at another position is a defect."""
        return self.evidence.finding

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"finding": self.finding, **asdict(self)}

    def __str__(self) -> str:
        """The position, the tokens, and the reason for the verdict."""
        return (
            f"prompt {self.prompt}, emitted token {self.position}: plain {_named(self.plain_token)}, with drafts"
            f" ({self.drafter}) {_named(self.speculative_token)}; {self.evidence}: {self.finding}"
        )


@dataclass(frozen=True, slots=True)
class Mode:
    """The results of one way of decoding, over all prompts.

    name: "greedy" or "sampled". batch: rows that were decoded together. reference: what the texts were compared with.
    texts: compared texts; each prompt is decoded once per drafter. tokens: emitted with drafts.
    num_drafts, num_accepted_tokens, num_rolled_back_tokens: what was exercised.
    states: whether the random generators' final states were compared. state_differences: calls with plain's texts but
        another final state.
    logits_difference: for prompts alone and equal texts, the largest difference between a logit that verified a draft
        and plain decoding's; None if none was compared. logits_limit: the most of it that rounding explains; None if
        that is no criterion (half precision).
    """

    name: str
    batch: int
    reference: str
    texts: int
    tokens: int
    num_drafts: int
    num_accepted_tokens: int
    num_rolled_back_tokens: int
    states: bool
    state_differences: int
    logits_difference: float | None
    logits_limit: float | None
    differences: tuple[Difference, ...]

    @property
    def finding(self) -> Finding:
        """The worst finding."""
        findings: list[Finding] = [difference.finding for difference in self.differences]
        if self.state_differences or self.logits_differ:
            findings.append("defect")
        if not self.num_accepted_tokens or not self.num_rolled_back_tokens:
            findings.append("untested")
        return worst(findings)

    @property
    def logits_differ(self) -> bool:
        """Whether drafts were verified by logits whose difference rounding does not explain, though texts are equal."""
        if self.logits_difference is None or self.logits_limit is None:
            return False
        return self.logits_difference > self.logits_limit

    def __str__(self) -> str:
        """What was done and found, then a line per difference."""
        return "\n".join(
            [
                f"{self.name}, batch {self.batch}: {self.finding} ({self.texts} texts of {self.tokens} tokens, with"
                f" {self.num_accepted_tokens} accepted and {self.num_rolled_back_tokens} rolled back, against"
                f" {self.reference}; {self.state_differences} generators left in another state;"
                f" logits differ by {self.logits_difference}, of which rounding explains {self.logits_limit})",
                *(f"  {difference}" for difference in self.differences),
            ]
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        differences = [difference.as_dict() for difference in self.differences]
        return {"finding": self.finding, **asdict(self), "differences": differences}


@dataclass(frozen=True, slots=True)
class Report:
    """What `check_equivalence` found.

    dtype, device: of the model. seed: as given. reason: why nothing was run, else None.
    """

    dtype: str
    device: str
    seed: int
    modes: tuple[Mode, ...]
    reason: str | None = None

    @property
    def finding(self) -> Finding:
        """The worst finding of all modes; `untested` if nothing was run."""
        return worst([mode.finding for mode in self.modes]) if self.modes else "untested"

    def __str__(self) -> str:
        """The modes, line by line; or why there are none."""
        return "\n".join(map(str, self.modes)) if self.reason is None else f"untested: {self.reason}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"finding": self.finding, **asdict(self), "modes": [mode.as_dict() for mode in self.modes]}


def _named(token: int | None) -> str:
    return "ended" if token is None else f"chose {token}"


def worst(findings: list[Finding]) -> Finding:
    """The worst of `findings`; `identical` if there are none."""
    return max(findings, key=RANK.index, default="identical")
