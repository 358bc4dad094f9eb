"""What one `generate()` call chooses with: scores processed, tokens picked, emitted and ended, one after another."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ngramspec.errors import GuardError
from ngramspec.guards.processor import left_nothing
from ngramspec.hf.guarding import Guards, Place
from ngramspec.hf.record import Record
from ngramspec.hf.sampling import Picker
from ngramspec.hf.seam import LogitsProcessorList
from ngramspec.hf.stopping import Stops
from ngramspec.hf.text import Text


@dataclass(frozen=True, slots=True)
class Call:
    """What one `generate()` call chooses with; `guards` mask among `processors`."""

    text: Text
    processors: LogitsProcessorList
    picker: Picker
    stops: Stops
    record: Record
    guards: Guards = field(default_factory=Guards)

    def process(self, input_ids: Tensor, logits: Tensor, places: Sequence[Place | None]) -> Tensor:
        """Scores `float32[n, V]` from logits `[n, V]`: a copy, for processors may write to it, where the prompt is.

        places: what each of the n is of, None for what nobody looks at.
        """
        raw = logits.to(copy=True, dtype=torch.float32, device=input_ids.device)
        self.guards.at(places)
        scores = self.processors(input_ids, raw) if self.processors else raw  # type: ignore[arg-type]
        self.record.add(scores, raw)
        return scores

    def pick(self, scores: Tensor, place: Place) -> int | None:
        """Choose a token from `scores` `float32[1, V]`; None where the guards leave none, and the row ends."""
        if not self.guards.matchers(place[0]):
            return self.picker.pick(scores, place[0])
        error = self.guards.why_stuck(place)
        if error is None and not bool((scores > -torch.inf).any()):  # all are -inf, or what a softmax makes of that
            error = left_nothing(self.guards.others)
        if error is None:
            token = self.picker.pick(scores, place[0])
            error = self.guards.why_refused(place, token)
        if error is None:
            return token
        self.fail(place[0], error)
        return None

    def fail(self, row: int, error: GuardError) -> None:
        """End a row that its guard cannot go on with."""
        self.guards.fail(row, error, self.text.emitted[row])
        self.text.finish(row)
        self.text.flush()

    def emit(self, row: int, token: int) -> bool:
        """Commit one token; returns whether the row ended with it."""
        self.text.append(row, token)
        ended = self.stops.row_ended(self.text, row, self.record.scores)
        if ended:
            self.text.finish(row)
        self.text.flush()
        return ended

    def emit_run(self, row: int, tokens: list[int]) -> tuple[int, bool]:
        """Commit tokens until the row ends; returns how many were committed, and whether it ended."""
        if self.stops.cannot_end(self.text, row, tokens):
            self.text.extend(row, tokens)
            self.text.flush()
            return len(tokens), False
        for index, token in enumerate(tokens):
            if self.emit(row, token):
                return index + 1, True
        return len(tokens), False
