"""A draft is a record of three fields, the last two of which have defaults."""

import pickle
from dataclasses import replace

import numpy as np

from ngramspec.drafting import NO_DRAFT, Draft
from tests.drafting.test_suffix_index import tokens_of


def test_a_draft_whose_survival_is_not_given_survives_wholly() -> None:
    draft = Draft(tokens_of([1, 2, 3]))
    assert [1.0, 1.0, 1.0] == draft.survival.tolist()
    assert not draft.is_unsure
    assert 0 == Draft(NO_DRAFT).survival.size


def test_the_head_of_a_draft_keeps_what_is_known_of_it() -> None:
    draft = Draft(tokens_of([1, 2, 3]), np.array([0.9, 0.5, 0.1]), is_unsure=True)
    assert draft is draft.head(3)
    head = draft.head(2)
    assert ([1, 2], [0.9, 0.5], True) == (head.tokens.tolist(), head.survival.tolist(), head.is_unsure)


def test_a_draft_is_copied_with_another_field_and_survives_pickling() -> None:
    draft = replace(Draft(tokens_of([1, 2])), is_unsure=True)
    same = pickle.loads(pickle.dumps(draft))
    assert ([1, 2], [1.0, 1.0], True) == (same.tokens.tolist(), same.survival.tolist(), same.is_unsure)
    assert "Draft(tokens=array([1, 2], dtype=int32), survival=array([1., 1.]), is_unsure=True)" == repr(same)
