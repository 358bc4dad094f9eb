"""The equivalence oracle: the same prompts plainly and with drafts, greedily and sampled, alone and in batches.

Each prompt is decoded with drafts twice: with default settings, as users have them, and with a drafter that knows
plain's text and corrupts it, so that tokens are accepted and rolled back on any text, whatever passes cost.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ngramspec.decoding import FixedBudget
from ngramspec.drafting import Drafter, PromptLookup
from ngramspec.errors import PromptError, RefusedError
from ngramspec.hf import Speculator
from ngramspec.hf.facts.limits import max_position, positions_needed, vocabulary
from ngramspec.hf.facts.rounding import explicable
from ngramspec.hf.facts.support import why_undrafted
from ngramspec.hf.rows.row import unsteered
from ngramspec.hf.types import Model
from ngramspec.stats import Counters
from ngramspec.testing.adversary import AdversarialDrafter
from ngramspec.testing.calls import Call, left_padded
from ngramspec.testing.drafters import OracleDrafter
from ngramspec.testing.explaining import explain
from ngramspec.testing.plain import Plain, decode_plainly
from ngramspec.testing.report import Difference, Mode, Report
from ngramspec.testing.watching import LogitsWatch, judged

USUAL, LOOKUP, ORACLE = "default settings", "prompt lookup", "oracle"
ADVERSARY = "adversary"
"""Its drafts reach the masks unfiltered, illegal tokens included."""

OWN_SETTINGS = frozenset({"do_sample", "num_return_sequences", "custom_generate", "seed"})


def check_equivalence(
    model: Model,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int = 64,
    batch: int = 4,
    max_draft_tokens: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> Report:
    """Compare speculation with plain `generate()` on `model`, a transformers model in evaluation mode.

    prompts: token ids, as from `tokenizer(texts)["input_ids"]`.
    max_new_tokens: longest output. batch: rows decoded together, besides each prompt alone; the last batch is filled up
        with the first prompts.
    max_draft_tokens: the draft length of every pass of prompt lookup, so that every run makes the same passes. By
        default drafts come from a Speculator with default settings, as long as they pay; the oracle's have ten tokens.
    seed: a call's seed is this plus the index of its first prompt.
    progress: called with the number of finished batches and the number of all batches.
    settings: further settings of `generate()`, such as `top_p`. Every call gets the same objects, so processors must
        not keep state. A `Guard` keeps none; with a guard, drafts also come from an adversary that knows what it
        forbids.

    The state of torch's generators is restored. Raises PromptError for prompts that the model cannot read, ValueError
    for a model in training mode or a setting that the check sets itself.
    """
    check = EquivalenceCheck(
        model,
        prompts,
        max_new_tokens=max_new_tokens,
        batch=batch,
        max_draft_tokens=max_draft_tokens,
        seed=seed,
        **settings,
    )
    for num_done in check.run():
        if progress is not None:
            progress(num_done, check.num_batches)
    return check.report()


class EquivalenceCheck:
    """`check_equivalence`, batch by batch: a check that is stopped early keeps its findings.

    num_batches: number of all batches.
    """

    def __init__(
        self,
        model: Model,
        prompts: Sequence[Sequence[int]],
        *,
        max_new_tokens: int = 64,
        batch: int = 4,
        max_draft_tokens: int | None = None,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        """See `check_equivalence`."""
        _check(model, prompts, max_new_tokens, settings)
        reason = why_undrafted(model)
        self._model, self._seed = model, seed
        self._reason = reason and f"{type(model).__name__} {reason}, so it is decoded without drafts"
        settings = {"max_new_tokens": max_new_tokens, "pad_token_id": pad_token_of(model), **settings}
        calls = _Calls(model, prompts, settings, seed)
        drafts = _Drafts(max_draft_tokens)
        self._modes = [
            _ModeCheck(calls, do_sample=do_sample, batch=rows, drafts=drafts)
            for rows in dict.fromkeys((1, batch))
            for do_sample in (False, True)
        ]
        jobs = [(mode, indices) for mode in self._modes for indices in _batches(len(prompts), mode.batch)]
        self._jobs = jobs if reason is None else []
        self.num_batches = len(self._jobs)

    def run(self) -> Iterator[int]:
        """Compare batch after batch, mode after mode; yields the number of finished batches after each."""
        devices = [self._model.device] if self._model.device.type == "cuda" else []
        for num_done, (mode, indices) in enumerate(self._jobs, start=1):
            try:
                with torch.random.fork_rng(devices):
                    mode.compare(indices)
            except RefusedError as error:
                self._reason = str(error)
                return
            yield num_done

    def finished(self, num_done: int) -> Mode | None:
        """The mode whose last batch was number `num_done`, counted from 1; None in the middle of a mode."""
        mode, _ = self._jobs[num_done - 1]
        is_last = num_done == self.num_batches or self._jobs[num_done][0] is not mode
        return mode.mode() if is_last else None

    def report(self) -> Report:
        """The findings so far, of the modes that have begun."""
        dtype, device = str(self._model.dtype).removeprefix("torch."), self._model.device.type
        modes = () if self._reason is not None else tuple(mode.mode() for mode in self._modes if mode.has_begun)
        return Report(dtype, device, self._seed, modes, self._reason)


@dataclass(frozen=True, slots=True)
class _Calls:
    """Makes the calls of a check."""

    model: Model
    prompts: Sequence[Sequence[int]]
    settings: dict[str, Any]
    seed: int

    def call(self, indices: list[int], *, do_sample: bool) -> Call:
        """The call that decodes the prompts `indices` together."""
        prompts = [self.prompts[index] for index in indices]
        ids, mask = left_padded(prompts, self.settings["pad_token_id"], self.model.device)
        return Call(self.model, ids, mask, {**self.settings, "do_sample": do_sample}, self.seed + indices[0])


class _Drafts:
    """The drafters: the user's own Speculator, which serves the whole check, or prompt lookup; and others."""

    def __init__(self, max_draft_tokens: int | None) -> None:
        """See `check_equivalence`."""
        self._usual = Speculator() if max_draft_tokens is None else None
        self._budget = FixedBudget() if max_draft_tokens is None else FixedBudget(max_draft_tokens)

    def speculators(self, others: dict[str, Drafter]) -> dict[str, Speculator]:
        """The Speculators by name."""
        usual = {LOOKUP: Speculator(PromptLookup(), self._budget)} if self._usual is None else {USUAL: self._usual}
        return usual | {name: Speculator(drafter, self._budget) for name, drafter in others.items()}


