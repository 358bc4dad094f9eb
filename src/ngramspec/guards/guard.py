"""`Guard`: what may come next, compiled once and shared by rows, calls and threads."""

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, SupportsIndex, get_args

from ngramspec.errors import GuardError, GuardWarning, did_you_mean, shortened
from ngramspec.guards import library
from ngramspec.guards.arguments import (
    check_characters,
    check_grammar,
    check_marker,
    check_settings,
    check_text,
    check_written,
    grammar_file_text,
    ids_of,
    warn_of_typos,
    way_out_of,
)
from ngramspec.guards.compiling import compiled
from ngramspec.guards.limits import Limits
from ngramspec.guards.matcher import Matcher
from ngramspec.guards.phases import Compiled, Phased
from ngramspec.guards.processor import GuardProcessor
from ngramspec.guards.schemas import is_type, open_classes, schema_text
from ngramspec.guards.source import Backend, Language, Source, Whitespace, is_gbnf
from ngramspec.guards.vocabulary import Vocabulary
from ngramspec.guards.workers.preparing import Notes

LIMITS = Limits()
"""The default limits of a source."""

_ESCAPES = {ord(sign): f"\\{sign}" for sign in "][(){}.*+?^$|\\/-"}


def _escaped(text: str) -> str:
    """`text` as a regex. It is escaped in pieces, because translating one blocks all other threads."""
    starts = range(0, len(text), 1 << 14)
    return "".join(text[start : start + (1 << 14)].translate(_ESCAPES) for start in starts)


class _InAList:
    """An object that belongs in the list `logits_processor`; passed instead of the list, it raises an error."""

    def __len__(self) -> int:
        """Raises TypeError: transformers calls this if the object was passed instead of a list."""
        raise TypeError(f"logits_processor must be a list, got {self!r}: write [guard]")

    def __bool__(self) -> bool:
        """True, without calling `__len__`."""
        return True


