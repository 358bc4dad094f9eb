"""The reference for speculation's texts: plain `generate()`, as directly as each mode allows."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ngramspec.hf.choice.sampling import row_seeds
from ngramspec.testing.calls import Call


@dataclass(frozen=True, slots=True)
class Run:
    """A plainly decoded call, and its output `int64[B, L]`."""

    call: Call
    output: Tensor

    @property
    def emitted(self) -> Tensor:
        """`int64[B, n]`."""
        return self.call.emitted(self.output)

    def end(self, row: int) -> int:
        """Number of emitted tokens of `row`, its end of sequence included; padding follows."""
        tokens = self.emitted[row].tolist()
        ends = [index for index, token in enumerate(tokens) if token in self.call.eos_tokens]
        return ends[0] + 1 if ends else len(tokens)


@dataclass(frozen=True, slots=True)
class Plain:
    """The reference of one call with drafts.

    runs: one for all rows, or one per row. name: what was done, in words. states: the random generators' states after
    it, None if they are not comparable. logits: `[n, V]` of each choice, for a prompt alone; None in a batch.
    """

    runs: list[Run]
    name: str
    states: list[Tensor] | None
    logits: Tensor | None

    def run_of(self, row: int) -> tuple[Run, int]:
        """The run that made the text of `row`, and the row's index in it."""
        return (self.runs[row], 0) if len(self.runs) > 1 else (self.runs[0], row)

    def texts(self) -> list[list[int]]:
        """The emitted tokens of each row, its end of sequence included, without padding."""
        return [run.emitted[row, : run.end(row)].tolist() for run in self.runs for row in range(len(run.emitted))]

    def emitted(self, pad_token: int) -> Tensor:
        """The emitted tokens of all rows, `int64[B, n]`."""
        rows = [row for run in self.runs for row in run.emitted]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad_token)


def decode_plainly(call: Call) -> Plain:
    """Decode the prompts of `call` with plain `generate()`.

    In a sampled batch each row of a Speculator draws from a generator of its own, while plain decoding draws for all
    rows at once. So here each row is decoded alone, from the seed of its own generator: the same draws again.
    """
    batch = len(call.input_ids)
    if batch == 1:
        output, passes = call.run_plainly()
        logits = torch.cat(passes)[: call.emitted(output).shape[1]]
        return Plain([Run(call, output)], "plain generate()", call.states(), logits)
    if not call.do_sample:
        run = Run(call, call.run())
        return Plain([run], "plain generate(), same batch", call.states(), None)
    torch.manual_seed(call.seed)
    alone = [call.row(index, seed) for index, seed in enumerate(row_seeds(batch))]
    runs = [Run(each, each.run()) for each in alone]
    return Plain(runs, "plain generate(), each row alone with its own seed", None, None)