class _ModeCheck:
    """Compares call by call, and sums the results."""

    def __init__(self, calls: _Calls, *, do_sample: bool, batch: int, drafts: _Drafts) -> None:
        self.batch = batch
        self.has_begun = False
        self._calls = calls
        self._do_sample = do_sample
        self._drafts = drafts
        self._counters = Counters()
        self._differences: list[Difference] = []
        self._state_differences = 0
        self._reference = ""
        self._compares_states = False
        self._logits_ratio = 0.0
        self._logits: tuple[float | None, float | None] = None, None

    def compare(self, indices: list[int]) -> None:
        """Decode the prompts `indices` plainly, then with each drafter."""
        call = self._calls.call(indices, do_sample=self._do_sample)
        plain = decode_plainly(call)
        self._reference, self._compares_states = plain.name, plain.states is not None
        emitted = plain.emitted(call.settings["pad_token_id"])
        oracle = OracleDrafter(emitted.tolist(), vocabulary(call.model), seed=call.seed)
        self.has_begun = True
        for name, spec in self._drafts.speculators({ORACLE: oracle, **_adversary(call, plain)}).items():
            before = spec.stats.total
            with LogitsWatch(call.model) as watch, unsteered() if name == ADVERSARY else nullcontext():
                output = call.emitted(call.run(custom_generate=spec))
            states = call.states()
            self._counters.add(spec.stats.total.since(before))
            found = _differences(call, plain, output, indices, name)
            self._differences += found
            if plain.states is not None and not found:
                same = all(torch.equal(left, right) for left, right in zip(plain.states, states, strict=True))
                self._state_differences += not same
            if plain.logits is not None and not found:
                self._compare_logits(watch.largest_difference(plain.runs[0].output[0], plain.logits), plain.logits)

    def _compare_logits(self, difference: float | None, plain: Tensor) -> None:
        """Keep the largest difference relative to what rounding explains."""
        if difference is None:
            return
        limit = explicable(plain)
        if difference / limit >= self._logits_ratio:
            self._logits_ratio = difference / limit
            self._logits = difference, limit if judged(plain) else None

    def mode(self) -> Mode:
        """The findings."""
        counters = self._counters
        return Mode(
            name="sampled" if self._do_sample else "greedy",
            batch=self.batch,
            reference=self._reference,
            texts=counters.requests,
            tokens=counters.tokens,
            num_drafts=counters.num_drafts,
            num_accepted_tokens=counters.num_accepted_tokens,
            num_rolled_back_tokens=counters.num_draft_tokens - counters.num_accepted_tokens,
            states=self._compares_states,
            state_differences=self._state_differences,
            logits_difference=self._logits[0],
            logits_limit=self._logits[1],
            differences=tuple(self._differences),
        )


