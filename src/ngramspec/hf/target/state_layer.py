"""Cache layers with a running state, which a pass can leave as it was before.

A running state (of a convolution, a linear attention, a state space) holds a text in a fixed size, so the last tokens
cannot be taken out of it. Before a drafted block the states are copied; where a draft was rejected the copy is put
back, row by row. It takes the bytes of the states once more, whatever the length of the text.
"""

from typing import Any

from torch import Tensor

from ngramspec.hf.seam import LinearAttentionLayer
from ngramspec.hf.target.cache_layer import Placement, RaggedLayer

States = dict[int, Tensor | None]
"""The states of one sort in a layer, by number; None until the first pass."""


class StateLayer(LinearAttentionLayer):
    """The running states of one layer, each a tensor with a line per row."""

    def __init__(self, number_of_states: int = 1) -> None:
        LinearAttentionLayer.__init__(self, number_of_states=number_of_states)
        self._before: list[tuple[States, int, Tensor]] = []

    @property
    def state_bytes(self) -> int:
        """Bytes of the states, without their copy."""
        return sum(state.nbytes for _, _, state in self._states())

    @property
    def held_bytes(self) -> int:
        """Bytes of the copy; 0 between passes."""
        return sum(before.nbytes for _, _, before in self._before)

    def hold(self) -> None:
        """Copy the states, for models may write to them in place."""
        self._before = [(states, number, state.clone()) for states, number, state in self._states()]

    def restore(self, lines: list[int]) -> None:
        """Put the copied states of `lines` back, and let the copy go."""
        for states, number, before in self._before if lines else ():
            state = states[number]
            assert state is not None
            if len(lines) == len(before):
                states[number] = before
            else:
                state[lines] = before[lines]
        self._before = []

    def drop_line(self, line: int) -> None:
        """Take out `line`; the last one takes its number."""
        for states, number, state in self._states():
            state[line] = state[-1]
            states[number] = state[:-1].clone()

    def _states(self) -> list[tuple[States, int, Tensor]]:
        """Each state with where it is kept; some layers have a convolution only."""
        kept = (self.conv_states, self.recurrent_states)
        return [(states, number, state) for states in kept for number, state in states.items() if state is not None]


class StateAndKeysLayer(StateLayer, RaggedLayer):
    """A layer with running states beside its keys and values (Falcon-H1, Zaya)."""

    is_compileable = is_croppable = False

    def __init__(self, placement: Placement, number_of_states: int = 1) -> None:
        RaggedLayer.__init__(self, placement)
        StateLayer.__init__(self, number_of_states)

    def lazy_initialization(self, *keys_and_values: Tensor, **states: Any) -> None:  # type: ignore[override]
        """Of keys and values, by position; or of states, by name, as transformers' own layers of this sort."""
        if keys_and_values:
            RaggedLayer.lazy_initialization(self, *keys_and_values)
        else:
            StateLayer.lazy_initialization(self, **states)
