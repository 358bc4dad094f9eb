"""Families that the project promises by name, and the table of all families."""

from pathlib import Path
from typing import Any

import pytest
from transformers.models.auto import modeling_auto

from ngramspec.hf.facts.known_code import known_classes
from tests.families.build import build, drawn
from tests.families.catalogue import SECTIONS, family
from tests.families.shrink import FIRST_SPECIAL
from tests.families.table import drafted_classes, verdicts
from tests.families.trial import tried
from tests.hf.comparing import assert_accepted_and_rolled_back, compare, limits
from tests.hf.hybrids import with_blocks
from tests.hf.models import padded_prompts

NAMED = (
    "qwen2",
    "qwen3",
    "gpt_neox",
    "opt",
    "mistral",
    "qwen3_moe",
    "deepseek_v3",
    "gpt_oss",
    "phi3",
    "gemma2",
    "cohere",
    "falcon",
    "bloom",
    "falcon, alibi",
    "gpt_neo",
    "t5",
)
WITH_STATES = ("lfm2", "qwen3_next", "mamba", "rwkv", "xlstm", "deepseek_v32")
UNDRAFTED = ("recurrent_gemma", "moshi", "cpmant")
PAGE = Path(__file__).parents[3] / "docs" / "families.md"


def model_of(name: str) -> Any:
    of = family(name)
    return build(of.config_class, of.model_class, settings=of.settings)


@pytest.mark.parametrize("name", [*NAMED, *UNDRAFTED, *(pytest.param(name, marks=with_blocks) for name in WITH_STATES)])
def test_a_family_is_what_the_table_says(name: str) -> None:
    """`tried` says "drafted" only where texts are equal and drafts were accepted and rolled back."""
    result = tried(model_of(name))
    assert verdicts(PAGE.read_text())[name, family(name).model_class.__name__] == result.verdict
    assert result.verdict in (("undrafted",) if name in UNDRAFTED else ("drafted",))


@pytest.mark.parametrize("name", ["qwen3_moe", "deepseek_v3", "gpt_oss", "mistral"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_rows_of_a_family_end_where_they_end_in_plain_decoding(name: str, side: str) -> None:
    model = drawn(model_of(name), seed=2)
    assert_accepted_and_rolled_back(
        compare(model, padded_prompts(4, 11, side=side, vocabulary=FIRST_SPECIAL), limits).spec
    )


@pytest.mark.pinned
def test_every_class_that_writes_text_is_in_the_table() -> None:
    listed = {model_class for _, model_class in verdicts(PAGE.read_text())}
    names = [name for mappings in SECTIONS.values() for name in mappings]
    for name in names:
        for classes in getattr(modeling_auto, f"MODEL_FOR_{name}_MAPPING_NAMES").values():
            assert (classes if isinstance(classes, str) else classes[0]) in listed


def test_the_classes_that_are_known_are_those_that_were_drafted_for() -> None:
    assert drafted_classes(PAGE.read_text()) == sorted(known_classes())


def test_nothing_in_the_table_is_wrong() -> None:
    found = set(verdicts(PAGE.read_text()).values())
    assert found <= {"drafted", "undrafted", "refused", "not tried"}
