"""Decoding for `ngramspec generate`, and its times."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from transformers import TextStreamer

from ngramspec.cli.compare import compare, timed, why_texts_may_differ
from ngramspec.cli.models import Loaded
from ngramspec.cli.prompts import Prompt
from ngramspec.cli.render import decode
from ngramspec.cli.terminal import for_standard_output
from ngramspec.guards import Guard
from ngramspec.hf import Speculator
from ngramspec.hf.choice.top_tokens import TopTokensRecorder
from ngramspec.replay import Recording
from ngramspec.stats import GuardOutcome

if TYPE_CHECKING:
    from torch import Tensor


WARM_UP_TOKENS = 8


class _Shown(TextStreamer):
    """Prints the text while it is generated; without control characters on a terminal."""

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        super().on_finalized_text(for_standard_output(text), stream_end)


@dataclass(slots=True)
class _Decoded:
    """A decoded batch. prompt: ids and mask, `int64[B, P]`. segments: of each row. output: `int64[B, n]`."""

    prompt: dict[str, "Tensor"]
    segments: list[str | None]
    output: "Tensor"
    top: TopTokensRecorder


class TimedDecoder:
    """Decodes with one model, one Speculator and one set of `generate()` settings, and sums the times.

    segment: of prompts that name none.
    seconds, plain_seconds: wall times of decoding. num_compared: texts that were also decoded plainly.
    """

    def __init__(
        self,
        loaded: Loaded,
        spec: Speculator,
        *,
        chat: bool,
        settings: dict[str, Any],
        guard: Guard | None = None,
        segment: str | None = None,
        recording: Recording | None = None,
    ) -> None:
        self.seconds = 0.0
        self.plain_seconds = 0.0
        self.num_compared = 0
        self.num_identical = 0
        self._loaded = loaded
        self._spec = spec
        self._chat = chat
        self._settings = settings
        self._guard = guard
        self._segment, self._recording = segment, recording
        self._decoded: _Decoded | None = None

    def stream(self, prompt: Prompt) -> None:
        """Print the text while it is generated."""
        streamer = _Shown(self._loaded.tokenizer, skip_prompt=True, skip_special_tokens=True)
        encoded, segments = self._encode([prompt]), self._segments([prompt])
        _, self.seconds = timed(lambda: self._drafted(encoded, segments, streamer=streamer))

    def decode(self, prompts: Sequence[Prompt]) -> list[str]:
        """The texts of one batch."""
        encoded, segments = self._encode(prompts), self._segments(prompts)
        output, seconds = timed(lambda: self._drafted(encoded, segments))
        self.seconds += seconds
        return self._texts(output)

    def compare(self, prompts: Sequence[Prompt]) -> list[str]:
        """The texts of one batch, which is also decoded plainly."""
        encoded, segments = self._encode(prompts), self._segments(prompts)
        if not self.num_compared:
            self._warm_up(encoded, segments)
        made = compare(lambda: self._plain(encoded), lambda: self._drafted(encoded, segments))
        self.seconds += made.speculative_seconds
        self.plain_seconds += made.plain_seconds
        self.num_compared += len(prompts)
        self.num_identical += made.num_identical(self._loaded.tokenizer.pad_token_id)
        return self._texts(made.speculative)

    def record(self) -> None:
        """Write the last decoded batch to the recording, if there is one."""
        if self._recording is None or self._decoded is None:
            return
        ids, mask = self._decoded.prompt["input_ids"], self._decoded.prompt["attention_mask"]
        ends = self._loaded.model.generation_config.eos_token_id if self._guard is None else self._ends()
        ends = {ends} if isinstance(ends, int) else {*(ends or ())}
        for row, tokens in enumerate(self._decoded.output.tolist()):
            output = _ended(tokens, ends)
            top = self._decoded.top.of_row(row, len(output))
            self._recording.write(ids[row][mask[row].bool()].tolist(), output, *top, self._decoded.segments[row])
        self._decoded = None

    def __str__(self) -> str:
        """The times, the comparison if there was one, and guarded texts that are cut off."""
        total = self._spec.stats.total
        num_cut = total.num_guarded_per_outcome.get(GuardOutcome.CUT_OFF, 0)
        cut = f"cut off by --max-new-tokens before the text was complete: {num_cut} of {total.requests}: raise it"
        return "\n".join([*self._times(total.tokens), *([cut] if num_cut else [])])

    def _times(self, tokens: int) -> list[str]:
        if not self.num_compared:
            return [f"{self.seconds:.2f} s, {tokens / self.seconds:.0f} tokens/s"]
        lines = [
            f"plain {self.plain_seconds:.2f} s, with drafts {self.seconds:.2f} s:"
            f" {self.plain_seconds / self.seconds:.2f}x",
            f"identical: {self.num_identical} of {self.num_compared} texts",
        ]
        reason = why_texts_may_differ(self._loaded.dtype)
        if self.num_identical < self.num_compared and reason is not None:
            lines.append(reason)
        return lines

    def _encode(self, prompts: Sequence[Prompt]) -> dict[str, "Tensor"]:
        return self._loaded.encode(prompts, chat=self._chat)

    def _segments(self, prompts: Sequence[Prompt]) -> list[str | None]:
        return [self._segment if prompt.segment is None else prompt.segment for prompt in prompts]

    def _drafted(
        self,
        encoded: dict[str, "Tensor"],
        segments: list[str | None],
        spec: Speculator | None = None,
        **more: Any,
    ) -> "Tensor":
        settings = self._settings | {"segment": segments} | more
        top = None if self._recording is None or spec is not None else TopTokensRecorder()
        processors = [each for each in (top, self._guard) if each is not None]  # before masks: the model's own scores
        if processors:
            settings["logits_processor"] = processors
        if self._guard is not None:
            settings["eos_token_id"] = self._ends()
        output = self._loaded.generate(encoded, spec or self._spec, **settings)
        if top is not None:
            self._decoded = _Decoded(encoded, segments, output, top)
        return output

    def _plain(self, encoded: dict[str, "Tensor"], **more: Any) -> "Tensor":
        settings = self._settings | more
        if self._guard is not None:
            ends = self._ends()
            settings |= {"logits_processor": [self._guard.processor(ends)], "eos_token_id": ends}
        return self._loaded.generate(encoded, None, **settings)

    def _ends(self) -> Any:
        """The ends of sequence of a guarded text: the model's, or the tokenizer's if the model names none."""
        ends = self._loaded.model.generation_config.eos_token_id
        return self._loaded.tokenizer.eos_token_id if ends is None else ends

    def _texts(self, output: "Tensor") -> list[str]:
        return [decode(self._loaded.tokenizer, tokens) for tokens in output.tolist()]

    def _warm_up(self, encoded: dict[str, "Tensor"], segments: list[str | None]) -> None:
        with torch.random.fork_rng():
            self._plain(encoded, max_new_tokens=WARM_UP_TOKENS)
            self._drafted(encoded, segments, Speculator(), max_new_tokens=WARM_UP_TOKENS)


def _ended(tokens: list[int], ends: Collection[int]) -> list[int]:
    """A row of a batch without the padding after its end."""
    return tokens[: next((number for number, token in enumerate(tokens, 1) if token in ends), len(tokens))]
