"""A test for your own suite: on this model and these prompts, speculation's text is plain generate()'s."""

import ngramspec
from ngramspec.pico import repeat_prompt
from ngramspec.testing import check_equivalence

PROMPTS = [repeat_prompt("The parcel left on Monday. It arrives on Friday."), "Once upon a time"]


def test_speculation_changes_no_text() -> None:
    model, tokenizer = ngramspec.load_pico()  # yours; in float64 there are no near-ties
    report = check_equivalence(model, tokenizer(PROMPTS)["input_ids"], max_new_tokens=24, batch=2)
    assert report.finding in ("identical", "near-tie"), str(report)
    for mode in report.modes:  # greedy and sampled, each prompt alone and in batches
        print(mode)


test_speculation_changes_no_text()  # pytest calls it; here it runs as a program
