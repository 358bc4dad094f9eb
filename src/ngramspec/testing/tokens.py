"""A vocabulary as data: single bytes, and further tokens."""

from dataclasses import dataclass

from ngramspec.guards import Vocabulary

PAD = b"<pad>"
ENDS = (b"<end>", b"</s>", b"<eot>")


@dataclass(frozen=True, slots=True)
class Tokens:
    """A vocabulary as data, so that a failure can print it.

    merged: tokens besides the bytes. special: special tokens by name, padding first. ends: names of ends of sequence.
    missing: bytes without a token. turned: by how many ids the list is rotated.
    """

    merged: tuple[bytes, ...] = ()
    special: tuple[bytes, ...] = (PAD,)
    ends: tuple[bytes, ...] = (ENDS[0],)
    missing: bytes = b""
    turned: int = 0

    def vocabulary(self) -> Vocabulary:
        """The vocabulary."""
        single = [bytes([byte]) for byte in range(256) if byte not in self.missing]
        names = [*self.special, *self.ends]
        text = [*single, *self.merged]
        texts = [*text, *names]
        turn = self.turned % len(texts)
        ids = [(index - turn) % len(texts) for index in range(len(text), len(texts))]
        special, ends = ids[: len(self.special)], ids[len(self.special) :]
        return Vocabulary([*texts[turn:], *texts[:turn]], special=special, eos_tokens=ends)
