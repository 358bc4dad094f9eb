"""The cache of a model with running states: slots for its attention layers, states for the others."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from ngramspec.hf.facts.layers import layers_of
from ngramspec.hf.seam import CACHE, EMPTY_LAYERS, CacheLayerMixin, LinearAttentionLayer
from ngramspec.hf.target.cache import RaggedCache
from ngramspec.hf.target.cache_layer import RaggedLayer
from ngramspec.hf.target.state_layer import StateAndKeysLayer, StateLayer, States
from ngramspec.hf.types import Model


class StateCache(RaggedCache):
    """A `RaggedCache`, in which a rollback changes an integer, plus states that are copied and restored."""

    def __init__(self, model: Model, most_slots: int | None = None) -> None:
        """Start empty. most_slots: the most slots per row that are allocated in advance."""
        super().__init__(0, most_slots)
        self.layers = [self._like(layer) for layer in layers_of(model)]
        self._asked_for: Tensor | None = None
        self._num_scans = 0

    @property
    def state_bytes(self) -> int:
        """Bytes of the running states of all rows; their copy takes as many during a pass."""
        return sum(layer.state_bytes for layer in self._with_states)

    @property
    def held_bytes(self) -> int:
        """Bytes of that copy; 0 between passes."""
        return sum(layer.held_bytes for layer in self._with_states)

    def get_recurrent_state(self, layer_idx: int, state_idx: int = 0) -> Tensor | None:
        """The state of a layer, which asks for it at the beginning of a pass; None before the first pass."""
        self._asked_for, self._num_scans = super().get_recurrent_state(layer_idx, state_idx), 0
        return self._asked_for

    def next_state(self) -> Tensor | None:
        """A copy of the state `[R, D, N]` that the next scan of the asking layer starts from; None if there is none.

        A layer with a state `[R, H, D, N]` (Zamba) makes a scan per head.
        """
        state = self._asked_for
        if state is None:
            return None
        self._num_scans += 1
        return (state if state.dim() == 3 else state[:, self._num_scans - 1]).clone()

    def arguments(self) -> dict[str, Any]:
        """The arguments of a pass that carry the states into the model."""
        return {CACHE: self}

    def take(self, output: Any) -> None:
        """Take the states out of the output of a pass; the model has written them here already."""

    def hold(self) -> None:
        """Copy the states, before a pass that may be rolled back."""
        for layer in self._with_states:
            layer.hold()

    def restore(self, lines: list[int]) -> None:
        """Restore the copied states of `lines`; all others stay as the pass left them."""
        for layer in self._with_states:
            layer.restore(lines)

    def undo(self) -> bool:
        """Restore all copied states; returns False if there is no copy."""
        layers = self._with_states
        is_held = all(layer.is_held for layer in layers)
        if is_held:
            for layer in layers:
                layer.undo()
        return is_held

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Within the `with` block, the states are those of a row apart, which has none at first."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def add_ready(self) -> None:
        """Queue the states of the row apart for `take_in`; the next row apart has none."""
        for layer in self._with_states:
            layer.add_ready()

    def take_in(self, num_rows: int) -> None:
        """Append the states of the first `num_rows` queued rows to those of all lines."""
        for layer in self._with_states:
            layer.take_in(num_rows)

    def drop_apart(self) -> None:
        """Drop the states of the row apart."""
        for layer in self._with_states:
            layer.drop_apart()

    def drop_line(self, line: int, last: int, num_slots: int) -> None:
        """Take out `line`: the `last` one takes its number, with its first `num_slots` slots."""
        if line != last:
            self.copy_line(last, line, num_slots)
        for layer in self._with_states:
            layer.drop_line(line)

    def states_of(self, layer_idx: int) -> States:
        """The recurrent states of a layer, by number."""
        layer = self.layers[layer_idx]
        assert isinstance(layer, StateLayer)
        return layer.recurrent_states

    def _exchange(self) -> None:
        for layer in self._with_states:
            layer.exchange()

    @property
    def _with_states(self) -> list[StateLayer]:
        return [layer for layer in self.layers if isinstance(layer, StateLayer)]

    def _like(self, layer: Any) -> Any:
        """Our layer for one of transformers'."""
        if isinstance(layer, LinearAttentionLayer):
            number = layer.number_of_states
            if isinstance(layer, CacheLayerMixin):
                return StateAndKeysLayer(self.placement, number)
            return StateLayer(number)
        return layer if type(layer) in EMPTY_LAYERS else RaggedLayer(self.placement)
