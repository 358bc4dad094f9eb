"""A pool of cache lines for rows of many calls, which join and leave. Common prefixes of prompts are shared.

The first lines hold the rows that decode, the next one the row whose prompt is being read. The other lines are free,
and keep the content of their last row. A row that joins starts with the longest prefix of its prompt that any line
holds, such as the system prompt of a service, or a continued chat. The idea is from SGLang's radix cache (Zheng et al.
2024), with whole lines instead of a tree.
"""

from dataclasses import dataclass
from itertools import count

import numpy as np
import torch

from ngramspec.decoding import Row
from ngramspec.drafting.types import TokenArray
from ngramspec.hf.rows.row import ModelRow, model_rows
from ngramspec.hf.target.block import make_block
from ngramspec.hf.target.cache import RaggedCache
from ngramspec.hf.target.cache_bound import BoundedPool, CacheBound, rounded
from ngramspec.hf.target.ragged import RaggedTarget
from ngramspec.hf.types import Model

LEAST_SHARED = 16
"""Shortest common prefix that is worth a copy, in tokens."""


@dataclass(frozen=True, slots=True)
class _FreeLine:
    """The content of a free line: tokens `int32[n]`, the salt of their row, and a number in the order of leaving."""

    tokens: TokenArray
    salt: str | None
    number: int


class LinePool(RaggedTarget, BoundedPool):
    """A RaggedTarget whose rows join and leave, within a bound in bytes.

    num_shared: prompt tokens that were copied from other lines instead of read.
    """

    def __init__(self, model: Model, device: torch.device, max_bytes: int) -> None:
        """max_bytes: of keys and values of all lines together; each has room for the longest row."""
        super().__init__(model, device)
        self.num_shared = 0
        self._free: list[_FreeLine] = []
        self._salts: dict[ModelRow, str | None] = {}
        self._prompts: dict[ModelRow, TokenArray] = {}
        self._numbers = count()
        self._bound = CacheBound(max_bytes, self._measured())

    def join(self, row: ModelRow, num_slots: int, salt: str | None) -> None:
        """Take in a row that will read its prompt next. It starts with the longest prefix in a line of the same `salt`.

        num_slots: the most that the row may take. No other row may be reading its prompt.
        """
        if not self._held and self._most_lines(num_slots) < 1:  # lines are longer than needed: start over
            self._cache = RaggedCache(self._num_layers)
            self._free.clear()
        most = self._most_lines(num_slots)
        while len(self._held) + len(self._free) > most:
            self._swap_free(self._oldest(), len(self._free) - 1)
            self._free.pop()
        self._cache.keep_lines(most)
        prompt = np.array(row.pending, np.int32)
        line, num_shared = self._longest_prefix(prompt, salt)
        new, num_lines = len(self._held), len(self._held) + len(self._free)
        takes_free = num_shared > 0 and line >= new
        self._reserve(num_lines if takes_free or num_lines == most else num_lines + 1, most, num_slots)
        if takes_free:
            self._swap_free(line - new, 0)
            self._free.pop(0)
        elif num_lines == most:
            self._swap_free(self._oldest(), 0)
            self._free.pop(0)
        elif self._free:
            self._cache.copy_line(new, num_lines, self._free[0].tokens.size)
            self._free.append(self._free.pop(0))
        if num_shared and line < new:
            self._cache.copy_line(line, new, num_shared)
        self._cache.wipe({new: num_shared})  # an earlier row may have left NaN there, which masks do not hide
        self._held.append(row)
        row.line = new
        self._prompts[row], self._salts[row] = prompt, salt
        self.num_shared += num_shared
        row.num_shared = num_shared
        row.pending, row.num_cached = row.pending[num_shared:], num_shared

    def leave(self, row: Row) -> None:
        """Free the row's line; its content stays."""
        (own,) = model_rows([row])
        last = len(self._held) - 1
        if own is not self._held[last] and self._held[last].reads_prompt:  # that row stays after those that decode
            self._swap_held(own.line, last - 1)
        self._swap_held(own.line, last)
        self._held.pop()
        self._free.insert(0, _FreeLine(self._cached(own), self._salts.pop(own), next(self._numbers)))
        del self._prompts[own]

    def _reserve(self, num_lines: int, most: int, num_slots: int) -> None:
        """Make room for twice `num_lines`, `most` at most, because each enlargement copies everything."""
        has_room = num_lines <= self._cache.placement.num_lines
        self._cache.reserve(num_lines if has_room else min(most, 2 * num_lines), rounded(num_slots))

    def _longest_prefix(self, prompt: TokenArray, salt: str | None) -> tuple[int, int]:
        """The line with the longest prefix of `prompt`, and its length; at least one token is left to read."""
        texts = [self._cached(row) if self._salts[row] == salt else prompt[:0] for row in self._held]
        texts += [left.tokens if left.salt == salt else prompt[:0] for left in self._free]
        lengths = [common_prefix_length(text, prompt[:-1]) for text in texts]
        best = max(range(len(lengths)), key=lengths.__getitem__, default=0)
        if not lengths or lengths[best] < LEAST_SHARED or not self._cache.is_finite(best, lengths[best]):
            return 0, 0
        return best, lengths[best]

    def _cached(self, row: ModelRow) -> TokenArray:
        prompt = self._prompts[row]
        if row.num_cached <= prompt.size:
            return prompt[: row.num_cached]
        return np.concatenate([prompt, np.array(row.emitted[: row.num_cached - prompt.size], np.int32)])

    def _swap_held(self, line: int, other: int) -> None:
        held = self._held
        if line != other:
            self._cache.swap(line, other, max(held[line].num_cached, held[other].num_cached))
            held[line], held[other] = held[other], held[line]
            held[line].line, held[other].line = line, other

    def _swap_free(self, number: int, other: int) -> None:
        free, start = self._free, len(self._held)
        if number != other:
            self._cache.swap(start + number, start + other, max(free[number].tokens.size, free[other].tokens.size))
            free[number], free[other] = free[other], free[number]

    def _oldest(self) -> int:
        return min(range(len(self._free)), key=lambda index: self._free[index].number)

    def _measured(self) -> int:
        """Bytes per slot, measured by a pass over one token."""
        with torch.no_grad():
            self._forward(make_block([[0]], starts=[0], shifts=[0], num_logits=1))
        bytes_per_slot = self._cache.bytes_per_slot
        self._cache = RaggedCache(self._num_layers)
        return bytes_per_slot


def common_prefix_length(tokens: TokenArray, others: TokenArray) -> int:
    """Length of the common prefix of two texts, `int32[n]` and `int32[m]`.

    Like `decoding.common_length`, but for texts of thousands of tokens: that is a loop, for drafts of a few.
    """
    length = min(tokens.size, others.size)
    different = np.flatnonzero(tokens[:length] != others[:length])
    return int(different[0]) if different.size else length
