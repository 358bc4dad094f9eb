"""Caches for models that take their running states in a form of their own: MiniMax, RWKV and xLSTM.

All are a `StateCache`, so states are copied and restored in one way.
"""

from types import SimpleNamespace
from typing import Any

from torch import Tensor

from ngramspec.hf.seam import CACHE, cache_of, own_cache_class, text_config
from ngramspec.hf.target.state_cache import StateCache
from ngramspec.hf.types import Model


class LightningCache(StateCache):
    """Serves the states of lightning attention through MiniMax's own methods."""

    linear_cache: tuple[Tensor, ...] = ()
    """Attribute in which MiniMax's own cache keeps them; its length reads it."""

    def get_linear_cache(self, layer_idx: int) -> Tensor | None:
        """The state of a lightning attention layer."""
        return self.states_of(layer_idx)[0]

    def set_linear_cache(self, layer_idx: int, linear_cache: Tensor) -> None:
        """Replace the state of a lightning attention layer."""
        self.states_of(layer_idx)[0] = linear_cache


class ListedStates(StateCache):
    """Hands RWKV its states: a list of tensors `[R, D, L]`, each of all L layers. The first pass makes them."""

    def arguments(self) -> dict[str, Any]:
        """See `StateCache`."""
        states = self.states_of(0)
        return {} if states[0] is None else {"state": list(states.values())}

    def take(self, output: Any) -> None:
        """See `StateCache`."""
        self.states_of(0).update(enumerate(output.state))


class StatesByLayer(StateCache):
    """Hands xLSTM its states: of each layer a tuple of tensors `[R, H, …]`. The first pass makes them."""

    def arguments(self) -> dict[str, Any]:
        """See `StateCache`."""
        held = {number: tuple(self.states_of(number).values()) for number in range(len(self.layers))}
        return {} if held[0][0] is None else {CACHE: SimpleNamespace(rnn_state=held, seqlen_offset=0)}

    def take(self, output: Any) -> None:
        """See `StateCache`."""
        for number, states in cache_of(output).rnn_state.items():
            self.states_of(number).update(enumerate(states))


_HANDED_OVER = {"rwkv": ListedStates, "xlstm": StatesByLayer}


def state_cache_of(model: Model, most_slots: int | None = None) -> StateCache:
    """An empty cache for `model`, of the class that it requires: MiniMax takes only its own."""
    own = own_cache_class(model)
    if own is None:
        return _HANDED_OVER.get(text_config(model).model_type, StateCache)(model, most_slots)
    made: StateCache = type(own.__name__, (LightningCache, own), {})(model, most_slots)
    return made
