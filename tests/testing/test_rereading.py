"""A guard's masks from reading the text again equal those of the processor that follows the text."""

import pytest
import torch

from ngramspec import Guard
from ngramspec.guards import RowGuards
from ngramspec.testing.rereading import Rereading
from tests.hf.models import EOS
from tests.testing.test_assertions import VOCABULARY, schema_guard

GUARDS = [schema_guard(), Guard.per_row([schema_guard(), None, Guard.regex("[0-9]{2}", VOCABULARY)])]


@pytest.mark.parametrize("guard", GUARDS)
def test_masks_read_anew_are_those_of_the_processor(guard: Guard | RowGuards) -> None:
    prompt = 2
    text = torch.zeros((3, prompt), dtype=torch.long)
    followed, anew = guard.processor([EOS]), Rereading(guard, [EOS], start=prompt)
    generator = torch.Generator().manual_seed(0)
    for _ in range(32):
        scores = torch.randn((3, len(VOCABULARY) + 5), generator=generator)
        expected = followed(text, scores)
        assert torch.equal(expected, anew(text, scores))
        text = torch.cat([text, expected.argmax(dim=-1, keepdim=True)], dim=1)
    assert EOS in text[:, prompt:]  # a row that has ended is free
