"""Reads vLLM's requests. Only this module and the scheduler's know vLLM."""

import json
from typing import Any

import numpy as np

from ngramspec.drafting import TokenArray, salted
from ngramspec.guards import Follower, LLGuidanceFollower, Vocabulary, XGrammarFollower
from ngramspec.guards.source import Language, Source, is_gbnf
from ngramspec.stats import GuardOutcome

MOST_CHARACTERS = 1024
"""Most characters of a segment's name: names are kept in memory, and clients choose them."""


def tokens_from(request: Any, start: int) -> list[int]:
    """The tokens of prompt and answer from `start` on, as a new list."""
    return list(request.all_token_ids[start:])


def prompt_of(request: Any) -> TokenArray:
    """The prompt `int32[P]`. Its tokens may be placeholders for embeddings, which no lookup matches."""
    return np.array(request.all_token_ids[: request.num_prompt_tokens], np.int32)


def segment_of(request: Any, default: str | None) -> tuple[str | None, bool]:
    """The segment that a request names in `vllm_xargs`, or `default`; and whether that is a valid name."""
    arguments = getattr(request.sampling_params, "extra_args", None) or {}
    given = arguments.get("segment")
    if given is None:
        return default, True
    is_name = isinstance(given, str) and 0 < len(given) <= MOST_CHARACTERS
    return (given, True) if is_name and _is_plain(given) else (None, False)


def _is_plain(name: str) -> bool:
    try:
        return salted(name, None) == name
    except ValueError:  # it would collide with a tenant's segment
        return False


def num_remaining(request: Any, max_model_len: int) -> int:
    """Tokens that the answer may still get."""
    return min(int(request.max_tokens - request.num_output_tokens), int(max_model_len - request.num_tokens))


def is_decoding(request: Any) -> bool:
    """Whether the next pass of this request may verify a draft. request: None if it has ended."""
    return request is not None and not request.is_finished() and not request.is_prefill_chunk


class Forms:
    """Our matchers on the grammars of vLLM's structured output manager."""

    def __init__(self, manager: Any, vocabulary: Vocabulary | None) -> None:
        """vocabulary: of the model's tokenizer; None if that does not reveal the bytes of its tokens."""
        self._manager, self._vocabulary = manager, vocabulary

    def is_free(self, request: Any) -> bool:
        """Whether no grammar applies now, ever or until its reasoning ends; or none can be followed."""
        structured = request.structured_output_request
        if structured is None or self._vocabulary is None:
            return True
        has_gate = self._manager.reasoner_cls is not None and not self._manager.enable_in_reasoning
        return has_gate and not structured.reasoning_ended

    def follower(self, request: Any) -> Follower | None:
        """A matcher on its grammar; None if the backend's state cannot be copied, or the vocabulary is unknown."""
        structured = request.structured_output_request
        grammar, ends = structured.grammar, request.sampling_params.all_stop_token_ids
        if self._vocabulary is None:
            return None
        follower: XGrammarFollower | LLGuidanceFollower
        if hasattr(getattr(grammar, "matcher", None), "fork"):
            follower = XGrammarFollower(grammar.matcher.fork, self._vocabulary, ends)
        elif hasattr(getattr(grammar, "ll_matcher", None), "deep_copy"):
            copy = grammar.ll_matcher.deep_copy
            follower = LLGuidanceFollower(copy, self._vocabulary, ends, grammar.ll_tokenizer)
        else:
            return None
        is_compact = self._manager.vllm_config.structured_outputs_config.disable_any_whitespace
        follower.source = source_of(structured.params, request.cache_salt or "", is_compact=is_compact)
        return follower

    def outcome(self, request: Any) -> GuardOutcome | None:
        """How the text of a request that has ended came to its end; None if no grammar guarded it."""
        structured = request.structured_output_request
        # The grammar may not have been compiled.
        if structured is None or not hasattr(structured.grammar, "is_terminated"):
            return None
        if request.status.name == "FINISHED_ERROR":  # its grammar rejected a token
            return GuardOutcome.FAILED
        if structured.grammar.is_terminated():
            return GuardOutcome.COMPLETE
        follower = None if self.is_free(request) else self.follower(request)
        is_complete = follower is not None and follower.matcher.accepting()
        return GuardOutcome.COMPLETE if is_complete else GuardOutcome.CUT_OFF


def source_of(outputs: Any, salt: str, *, is_compact: bool) -> Source | None:
    """The source of a request's `structured_outputs`; None if we do not know the language."""
    if outputs.json is not None or outputs.json_object:
        schema = {"type": "object"} if outputs.json is None else outputs.json
        text = schema if isinstance(schema, str) else json.dumps(schema)
        return Source(Language.JSON_SCHEMA, text, "compact" if is_compact else "flexible", salt=salt)
    if outputs.regex is not None:
        return Source(Language.REGEX, outputs.regex, salt=salt)
    if outputs.grammar is not None:
        language = Language.GBNF if is_gbnf(outputs.grammar) else Language.LARK
        return Source(language, outputs.grammar, salt=salt)
    return None