class Guard(_InAList):
    """A constraint on the text: a schema, regex or grammar, compiled for a tokenizer.

    >>> guard = Guard.json_schema(Invoice, tokenizer)                                         # doctest: +SKIP
    >>> model.generate(**inputs, custom_generate=spec, logits_processor=[guard])              # doctest: +SKIP
    >>> model.generate(**inputs, logits_processor=[guard.processor()])                        # doctest: +SKIP

    A guard is immutable, and serves any number of rows, calls and threads. All constructors take a fast tokenizer of
    transformers or a `Vocabulary`, and raise GuardError for what the backend cannot compile.

    The default backend is llguidance, which raises on what it cannot enforce; `backend="xgrammar"` selects xgrammar.
    """

    def __init__(
        self,
        compiled: Compiled,
        description: str,
        source: Source | None = None,
        inner: Source | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        """A guard over a compiled grammar; users call the constructors below.

        source: what it was compiled from; None with markers. inner: the source of the text between markers.
        limits: bound the time of `accepts`.

        Raises TypeError for what no constructor has compiled.
        """
        if not hasattr(compiled, "matcher"):
            raise TypeError(
                f"a guard is made by Guard.json_schema, .regex, .choice, .grammar or .load, got {shortened(compiled)}"
            )
        self._compiled = compiled
        self._description = description
        self.source = source
        self._inner = source or inner
        self._limits = limits

    def __repr__(self) -> str:
        """As error messages name it."""
        return self._description

    def __copy__(self) -> "Guard":
        """Itself: it is immutable, so a copy of a call's arguments can share it."""
        return self

    def __deepcopy__(self, memo: object) -> "Guard":
        """Itself."""
        return self

    def __reduce__(self) -> str:
        """Raises TypeError: a compiled grammar cannot leave its process."""
        raise TypeError(f"a guard must be made in the process that uses it, got {self!r} to pickle: send its source")

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens that it was compiled for."""
        return self._compiled.vocabulary

    @classmethod
    def json_schema(
        cls,
        schema: Any,
        tokenizer: Any,
        *,
        backend: Backend = "llguidance",
        whitespace: Whitespace = "flexible",
        lenient: bool = False,
        limits: Limits = LIMITS,
        cache_salt: str = "",
    ) -> "Guard":
        """JSON that fits `schema`: a dict (or True), JSON text, or a type that pydantic accepts.

        Types are pydantic classes, dataclasses, `TypedDict`, `list[int]`, `int`, `Literal["a", "b"]`, `int | None` and
        so on; a function stands for its arguments.
        Keys come in the order in which the schema declares them. whitespace: between the tokens of JSON. "flexible"
        allows any amount; "spaced" is one space after each colon and comma, as `json.dumps` and most models write it;
        "compact" is none. Any draft from 4 on is supported; the formats that JSON Schema defines are enforced, others
        are annotations. `docs/schemas.md` lists what each backend enforces.

        Warns (GuardWarning) about a class that allows undeclared keys, and about a key that looks like a typo, such as
        "propertes".
        Raises UnsupportedError, which names the keyword and its location, for what the backend would not enforce;
        lenient=True turns that into a GuardWarning.
        """
        if whitespace not in get_args(Whitespace):
            meant = did_you_mean(whitespace, get_args(Whitespace))
            raise ValueError(f"whitespace must be one of {', '.join(get_args(Whitespace))}, got {whitespace!r}{meant}")
        text = schema if isinstance(schema, str) else schema_text(schema)  # untrusted text is read by a worker
        source = Source(Language.JSON_SCHEMA, text, whitespace=whitespace, lenient=lenient)
        guard, notes = cls._of(source, tokenizer, backend, f"Guard.json_schema({shortened(text)})", limits, cache_salt)
        warn_of_typos(notes.typos, open_classes(text) if is_type(schema) else ())
        return guard

    @classmethod
    def regex(
        cls,
        pattern: str,
        tokenizer: Any,
        *,
        backend: Backend = "llguidance",
        limits: Limits = LIMITS,
        cache_salt: str = "",
    ) -> "Guard":
        r"""Text that matches `pattern` as a whole.

        llguidance reads it as Rust's regex crate does: `.` excludes the newline, `\d` and `\w` are Unicode classes, and
        there are no inner anchors, lookaround or back-references. In xgrammar `\d` and `\w` are ASCII classes.

        Raises UnsupportedError for what xgrammar would ignore.
        """
        if not isinstance(pattern, str):
            way_out = (
                ": a compiled pattern has one, .pattern" if isinstance(pattern, re.Pattern) else way_out_of(pattern)
            )
            raise GuardError(f"a regex must be a text, got {shortened(pattern)}{way_out}")
        source = Source(Language.REGEX, pattern)
        return cls._of(source, tokenizer, backend, f"Guard.regex({shortened(pattern)})", limits, cache_salt)[0]

    @classmethod
    def choice(
        cls,
        texts: Iterable[str],
        tokenizer: Any,
        *,
        backend: Backend = "llguidance",
        limits: Limits = LIMITS,
        cache_salt: str = "",
    ) -> "Guard":
        """One of `texts`."""
        choices = list(texts) if isinstance(texts, Iterable) and not isinstance(texts, str) else []
        if not choices or not all(isinstance(text, str) for text in choices):
            way_out = f": write [{shortened(texts)}]" if isinstance(texts, str) else way_out_of(texts)
            raise GuardError(
                f"a choice must be a list of at least one text, got {shortened(choices or texts)}{way_out}"
            )
        source = Source(Language.REGEX, f"({'|'.join(map(_escaped, choices))})")
        return cls._of(source, tokenizer, backend, f"Guard.choice({shortened(choices)})", limits, cache_salt)[0]

    @classmethod
    def grammar(
        cls,
        text: str,
        tokenizer: Any,
        *,
        backend: Backend = "llguidance",
        limits: Limits = LIMITS,
        cache_salt: str = "",
    ) -> "Guard":
        """Text of a context-free grammar: llguidance's Lark, or GBNF, which is recognised by its `::=`.

        GBNF is xgrammar's own notation; for llguidance it is translated to Lark in which each character is a token.
        That has the same meaning, and is slower than Lark with terminals. No file is opened, whatever the text is.

        Raises GuardError, with the backend's message and line, for what it cannot read.
        """
        return cls._grammar(text, f"Guard.grammar({shortened(text)})", tokenizer, backend, limits, cache_salt)

    @classmethod
    def grammar_file(
        cls,
        path: str | Path,
        tokenizer: Any,
        *,
        backend: Backend = "llguidance",
        limits: Limits = LIMITS,
        cache_salt: str = "",
    ) -> "Guard":
        """As `grammar`, from a UTF-8 file.

        Also raises GuardError if it is not a regular file, or is longer than the limits allow.
        """
        text = grammar_file_text(path, limits)
        return cls._grammar(text, f"Guard.grammar_file({str(path)!r})", tokenizer, backend, limits, cache_salt)

    @classmethod
    def load(
        cls,
        name: str,
        tokenizer: Any,
        *,
        backend: Backend = "llguidance",
        limits: Limits = LIMITS,
        cache_salt: str = "",
    ) -> "Guard":
        """A grammar that comes with the package, such as "json", "csv" or "sql-select": see `grammars/README.md`.

        Raises GuardError, which lists the names, for an unknown `name`.
        """
        return cls._of(library.source(name), tokenizer, backend, f"Guard.load({name!r})", limits, cache_salt)[0]

    @classmethod
    def _grammar(
        cls, text: str, description: str, tokenizer: Any, backend: Backend, limits: Limits, cache_salt: str
    ) -> "Guard":
        check_grammar(text)
        source = Source(Language.GBNF if is_gbnf(text) else Language.LARK, text)
        return cls._of(source, tokenizer, backend, description, limits, cache_salt)[0]

    @classmethod
    def _of(
        cls, source: Source, tokenizer: Any, backend: Backend, description: str, limits: Limits, cache_salt: str
    ) -> "tuple[Guard, Notes]":
        check_characters(f"a {source.language}", source.text)
        check_settings(limits, cache_salt)
        source = replace(source, salt=cache_salt)
        made = compiled(source, Vocabulary.of(tokenizer), backend, limits)
        for message in made.notes.left_out:  # each time: a caller may not have seen an earlier warning
            warnings.warn(f"{backend} leaves out of the {source.language}: {message}", GuardWarning, stacklevel=3)
        return cls(made.compiled, description, source, limits=limits), made.notes

    def after(self, marker: str, *, opening: str | None = None, max_tokens: int | None = None) -> "Guard":
        """Free text up to the first `marker`, for instance "</think>", and right after it this guard.

        The marker may be inside a token, or be the name of a special token. The row cannot end before it.
        A marker in the last turn of the prompt counts too if only blanks, or the beginning of a guarded text, follow
        it there: a chat template may close the reasoning. A prompt may also end within the marker.
        opening: for instance "<think>", for models that decide by themselves whether to reason. An answer that begins
        with it is free up to the marker; any other answer fits this guard from its first byte on. A prompt that ends
        with the opening, or with blanks after it, has opened the free text.
        max_tokens: a budget for the reasoning. After this many emitted tokens the marker is forced, as the tokenizer
        tokenises it. `accepts` and `legal_head` see no tokens, and count none.
        """
        check_marker("marker", marker)
        if max_tokens is not None and (
            not isinstance(max_tokens, int) or isinstance(max_tokens, bool) or max_tokens < 0
        ):
            raise GuardError(f"max_tokens must be a whole number of tokens from 0 on, got {shortened(max_tokens)}")
        if opening is not None:
            check_marker("opening", opening)
        phased = Phased(self._compiled, marker, None, max_tokens, opening or "")
        if max_tokens is not None:
            check_written(phased.start, self.vocabulary)
        options = "" if opening is None else f", opening={opening!r}"
        options += "" if max_tokens is None else f", max_tokens={max_tokens}"
        return Guard(phased, f"{self!r}.after({marker!r}{options})", inner=self._inner, limits=self._limits)

    def between(self, start: str, end: str) -> "Guard":
        """Free text outside, this guard between `start` and `end`, any number of times.

        Once the guarded text is complete, the first `end` closes it. The row can only end in free text.
        A `start` in the prompt counts as for `after`.
        """
        check_marker("start", start)
        check_marker("end", end)
        if isinstance(self._compiled, Phased) and self._compiled.most_free is not None:
            raise GuardError(
                f"max_tokens must count from the start of an answer, got {self!r} inside between(): call after() last"
            )
        return Guard(
            Phased(self._compiled, start, end),
            f"{self!r}.between({start!r}, {end!r})",
            inner=self._inner,
            limits=self._limits,
        )

    def matcher(self, eos_tokens: Iterable[int] | None = None, *, prompt: Sequence[int] = ()) -> Matcher:
        """A fresh matcher, in its start state; eos_tokens: the ids that end a row, default: the tokenizer's own.

        prompt: `int64[P]`, the row's prompt, which is searched for markers.
        """
        matcher = self._compiled.matcher(self.vocabulary.eos_tokens if eos_tokens is None else ids_of(eos_tokens))
        matcher.source = self._inner
        matcher.read_prompt(prompt)
        return matcher

    def accepts(self, text: str) -> bool:
        """Whether `text` is complete and fits, however it is tokenised; False with an unpaired surrogate.

        Raises GuardError if the backend cannot tell within the limits.
        """
        check_text(text)
        try:
            raw = text.encode()
        except UnicodeEncodeError:
            return False
        return self.matcher(())._read(raw, self._limits.max_seconds) == (len(raw), True)

    def legal_head(self, text: str) -> int:
        """How many bytes of `text`, in UTF-8, the guard allows before the first violation.

        Raises GuardError if the backend cannot tell within the limits.
        """
        check_text(text)
        raw = text.encode(errors="surrogatepass")  # an unpaired surrogate violates every guard
        return self.matcher(())._read(raw, self._limits.max_seconds)[0]

    def processor(self, eos_token_id: SupportsIndex | Iterable[SupportsIndex] | None = None) -> GuardProcessor:
        """A logits processor for one plain `generate()` call; see `GuardProcessor`."""
        return RowGuards([self]).processor(eos_token_id)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Raises GuardError: a guard masks inside a Speculator; plain decoding needs its `processor()`."""
        raise GuardError(
            f"a guard must be used with custom_generate=ngramspec.Speculator(), got {self!r} in plain generate():"
            " pass guard.processor() there"
        )

    @staticmethod
    def per_row(guards: "Sequence[Guard | None]") -> "RowGuards":
        """One guard per row of a batch, None for a free row; pass it where a guard is expected."""
        return RowGuards(guards)


class RowGuards(_InAList):
    """A guard for each row of a batch, or one for all."""

    def __init__(self, guards: Sequence[Guard | None]) -> None:
        """guards: one per prompt; each serves all sequences returned for its prompt.

        Raises TypeError unless it is a list of guards, or None for free rows, that is not empty.
        """
        if isinstance(guards, Guard) or not isinstance(guards, Iterable):
            raise TypeError(f"rows must each have a Guard or None, in a list, got {shortened(guards)}")
        guards = tuple(guards)
        wrong = [guard for guard in guards if not (guard is None or isinstance(guard, Guard))]
        if wrong or not guards:
            raise TypeError(f"rows must each have a Guard or None, got {shortened(wrong[0] if wrong else guards)}")
        self.guards = guards

    def __repr__(self) -> str:
        """As error messages name it."""
        return f"Guard.per_row({list(self.guards)!r})" if len(self.guards) > 1 else repr(self.guards[0])

    def matchers(
        self, prompts: Sequence[Sequence[int]], eos_tokens: Iterable[int] | None, num_returned: int | None = None
    ) -> list[Matcher | None]:
        """A fresh matcher for each row of a batch, None for a free row.

        prompts: `int64[B, P]`, as the model gets them. num_returned: sequences returned per prompt, if known.

        Raises GuardError unless each prompt has a guard.
        """
        num_rows = len(prompts)
        copies, left_over = divmod(num_rows, len(self.guards))
        is_known = num_returned is not None and len(self.guards) > 1
        if left_over or not copies or (is_known and copies != num_returned):
            raise GuardError(
                f"a batch needs a guard per prompt, got {len(self.guards)} guards for {num_rows} rows"
                + (f", {num_returned} for each prompt" if is_known and num_returned != 1 else "")
            )
        ends = None if eos_tokens is None else tuple(eos_tokens)
        guards = [guard for guard in self.guards for _ in range(copies)]
        return [
            None if guard is None else guard.matcher(ends, prompt=prompt)
            for guard, prompt in zip(guards, prompts, strict=True)
        ]

    def processor(self, eos_token_id: SupportsIndex | Iterable[SupportsIndex] | None = None) -> GuardProcessor:
        """A logits processor for one plain `generate()` call; see `GuardProcessor`."""
        return GuardProcessor(self, None if eos_token_id is None else ids_of(eos_token_id))

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Raises GuardError; see `Guard.__call__`."""
        raise GuardError(
            f"guards must be used with custom_generate=ngramspec.Speculator(), got {self!r} in plain generate():"
            " pass their processor() there"
        )
