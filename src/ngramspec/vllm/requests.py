"""What is read of vLLM's requests: the one module, with the scheduler, that knows vLLM."""

import json
from typing import Any

import numpy as np

from ngramspec.drafting import TokenArray, salted
from ngramspec.guards import Follower, LLGuidanceFollower, Vocabulary, XGrammarFollower
from ngramspec.guards.source import Language, Source, is_gbnf
from ngramspec.stats import GuardOutcome

MOST_CHARACTERS = 1024
"""Of a segment's name: names are kept in memory, and clients choose them."""


def tokens_from(request: Any, start: int) -> list[int]:
    """The tokens of prompt and answer from `start` on, as a list of its own."""
    return list(request.all_token_ids[start:])


def prompt_of(request: Any) -> TokenArray:
    """The prompt `int32[P]`, whose tokens may be placeholders of embeddings: those are looked up in vain."""
    return np.array(request.all_token_ids[: request.num_prompt_tokens], np.int32)


def segment_of(request: Any, default: str | None) -> tuple[str | None, bool]:
    """The segment that a request names in `vllm_xargs`, or `default`; and whether what it names may be one."""
    arguments = getattr(request.sampling_params, "extra_args", None) or {}
    given = arguments.get("segment")
    if given is None:
        return default, True
    is_name = isinstance(given, str) and 0 < len(given) <= MOST_CHARACTERS
    return (given, True) if is_name and _is_plain(given) else (None, False)


def _is_plain(name: str) -> bool:
    try:
        return salted(name, None) == name
    except ValueError:  # it would be the key of a tenant's segment
        return False


def num_remaining(request: Any, max_model_len: int) -> int:
    """Tokens that the answer may still get."""
    return min(int(request.max_tokens - request.num_output_tokens), int(max_model_len - request.num_tokens))


def is_decoding(request: Any) -> bool:
    """Whether the next pass of this request may check a draft. request: None if it is over."""
    return request is not None and not request.is_finished() and not request.is_prefill_chunk


class Forms:
    """Matchers of ours on the grammars of vLLM's manager of structured outputs."""

    def __init__(self, manager: Any, vocabulary: Vocabulary | None) -> None:
        """vocabulary: of the model's tokenizer; None if that does not tell the bytes of its tokens."""
        self._manager, self._vocabulary = manager, vocabulary

    def is_free(self, request: Any) -> bool:
        """Whether its text is free now, for good or until its reasoning ends; or is steered by nobody."""
        asked = request.structured_output_request
        if asked is None or self._vocabulary is None:
            return True
        has_gate = self._manager.reasoner_cls is not None and not self._manager.enable_in_reasoning
        return has_gate and not asked.reasoning_ended

    def follower(self, request: Any) -> Follower | None:
        """A matcher on its grammar; None for a backend of vLLM's whose state cannot be copied, or unknown tokens."""
        asked = request.structured_output_request
        grammar, ends = asked.grammar, request.sampling_params.all_stop_token_ids
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
        follower.source = source_of(asked.params, request.cache_salt or "", is_compact=is_compact)
        return follower

    def outcome(self, request: Any) -> GuardOutcome | None:
        """How the text of a request that is over ended; None where no grammar has guarded it."""
        asked = request.structured_output_request
        if asked is None or not hasattr(asked.grammar, "is_terminated"):  # it may not have been compiled
            return None
        if request.status.name == "FINISHED_ERROR":  # its grammar has rejected a token
            return GuardOutcome.FAILED
        if asked.grammar.is_terminated():
            return GuardOutcome.COMPLETE
        follower = None if self.is_free(request) else self.follower(request)
        is_complete = follower is not None and follower.matcher.accepting()
        return GuardOutcome.COMPLETE if is_complete else GuardOutcome.CUT_OFF


def source_of(asked: Any, salt: str, *, is_compact: bool) -> Source | None:
    """What a request's `structured_outputs` are compiled from, where we know the language."""
    if asked.json is not None or asked.json_object:
        schema = {"type": "object"} if asked.json is None else asked.json
        text = schema if isinstance(schema, str) else json.dumps(schema)
        return Source(Language.JSON_SCHEMA, text, "compact" if is_compact else "flexible", salt=salt)
    if asked.regex is not None:
        return Source(Language.REGEX, asked.regex, salt=salt)
    if asked.grammar is not None:
        language = Language.GBNF if is_gbnf(asked.grammar) else Language.LARK
        return Source(language, asked.grammar, salt=salt)
    return None
