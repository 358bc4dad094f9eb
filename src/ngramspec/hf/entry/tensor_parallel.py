"""Makes processes that share one model take the same drafting decisions."""

from collections.abc import Sequence

import torch
import torch.distributed
from torch import Tensor

from ngramspec.decoding import Budget, Costs, Row, Shape
from ngramspec.decoding.budget import Terms, usual_terms
from ngramspec.decoding.way import Way
from ngramspec.drafting import Draft
from ngramspec.hf.seam import device_mesh_of
from ngramspec.hf.types import Model

_DATA = ("fsdp", "dp", "ddp")
"""Mesh dimensions along which processes decode different texts."""


def agreed(budget: Budget, model: Model) -> Budget:
    """`budget` if this process holds all of `model`; otherwise one that decides for all processes that share it."""
    mesh = device_mesh_of(model)
    if mesh is None or mesh.size() == 1:
        return budget
    names = mesh.mesh_dim_names or ("tp",) * mesh.ndim
    groups = [mesh.get_group(dim) for dim, name in enumerate(names) if name not in _DATA and mesh.size(dim) > 1]
    return AgreedBudget(budget, groups, model.device) if groups else budget


class AgreedBudget:
    """A budget with which all processes of a model follow the decisions of the first one.

    Each has a clock of its own, and a pass is a collective call: if one process drafted and another did not, shapes
    would differ, and the pass would fail or hang.
    """

    def __init__(self, budget: Budget, groups: Sequence[torch.distributed.ProcessGroup], device: torch.device) -> None:
        """groups: of processes that decode the same text, one per mesh dimension. device: the model's."""
        self.max_draft_tokens = budget.max_draft_tokens
        self._budget, self._groups, self._device = budget, groups, device

    def terms(self, rows: Sequence[Row], shape: Shape, costs: Costs) -> Terms:
        """Return the survival that the first process's budget demands. All draft in the usual way.

        A process that chose another way would draft different tokens.
        """
        least = self._budget.terms(rows, shape, costs).min_survivals[Way.BLIND]
        own = torch.tensor([least], dtype=torch.float32, device="cpu")
        return usual_terms(rows, float(self._of_first(own)[0]))

    def allot(self, drafts: Sequence[Draft], remaining: Sequence[int], shape: Shape, costs: Costs) -> list[int]:
        """Return the lengths of the first process's budget."""
        own = torch.tensor(self._budget.allot(drafts, remaining, shape, costs), dtype=torch.int32, device="cpu")
        lengths: list[int] = self._of_first(own).tolist()
        return lengths

    def _of_first(self, own: Tensor) -> Tensor:
        shared = own.to(self._device)
        for group in self._groups:
            torch.distributed.broadcast(shared, torch.distributed.get_global_rank(group, 0), group)
        return shared
