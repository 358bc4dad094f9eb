"""Chat templates of model families, on pico; and its tokenizer with their markers as special tokens."""

import json
from functools import cache
from typing import Any

from transformers import PreTrainedTokenizerFast

from tests.serve.serving import pico

TURNS = (
    "{{ bos_token }}{% for message in messages %}{{ message.content }}"
    "{% for call in message.tool_calls or [] %}{{ call.function.arguments | tojson }}{% endfor %}"
    "{% if message.role != 'assistant' %}{{ eos_token }}\n### answer\n{% endif %}{% endfor %}"
)
"""As pico's own, but each turn ends with a special token, as in all templates of these families."""

HERMES = (
    TURNS + r"""{# "<tool_call>\n{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call>" #}"""
)
MISTRAL = TURNS + '{# "[TOOL_CALLS] [" #}'
MISTRAL_IDS = TURNS + "{# '[TOOL_CALLS]' name '[CALL_ID]' id '[ARGS]' arguments #}"
MISTRAL_NAMED = TURNS + '{# "[TOOL_CALLS]" name "[ARGS]" arguments #}'
LLAMA = TURNS + """{# '{"name": function name, "parameters": dictionary of argument name and its value}' #}"""
THINKS = TURNS + "{# </think> enable_thinking #}{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"
"""It leaves it to the model to think, unless it is told not to, as Qwen3's does."""
BREAKS = (TURNS + r"{# </think> '\n<think>' #}").replace("### answer\n", "### answer")
"""As THINKS, but the model breaks the line before it thinks, as GLM 4.6 does."""
OPENS = TURNS + "{# </think> #}{{ '<think>\n' }}"
"""It opens the reasoning, as DeepSeek-R1's does."""


@cache
def with_markers(*markers: str) -> tuple[Any, Any]:
    """pico; the last tokens of its tokenizer are these special ones instead."""
    model, own = pico()
    parsed = json.loads(own.backend_tokenizer.to_str())
    vocabulary, merges = parsed["model"]["vocab"], parsed["model"]["merges"]
    texts = {token: text for text, token in vocabulary.items()}
    replaced = {len(texts) - 1 - index: marker for index, marker in enumerate(markers)}
    gone = {texts[token] for token in replaced}
    parsed["model"]["merges"] = [pair for pair in merges if "".join(pair) not in gone and gone.isdisjoint(pair)]
    for token, marker in replaced.items():
        del vocabulary[texts[token]]
        vocabulary[marker] = token
        parsed["added_tokens"].append(
            {
                "id": token, "content": marker, "special": True, "single_word": False, "lstrip": False,
                "rstrip": False, "normalized": False,
            }
        )  # fmt: skip
    return model, PreTrainedTokenizerFast(
        tokenizer_object=own.backend_tokenizer.from_str(json.dumps(parsed)),
        bos_token=own.bos_token,
        eos_token=own.eos_token,
        pad_token=own.pad_token,
    )
