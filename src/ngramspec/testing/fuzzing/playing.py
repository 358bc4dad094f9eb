"""Plays a scene without drafts and with every drafter, and checks the outputs."""

from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from torch import Tensor

from ngramspec.decoding import FixedBudget
from ngramspec.errors import GuardError
from ngramspec.guards import Guard, Vocabulary
from ngramspec.hf import Speculator
from ngramspec.hf.rows.row import unsteered
from ngramspec.testing.adversary import AdversarialDrafter, Slip
from ngramspec.testing.fuzzing.checks import DefectError, check_fits, check_matcher, check_text
from ngramspec.testing.fuzzing.model import ScriptedModel
from ngramspec.testing.fuzzing.scene import Scene, spell
from ngramspec.testing.fuzzing.tally import Tally, seen_in


@dataclass(frozen=True, slots=True)
class Output:
    """The result of a call: `int64[B, L]` or the error that ended it; and the random generator's state."""

    sequences: Tensor | None
    error: GuardError | None
    state: Tensor


def play(scene: Scene) -> tuple[Tally, list[bytes]]:
    """Play `scene`; returns what was tried, and the complete texts that were emitted.

    Raises DefectError for a defect, GuardError for a guard that cannot be made.
    """
    return _Stage(scene).play()


class _Stage:
    """What the calls of one scene share."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.guard = scene.guard()
        self.bare = scene.constraint.guard(scene.vocabulary, backend=scene.backend)
        self.vocabulary: Vocabulary = scene.vocabulary
        self.ends = self.vocabulary.eos_tokens
        self.guards: list[Guard | None] = [self.guard if row.is_guarded else None for row in scene.rows]
        self.model: Any = ScriptedModel(self.vocabulary, self.ends, seed=scene.seed, lapses=scene.lapses)
        self.scripts = [self._script(number) for number in range(len(scene.rows))]
        # No marker of the scene begins in the prompts: markers in prompts have tests of their own.
        letters = "cd" if "a" in scene.markers else "ab"
        prompts = [self.vocabulary.encode(letters[: 1 + number % 2]) for number in range(len(scene.rows))]
        self.inputs = self.model.read_scripts(prompts, self.scripts)
        if scene.is_aligned:
            self.inputs["token_type_ids"] = torch.zeros_like(self.inputs["input_ids"])
        self.width = self.inputs["input_ids"].shape[1]
        self.tally = Tally()

    def play(self) -> tuple[Tally, list[bytes]]:
        reference = self._reference()
        rows = self._rows(reference)
        texts = [
            text
            for guard, tokens in zip(self.guards, rows, strict=True)
            if guard is not None and (text := check_text(guard, tokens, self.ends)) is not None
        ]
        self._check_texts(texts)
        for guard, tokens in zip(self.guards, rows, strict=True):
            if guard is not None:
                check_matcher(guard, tokens, self.ends)
                break
        for slips in self.scene.drafters:
            self._draft(reference, rows, slips)
        return self.tally, texts

    def _script(self, number: int) -> list[int]:
        writer, end = self.scene.rows[number], self.ends[number % len(self.ends)]
        if not writer.is_guarded:
            known = [token for token in self.vocabulary.encode(writer.text) if token < len(self.vocabulary)]
            return [*known, end]
        return [*spell(self.guard.matcher(self.ends), writer.text, Random(writer.spelling)), end]

    def _reference(self) -> Output:
        """Plain `generate()`; for a sampled batch our own loop without drafts, whose rows have their own generators."""
        if self.scene.is_sampled and len(self.guards) > 1:
            return self._generate(self._processors(), custom_generate=Speculator(budget=FixedBudget(0)))
        return self._generate([Guard.per_row(self.guards).processor(self.ends)])

    def _draft(self, reference: Output, rows: list[list[int]], slips: tuple[Slip, ...]) -> None:
        drafter = AdversarialDrafter.against(self.guards, rows, len(self.vocabulary), slips, eos_tokens=self.ends)
        spec = Speculator(drafter, FixedBudget(self.scene.max_draft_tokens))
        if self.scene.is_steered:
            output = self._generate(self._processors(), custom_generate=spec)
        else:
            with unsteered():
                output = self._generate(self._processors(), custom_generate=spec)
        self._compare(reference, output, slips)
        self.tally.cases += 1
        self.tally.seen.update(seen_in(self.scene, self.guards, rows, drafter.verified))

    def _processors(self) -> list[Any]:
        return [Guard.per_row(self.guards)]

    def _generate(self, processors: list[Any], **more: Any) -> Output:
        torch.manual_seed(self.scene.seed)
        sequences, error = None, None
        try:
            sequences = self.model.generate(
                **self.inputs,
                logits_processor=processors,
                do_sample=self.scene.is_sampled,
                max_new_tokens=self.scene.max_new_tokens,
                eos_token_id=list(self.ends),
                pad_token_id=min(self.vocabulary.special - set(self.ends), default=self.ends[0]),
                **more,
            )
        except GuardError as raised:
            error = raised
        return Output(sequences, error, torch.get_rng_state())

    def _rows(self, output: Output) -> list[list[int]]:
        """What each row emitted, its end of sequence included."""
        if output.sequences is None:  # the call failed; the text before the failure is known for one row only
            assert output.error is not None
            return [
                output.error.tokens if row == output.error.row else script[:0]
                for row, script in enumerate(self.scripts)
            ]
        rows = output.sequences[:, self.width :].tolist()
        return [row[: next((i + 1 for i, t in enumerate(row) if t in self.ends), len(row))] for row in rows]

    def _check_texts(self, texts: list[bytes]) -> None:
        for text in texts:
            inner = self.scene.inner(text)
            if inner is None:
                raise DefectError("validity", f"{self.guard!r} let a text end before its marker: {text!r}")
            for each in inner:
                known = check_fits(self.scene.constraint, self.bare, self.scene.backend, each)
                self.tally.known.update([known] if known is not None else [])
                self.tally.texts += 1

    def _compare(self, reference: Output, output: Output, slips: tuple[Slip, ...]) -> None:
        expected, actual = self._rows(reference), self._rows(output)
        if (reference.error is None) != (output.error is None):
            raise DefectError("identity", f"without drafts {reference.error}, with {slips} {output.error}")
        if reference.error is not None and output.error is not None and reference.error.row != output.error.row:
            return  # several rows fail, and plain decoding reports only the first
        if expected != actual or not _same(reference.sequences, output.sequences):
            texts = [[self.vocabulary.decode(row) for row in rows] for rows in (expected, actual)]
            raise DefectError("identity", f"without drafts {texts[0]}, with {slips} {texts[1]}: {expected} {actual}")
        is_compared = reference.error is None and not (self.scene.is_sampled and len(expected) > 1)
        if is_compared and not torch.equal(reference.state, output.state):
            raise DefectError("identity", f"with {slips} the random generator ends in another state")


def _same(left: Tensor | None, right: Tensor | None) -> bool:
    return left is right if left is None or right is None else torch.equal(left, right)
