"""The recorder notes which tokens were accepted drafts, and changes nothing."""

import numpy as np

from ngramspec.cli.accepted_tokens import AcceptanceRecorder
from ngramspec.drafting import AdaptiveLookup, TokenArray


def ids(*tokens: int) -> TokenArray:
    return np.array(tokens, np.int32)


def test_accepted_tokens_are_distinguished_from_bonus_tokens() -> None:
    recorder = AcceptanceRecorder()
    session = recorder.open()
    session.extend(ids(1, 2, 3, 1))
    for accepted, tokens in ((2, ids(2, 3, 7)), (0, ids(8)), (1, ids(1))):
        session.observe(session.propose(4), accepted)
        session.extend(tokens)
    assert recorder.sessions[0].accepted == [True, True, False, False, True]


def test_drafts_are_those_of_the_default_drafter() -> None:
    session, alone = AcceptanceRecorder().open(), AdaptiveLookup().open()
    for tokens in (ids(1, 2, 3, 1), ids(2, 3)):
        session.extend(tokens)
        alone.extend(tokens)
        assert session.propose(4).tokens.tolist() == alone.propose(4).tokens.tolist()


def test_each_row_has_a_record_of_its_own() -> None:
    recorder = AcceptanceRecorder()
    first, second = recorder.open(), recorder.open("segment")
    first.extend(ids(1, 1))
    first.observe(first.propose(1), 0)
    first.extend(ids(2))
    assert [session.accepted for session in recorder.sessions] == [[False], []]
    assert second is recorder.sessions[1]
