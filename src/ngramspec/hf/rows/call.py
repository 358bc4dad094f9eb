"""State that the rows of one `generate()` call share: processors, text and stream."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ngramspec.decoding import Together
from ngramspec.errors import GuardError
from ngramspec.guards.processor import left_nothing
from ngramspec.hf.choice.known_processors import are_blind, are_pure, are_pure_criteria
from ngramspec.hf.choice.masks import MaskThreads
from ngramspec.hf.choice.processors import LineOwner, Processors
from ngramspec.hf.choice.score_record import ScoreRecord
from ngramspec.hf.choice.stopping import Stops
from ngramspec.hf.choice.streaming import Stream
from ngramspec.hf.choice.text_tensor import TextTensor
from ngramspec.hf.rows.row import ModelRow


class Call(Together):
    """One call: its rows, and their shared state.

    in_step: whether position j of all rows is processed together, as an unknown processor or criterion needs, or the
        recorded scores of a batch.
    asked_to_end: for each row in step, whether a criterion has ended it.
    is_ragged: whether each row may have slots of its own (`Request.is_ragged`).
    is_greedy_at_once: whether all positions may be chosen at once: greedy, and no processor reads the text.
    is_bare: greedy, with no processors but guards, no stream, and no criteria but an end of sequence and the limit. A
        row then emits the argmax if its guards allow it, and no code of the caller's runs.
    """

    def __init__(
        self,
        input_ids: Tensor,
        processors: Processors,
        stops: Stops,
        record: ScoreRecord,
        *,
        do_sample: bool,
        pad_token: int,
        is_ragged: bool,
        stream: Stream | None = None,
        threads: MaskThreads | None = None,
    ) -> None:
        """input_ids: `int64[B, P]`; B rows are opened after this. threads: fill masks, in calls that have guards."""
        self.rows: list[ModelRow] = []
        self.text = TextTensor(input_ids, self.rows, stops.max_length, pad_token)
        self.processors, self.stops, self.record = processors, stops, record
        self.pad_token, self.is_ragged = pad_token, is_ragged
        self.threads = threads if threads is not None else MaskThreads()
        self.keeps_errors = False
        self.asked_to_end = [False] * len(input_ids)
        self._stream = stream
        alone = len(input_ids) == 1
        # Without padding, rows that have ended go on until the last one has.
        may_end_alone = are_pure_criteria(stops.criteria) if stops.pads_finished_rows else not stops.called
        per_row = alone or (not record.is_wanted and may_end_alone)
        others = processors.others
        self.is_greedy_at_once = per_row and not record.is_wanted and not do_sample and are_blind(others)
        self.is_bare = self.is_greedy_at_once and stream is None and not (others or stops.called)
        self.in_step = not (alone or (per_row and are_pure(others)) or self.is_greedy_at_once)

    def process(self, input_ids: Tensor, logits: Tensor, owners: Sequence[LineOwner | None]) -> Tensor:
        """Scores `float32[n, V]` from logits `[n, V]`: always copied, to the prompt's device.

        owners: the owner of each line; None if it does not matter.
        """
        raw = logits.to(copy=True, dtype=torch.float32, device=input_ids.device)
        scores = self.processors(input_ids, raw, owners)
        self.record.add(scores, raw)
        return scores

    def pick(self, scores: Tensor, row: ModelRow, position: int) -> int | None:
        """Choose a token from `scores` `float32[1, V]`; None if the row's guards leave none, which ends the row."""
        if not row.masks:
            return row.picker.pick(scores)
        error = row.masks.why_stuck(row.index, position)
        if error is None and not bool((scores > -torch.inf).any()):  # all are -inf or NaN, which softmax makes of -inf
            error = left_nothing(self.processors.names)
        if error is None:
            token = row.picker.pick(scores)
            error = row.masks.why_refused(position, token, self.processors.names)
        if error is None:
            return token
        self.fail(row, error)
        return None

    def fail(self, row: ModelRow, error: GuardError) -> None:
        """End a row whose guard cannot go on."""
        row.fail(error)
        self.flush()

    def flush(self) -> None:
        """Stream complete columns; after the stopping criteria have run, as in plain `generate()`."""
        if self._stream is not None:
            self._stream.flush(self.rows, self.pad_token)

    def raise_failed(self) -> None:
        """Raise the error of the first row that failed, if one did."""
        failed = [row for row in self.rows if row.error is not None]
        if not failed:
            return
        error = failed[0].error
        assert error is not None
        if isinstance(error, GuardError):
            error.sequences = self.text.batch()
        if len(failed) > 1:
            rows = [row.index for row in failed]
            error.add_note(f"rows {rows} ended with such errors; this is row {rows[0]}'s")
        raise error
