"""Masks on scores, and the logits processor for plain `generate()`."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ngramspec.errors import GuardError
from ngramspec.guards.matcher import Matcher
from ngramspec.guards.types import BitmaskArray, num_words, unpacked
from ngramspec.guards.vocabulary import Vocabulary

if TYPE_CHECKING:
    from torch import Tensor

    from ngramspec.guards.guard import RowGuards


def masked(scores: "Tensor", bits: BitmaskArray) -> "Tensor":
    """`scores` `[n, V']` with -inf for all ids that `bits` `int32[n, W]` forbids or does not cover."""
    import torch

    num_scores = scores.shape[-1]
    if scores.device.type == "cpu":
        allowed = torch.from_numpy(unpacked(bits))
    else:  # 32 times less to copy
        words = torch.from_numpy(np.ascontiguousarray(bits)).to(scores.device, non_blocking=True)
        shifts = torch.arange(32, dtype=torch.int32, device=scores.device)
        allowed = (words[..., None] >> shifts & 1).flatten(-2).bool()
    missing = num_scores - allowed.shape[-1]
    if missing > 0:
        allowed = torch.nn.functional.pad(allowed, (0, missing))
    return scores.masked_fill(~allowed[..., :num_scores], -torch.inf)


class GuardProcessor:
    """Masks the scores of one plain `generate()` call: greedy or sampled, any number of rows, no beams.

    It follows the text token by token, so it serves one call; a second one, or one that reorders rows, raises
    GuardError. So does a text that violates the guard, for instance because of another processor.

    The ends of sequence are the tokenizer's own, because a processor does not see those of the call: pass
    `eos_token_id` to `guard.processor()` if the model's generation config has others.
    In a batch, a row that was ended by something else, such as a stop string, is recognised by the special token that
    pads it.
    """

    def __init__(
        self,
        guards: "RowGuards",
        eos_tokens: Sequence[int] | None,
    ) -> None:
        self.guards = guards
        self.eos_tokens = eos_tokens
        self._is_used = False
        self._ids: Any = None
        self._matchers: list[Matcher | None] = []
        self._padding: dict[int, int] = {}

    def open(self, prompts: Sequence[Sequence[int]], num_returned: int | None = None) -> list[Matcher | None]:
        """A fresh matcher per row, for a Speculator that masks instead. Raises GuardError if the processor was used.

        prompts: `int64[B, P]`. num_returned: sequences returned per prompt, if known.
        """
        if self._is_used:
            raise GuardError("a guard's processor serves one generate() call, got a second one: make a new one")
        self._is_used = True
        return self.guards.matchers(prompts, self.eos_tokens, num_returned)

    def __call__(self, input_ids: "Tensor", scores: "Tensor") -> "Tensor":
        """`scores` `float32[B, V]`, masked for the text `input_ids` `int64[B, L]`."""
        if self._ids is None:
            prompts = input_ids.tolist()
            self._matchers = self.open(prompts)
            for vocabulary in {matcher.vocabulary for matcher in self._matchers if matcher is not None}:
                check_fits(vocabulary, scores.shape[-1], prompts)
        else:
            self._check_is_next(input_ids)
            for row, token in enumerate(input_ids[:, -1].tolist()):
                self._advance(row, token)
        self._ids = input_ids
        rows = [row for row, matcher in enumerate(self._matchers) if self._is_guarded(row, matcher)]
        if not rows:
            return scores
        bits = np.zeros(
            (len(rows), max(num_words(len(m.vocabulary)) for m in self._matchers if m is not None)), np.int32
        )
        for index, row in enumerate(rows):
            matcher = self._matchers[row]
            assert matcher is not None
            fill_next(matcher, bits[index], row)
        left = masked(scores if len(rows) == len(scores) else scores[rows], bits)
        self._check_something_is_left(left, rows)
        if len(rows) == len(scores):
            return left
        scores = scores.clone()
        scores[rows] = left
        return scores

    def _check_something_is_left(self, left: "Tensor", rows: list[int]) -> None:
        stuck = (left == -float("inf")).all(dim=-1)
        if bool(stuck.any()):  # otherwise plain decoding would choose a token that no mask allows
            row = rows[int(stuck.long().argmax())]
            matcher = self._matchers[row]
            assert matcher is not None
            raise left_nothing(row=row, tokens=matcher._committed, text=matcher._text())

    def _is_guarded(self, row: int, matcher: Matcher | None) -> bool:
        return matcher is not None and not matcher.ended and row not in self._padding

    def _check_is_next(self, input_ids: "Tensor") -> None:
        before = self._ids
        if input_ids.shape != (before.shape[0], before.shape[1] + 1) or not bool((input_ids[:, :-1] == before).all()):
            raise GuardError(
                "a guard's processor serves one generate() call, greedy or sampled, without beams, got another text"
                f" of shape {list(input_ids.shape)} after {list(before.shape)}: make a new one for each call"
            )

    def _advance(self, row: int, token: int) -> None:
        matcher = self._matchers[row]
        if matcher is None or matcher.ended:
            return
        if row in self._padding and token == self._padding[row]:
            return
        try:
            matcher.advance([token])
        except GuardError as error:
            error.row = row
            # A row that was ended by something else, such as a stop string, is padded with a token that is not text.
            if len(self._matchers) == 1 or row in self._padding or token not in matcher.vocabulary.special:
                raise
            self._padding[row] = token


def check_fits(vocabulary: Vocabulary, num_ids: int, prompts: Iterable[Iterable[int]]) -> None:
    """Raise GuardError if the model's tokens are certainly not those of `vocabulary`.

    num_ids: ids that the model knows. Its table may be padded to more ids than tokens, and added tokens may lie beyond
    it. prompts: `int64[B, P]`, from the model's own tokenizer.
    """
    if vocabulary.last_text >= num_ids:
        raise GuardError(
            f"a guard must be made with the model's own tokenizer, got one of {len(vocabulary)} tokens for a model that"
            f" knows {num_ids} ids{_OWN}"
        )
    largest = max((token for prompt in prompts for token in prompt), default=0)
    if largest >= len(vocabulary):
        raise GuardError(
            f"a guard must be made with the tokenizer that made the prompt, got token {largest} in it and a guard of"
            f" {len(vocabulary)} tokens{_OWN}"
        )


_OWN = ": make it with AutoTokenizer.from_pretrained of the model's own name"


def fill_next(matcher: Matcher, bits: BitmaskArray, row: int) -> None:
    """Write what `matcher` allows next into `bits` `int32[W]`. Raises GuardError if that is nothing."""
    try:
        matcher.fill((), bits[None, : num_words(len(matcher.vocabulary))])
    except GuardError as error:
        error.row = row
        raise
    if not bits.any():
        raise nothing_allowed(matcher, row)


def left_nothing(others: Sequence[str] = (), **where: Any) -> GuardError:
    """The error when the processors `others` have forbidden all that a guard allows."""
    who = ", ".join(others) or "another processor"
    return GuardError(
        f"some token that the guard allows must be left to choose, got none after {who}: unset what forbids or forces"
        " a token here, such as suppress_tokens, min_new_tokens, forced_bos_token_id or forced_eos_token_id",
        **where,
    )


def nothing_allowed(matcher: Matcher, row: int) -> GuardError:
    """The error for a text that can neither continue nor end."""
    return GuardError(
        "some token must be allowed next, got none: this vocabulary cannot continue the text within the grammar",
        row=row,
        tokens=matcher._committed,
        text=matcher._text(),
    )
