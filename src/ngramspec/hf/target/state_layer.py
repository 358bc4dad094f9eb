"""Cache layers with a running state that can be restored after a pass.

A running state (of a convolution, a linear attention, a state space) holds a text in a fixed size, so its last tokens
cannot be removed. Before a drafted block the states are copied; if a draft is rejected, the copy is restored, row by
row. The copy is as large as the states, whatever the length of the text.
"""

from typing import Any

import torch
from torch import Tensor

from ngramspec.hf.seam import LinearAttentionLayer
from ngramspec.hf.target.cache_layer import Placement, RaggedLayer

States = dict[int, Tensor | None]
"""The states of one kind in a layer, by number; None until the first pass."""

_SORTS = ("conv_states", "recurrent_states")

_OF_STATES = (
    *_SORTS,
    "is_conv_states_initialized",
    "is_recurrent_states_initialized",
    "has_previous_state",
)
"""Attributes of a transformers layer that change with its states."""


class StateLayer(LinearAttentionLayer):
    """The running states of one layer, each a tensor with a line per row."""

    def __init__(self, number_of_states: int = 1) -> None:
        LinearAttentionLayer.__init__(self, number_of_states=number_of_states)
        self._before: list[tuple[States, int, Tensor]] | None = None
        self._apart = self._empty()
        self._ready: list[dict[str, Any]] = []

    @property
    def state_bytes(self) -> int:
        """Bytes of the states, including those apart and those queued, without their copy."""
        groups = [*self._sorts(), *(each[sort] for each in (self._apart, *self._ready) for sort in _SORTS)]
        return sum(state.nbytes for states in groups for state in states.values() if state is not None)

    @property
    def held_bytes(self) -> int:
        """Bytes of the copy; 0 between passes."""
        return sum(before.nbytes for _, _, before in self._before or ())

    def hold(self) -> None:
        """Copy the states, because models may write to them in place."""
        self._before = [(states, number, state.clone()) for states, number, state in self._states()]

    def restore(self, lines: list[int]) -> None:
        """Restore the copied states of `lines`, and drop the copy."""
        for states, number, before in (self._before or ()) if lines else ():
            state = states[number]
            assert state is not None
            if len(lines) == len(before):
                states[number] = before
            else:
                state[lines] = before[lines]
        self._before = None

    @property
    def is_held(self) -> bool:
        """Whether there is a copy."""
        return self._before is not None

    def undo(self) -> None:
        """Restore everything that was copied."""
        assert self._before is not None
        if not self._before:
            vars(self).update(self._empty())
        for states, number, before in self._before:
            states[number] = before
        self._before = None

    def exchange(self) -> None:
        """Swap the states with those apart, which are empty at first."""
        shown = {name: vars(self)[name] for name in _OF_STATES}
        vars(self).update(self._apart)
        self._apart = shown

    def add_ready(self) -> None:
        """Queue the states apart for `take_in`."""
        self._ready.append(self._apart)
        self.drop_apart()

    def take_in(self, num_lines: int) -> None:
        """Append the first `num_lines` queued lines to the others."""
        waiting = [{name: vars(self)[name] for name in _OF_STATES}, *self._ready[:num_lines]]
        del self._ready[:num_lines]
        vars(self).update(waiting[-1])
        for sort, states in zip(_SORTS, self._sorts(), strict=True):
            for number, state in states.items():
                if state is not None:
                    lines = [each[sort][number] for each in waiting]
                    states[number] = torch.cat([line for line in lines if line is not None])

    def drop_apart(self) -> None:
        """Drop the states apart."""
        self._apart = self._empty()

    def drop_line(self, line: int) -> None:
        """Take out `line`; the last one takes its number."""
        for states, number, state in self._states():
            state[line] = state[-1]
            states[number] = state[:-1].clone()

    def _empty(self) -> dict[str, Any]:
        """The attributes' values before the first pass."""
        return {name: vars(LinearAttentionLayer(self.number_of_states))[name] for name in _OF_STATES}

    def _states(self) -> list[tuple[States, int, Tensor]]:
        """Each state, with its dictionary and number; some layers have only a convolution."""
        return [(of, number, state) for of in self._sorts() for number, state in of.items() if state is not None]

    def _sorts(self) -> list[States]:
        return [vars(self)[sort] for sort in _SORTS]


class StateAndKeysLayer(StateLayer, RaggedLayer):
    """A layer with running states as well as keys and values (Falcon-H1, Zaya)."""

    is_compileable = is_croppable = False

    def __init__(self, placement: Placement, number_of_states: int = 1) -> None:
        RaggedLayer.__init__(self, placement)
        StateLayer.__init__(self, number_of_states)

    def lazy_initialization(self, *keys_and_values: Tensor, **states: Any) -> None:  # type: ignore[override]
        """Initialise keys and values, given by position, or states, given by name, as transformers' own layers do."""
        if keys_and_values:
            RaggedLayer.lazy_initialization(self, *keys_and_values)
        else:
            StateLayer.lazy_initialization(self, **states)
