"""Shared vocabularies."""

from ngramspec.guards import Vocabulary

EOS = 256
BYTES = Vocabulary([*(bytes([byte]) for byte in range(256)), b"</s>"], eos_tokens=[EOS])
"""A token for each byte, and an end of sequence."""


def words(*texts: str, special: tuple[str, ...] = (), ends: tuple[str, ...] = ("</s>",)) -> Vocabulary:
    """The bytes, then `texts`, then special tokens and ends, by name."""
    names = [*texts, *special, *ends]
    ids = {name: 256 + index for index, name in enumerate(names)}
    return Vocabulary(
        [*(bytes([byte]) for byte in range(256)), *map(str.encode, names)],
        special=[ids[name] for name in special],
        eos_tokens=[ids[name] for name in ends],
    )


def ids(vocabulary: Vocabulary, *texts: str) -> list[int]:
    """The token of each text; the last one where there are several."""
    return [len(vocabulary) - 1 - vocabulary.tokens[::-1].index(text.encode()) for text in texts]
