"""Requests that come and go: each joins when it arrives, and gets the text that generate() would give it alone."""

import torch

import ngramspec

model, tokenizer = ngramspec.load_pico()
prompts = [
    "### rename value to column\ndef double(value):\n    return value + value\n### answer\n",
    "### rename name to title\ndef greet(name):\n    return 'hello ' + name\n### answer\n",
    "### rename count to total\ndef add(count, step):\n    return count + step\n### answer\n",
]

with ngramspec.ModelEngine(model) as engine:
    answers = {}
    waiting = list(enumerate(prompts))
    while waiting or not engine.is_idle:
        if waiting:  # one more has arrived
            number, prompt = waiting.pop(0)
            ids = tokenizer(prompt, return_tensors="pt").input_ids
            answers[engine.add(ids, max_new_tokens=60, segment="renames")] = number
        for answer in engine.step():
            print(f"request {answers[answer]}:", tokenizer.decode(answer.emitted, skip_special_tokens=True))
    print(engine.spec.stats)

for answer, number in answers.items():
    ids = tokenizer(prompts[number], return_tensors="pt").input_ids
    assert torch.equal(answer.result(), model.generate(ids, max_new_tokens=60))
