"""Mistakes in drafts."""

from hypothesis import strategies as st

from ngramspec.testing.adversary import SLIP_KINDS, Slip


def slips(max_size: int = 6) -> st.SearchStrategy[tuple[Slip, ...]]:
    """Slips for an `AdversarialDrafter`, one per draft; without slips the drafter is always right.

    They shrink towards fewer, at the start of a draft, and right.
    """
    one = st.builds(Slip, st.sampled_from(SLIP_KINDS), st.integers(0, 4), st.integers(0, 400))
    return st.lists(one, max_size=max_size).map(tuple)
