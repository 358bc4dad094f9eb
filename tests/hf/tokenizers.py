"""A tokenizer of single characters, built in memory."""

import functools
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tests.hf.models import EOS, PAD

PAD_TEXT, EOS_TEXT = "<pad>", "<end>"


@functools.cache
def character_tokenizer(alphabet: str) -> Any:
    """One token per character, after padding (id 0) and end of sequence (id 1)."""
    tokens = [PAD_TEXT, EOS_TEXT, *alphabet]
    raw = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token=PAD_TEXT, eos_token=EOS_TEXT)
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (PAD, EOS)
    return tokenizer
