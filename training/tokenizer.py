"""A byte-level BPE tokenizer in which a name is the same tokens wherever it stands.

Nothing merges across a space, a quote, a digit or the border of a word: `` foo``, ``"foo`` and ``foo`` share the token
``foo``. Copying then needs no change of tokens, and n-gram lookup finds the name behind whatever precedes it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from .corpus import functions, paragraphs
from .tasks import TASKS

VOCABULARY_SIZE = 1024
BOS, EOS, PAD = "<s>", "</s>", "<pad>"
# A word (camelCase splits at its humps), one digit, a line break and the indentation behind it, spaces, one character.
PIECES = r"\p{Lu}?\p{Ll}+|\p{Lu}+(?!\p{Ll})|\p{L}+|\p{N}|\n[ \t]*| +|[^\p{L}\p{N} \n]"


def train_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """Train on functions, docstrings and examples of the training side."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(random.Random(seed)), trainer)
    specials = [(BOS, tokenizer.token_to_id(BOS))]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=specials)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        padding_side="left",
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )


def _texts(rng: random.Random) -> Iterator[str]:
    for function in functions(held_back=False):
        yield function.source
    yield from paragraphs(held_back=False)
    for task in TASKS.values():
        for _ in range(2000):
            example = task(rng, held_back=False)
            yield example.prompt + example.answer