def _adversary(call: Call, plain: Plain) -> dict[str, Drafter]:
    """A drafter of what the call's guard forbids; none without a guard."""
    rows, size, ends = plain.texts(), vocabulary(call.model), call.eos_tokens
    if not call.guards:
        return {}
    return {ADVERSARY: AdversarialDrafter.against(call.guards[:1] * len(rows), rows, size, eos_tokens=ends)}


def _differences(call: Call, plain: Plain, output: Tensor, indices: list[int], drafter: str) -> list[Difference]:
    """The first difference of each row of `output` `int64[B, n]` from its plain text."""
    pad_token = call.settings["pad_token_id"]
    emitted = plain.emitted(pad_token)
    width = max(emitted.shape[1], output.shape[1])
    filler = pad_token if len(indices) > 1 else -1  # alone, nothing is padded: a text with extra padding differs
    left, right = (
        torch.nn.functional.pad(tokens, (0, width - tokens.shape[1]), value=filler) for tokens in (emitted, output)
    )
    found = []
    for row in (left != right).any(dim=1).nonzero().flatten().tolist():
        position = int((left[row] != right[row]).int().argmax())
        run, index = plain.run_of(row)
        other = int(right[row, position]) if position < output.shape[1] else None
        order = [row, *(index for index in range(len(indices)) if index != row)]
        batch = (call.input_ids[order], call.mask[order], emitted[order])
        found.append(
            Difference(
                prompt=indices[row],
                position=position,
                drafter=drafter,
                plain_token=int(left[row, position]) if position < run.end(index) else None,
                speculative_token=other,
                evidence=explain(run, index, position, other, batch=batch),
            )
        )
    return found


def _batches(num_prompts: int, batch: int) -> Iterator[list[int]]:
    """Indices of the prompts of each batch."""
    for start in range(0, num_prompts, batch):
        yield [index % num_prompts for index in range(start, start + batch)]


def pad_token_of(model: Model) -> int:
    """The model's pad token, else its end of sequence as in plain `generate()`, else any id: padding is masked."""
    config = model.generation_config
    eos = config.eos_token_id[0] if isinstance(config.eos_token_id, list) else config.eos_token_id
    return int(next((token for token in (config.pad_token_id, eos) if token is not None), 0))


def _check(model: Model, prompts: Sequence[Sequence[int]], max_new_tokens: int, settings: dict[str, Any]) -> None:
    if model.training:
        raise ValueError("model must be in evaluation mode, or dropout changes every text: call model.eval()")
    own = sorted(OWN_SETTINGS & settings.keys())
    if own:
        raise ValueError(f"the check must set {', '.join(sorted(OWN_SETTINGS))} itself, got {own[0]}: leave it out")
    if not prompts:
        raise PromptError("a check needs at least one prompt, got none")
    limit = max_position(model)
    for index, prompt in enumerate(prompts):
        if not len(prompt):
            raise PromptError(f"every prompt must hold at least one token, got none in prompt {index}")
        if limit is not None and positions_needed(model, len(prompt), max_new_tokens) > limit:
            raise PromptError(
                f"prompt and max_new_tokens must fit the model's {limit} positions,"
                f" got {len(prompt)} + {max_new_tokens} in prompt {index}: shorten one of them"
            )
