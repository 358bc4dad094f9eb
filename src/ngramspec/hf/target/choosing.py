"""Which target reads the rows of a call."""

from collections.abc import Sequence as Rows

from ngramspec.hf.facts.running_state import has_running_state
from ngramspec.hf.rows.request import Request
from ngramspec.hf.rows.row import ModelRow
from ngramspec.hf.target.aligned import AlignedTarget
from ngramspec.hf.target.ragged import RaggedTarget
from ngramspec.hf.target.replaying import ReplayingTarget
from ngramspec.hf.target.static import StaticTarget


def target_of(
    request: Request, rows: Rows[ModelRow], *, is_ragged: bool
) -> RaggedTarget | AlignedTarget | ReplayingTarget:
    """A target for the `rows` of one request. is_ragged: see `Request.is_ragged`."""
    if has_running_state(request.model):
        return ReplayingTarget(request, rows)
    if request.cache.is_static:
        return StaticTarget.of(request, rows)
    return RaggedTarget.of(request, rows) if is_ragged else AlignedTarget(request, rows)
