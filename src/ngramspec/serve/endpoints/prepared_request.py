"""A request, ready to be decoded: its prompts as tokens, and its jobs."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ngramspec.drafting import salted
from ngramspec.guards import Guard
from ngramspec.serve.endpoints.origins import Origins, texts_of
from ngramspec.serve.endpoints.sampling import sampling_arguments, score_processors, seed_of
from ngramspec.serve.endpoints.served_model import ServedModel
from ngramspec.serve.engine.job import Job
from ngramspec.serve.engine.logprobs import Logprobs
from ngramspec.serve.engine.stop_text import StopText
from ngramspec.serve.structure.guards import guard_of
from ngramspec.serve.text.answer_text import AnswerText
from ngramspec.serve.text.chats import ChatPrompt, text_of_content
from ngramspec.serve.text.parts_reader import PartsReader
from ngramspec.serve.wire.errors import invalid
from ngramspec.serve.wire.requests import TextRequest

SAMPLES = "samples of "
"""Prefix of the names of histories that the answers to one prompt share."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The prompt of an answer.

    ends: further ends of sequence. echo: a text to put before the answer. chat: how to split the answer into parts, if
    the prompt is a chat's.
    """

    ids: list[int]
    ends: list[int] = field(default_factory=list)
    echo: str = ""
    chat: ChatPrompt | None = None


@dataclass(frozen=True, slots=True)
class AnswerLimit:
    """The most tokens of an answer, None for as many as possible.

    param: the field that sets it. prompt_param: the field with the prompt.
    """

    num_tokens: int | None
    param: str
    prompt_param: str


@dataclass(frozen=True, slots=True)
class Tenant:
    """The tenant of a request; its name is None if the service has no keys."""

    name: str | None = None

    def salt(self, cache_salt: str | None) -> str | None:
        """The salt that separates the request's history, prefixes and guards from those of others."""
        if self.name is None:
            return cache_salt
        return f"{len(self.name)}:{self.name}{'' if cache_salt is None else cache_salt}"


class PreparedRequest:
    """A request whose texts are tokenised.

    prompts: each gets `request.n` answers, which are numbered consecutively. prediction: its tokens, if there is one.
    """

    def __init__(
        self,
        request: TextRequest,
        prompts: Sequence[Prompt],
        limit: AnswerLimit,
        num_top: int | None,
        served: ServedModel,
        tenant: Tenant,
    ) -> None:
        """limit: of each answer. num_top: how many of the likeliest tokens to list; None for no log probabilities.

        Raises ApiError if the request cannot be served.
        """
        self.request, self.prompts, self.served = request, list(prompts), served
        self.num_top = num_top
        self._salt = tenant.salt(request.cache_salt)
        self._histories = [_history(request, prompt, self._salt) for prompt in self.prompts]
        self._most = [_most_tokens(len(prompt.ids), limit, served) for prompt in self.prompts]
        self._marks = _marks(self.prompts, served)
        self.prediction = _prediction(request, served)
        self._texts = [texts_of(each.ids, self.prediction) if request.includes_drafts else [] for each in self.prompts]
        if num_top is not None:
            served.vocabulary  # noqa: B018 (raises now what it would raise at the first token)

    @property
    def num_answers(self) -> int:
        """Number of answers to all prompts."""
        return len(self.prompts) * self.request.n

    @property
    def num_prompt_tokens(self) -> int:
        """Number of tokens of all prompts."""
        return sum(len(prompt.ids) for prompt in self.prompts)

    def text(self, index: int) -> AnswerText:
        """The decoder of an answer's text, with no tokens yet."""
        return AnswerText(self.served.tokenizer, self.stops(index), self.ends(index), self._marks)

    def parts(self, index: int) -> PartsReader | None:
        """Splits an answer into parts; None if all of it is text."""
        chat = self.prompt(index).chat
        if chat is None or (chat.form is None and not chat.may_reason):
            return None
        return PartsReader(chat.form, opening="" if chat.has_reasoned else chat.opening, is_reasoning=chat.is_reasoning)

    def origins(self, index: int, *, has_form: bool) -> Origins | None:
        """Finds where drafted tokens of an answer come from; None if that was not requested."""
        if not self.request.includes_drafts:
            return None
        return Origins(self._texts[index // self.request.n], self.prompt(index).ids, has_form=has_form)

    def stops(self, index: int) -> tuple[str, ...]:
        """Stop strings; the first `len(request.stops)` are the client's."""
        chat = self.prompt(index).chat
        if chat is None or chat.form is None or self.request.may_call_again:
            return self.request.stops
        return (*self.request.stops, *filter(None, [chat.form.closing]))

    def prompt(self, index: int) -> Prompt:
        """The prompt of an answer."""
        return self.prompts[index // self.request.n]

    def ends(self, index: int) -> list[int]:
        """Ends of sequence of an answer."""
        return self.served.eos_tokens + self.prompt(index).ends

    def make_guard(self) -> Guard | None:
        """The guard of the answers, if any. Making it may take as long as the limits allow. Raises ApiError."""
        chat = self.prompts[0].chat
        return guard_of(
            self.request,
            self.served.vocabulary,
            self.served.limits,
            self._salt or "",
            form=None if chat is None else chat.form,
            opening="" if chat is None else chat.opening,
        )

    def jobs(self, owner: Any, guard: Guard | None, deadline: float) -> list[Job]:
        """A job for each answer; owner: receives their news."""
        return [self._job(owner, index, guard, deadline) for index in range(self.num_answers)]

    def _job(self, owner: Any, index: int, guard: Guard | None, deadline: float) -> Job:
        request, served, prompt = self.request, self.served, self.prompt(index)
        ids = torch.tensor([prompt.ids], dtype=torch.long)
        logprobs = None if self.num_top is None else Logprobs(self.num_top)
        guards = [] if guard is None else [guard]
        first = [] if logprobs is None else [logprobs]
        arguments = {
            **sampling_arguments(request, served),
            "max_new_tokens": self._most[index // request.n],
            "eos_token_id": None if request.ignore_eos else self.ends(index),
            "pad_token_id": served.pad_token,
            "repetition_penalty": 1.0,  # a processor does it, after the one that records log probabilities
            "logits_processor": [*first, *score_processors(request, served, ids.shape[1]), *guards],
            "stopping_criteria": [StopText(self.text(index), ids.shape[1])] if self.stops(index) else [],
            "seed": seed_of(request, index),
            "segment": request.segment,
            "cache_salt": self._salt,
            "history": self._histories[index // request.n],
            "references": None if self.prediction is None else [self.prediction],
            "speculate": request.speculate,
        }
        return Job(owner, index, ids, arguments, logprobs, deadline)


def _history(request: TextRequest, prompt: Prompt, salt: str | None) -> str | None:
    """Name of the history that the answers to one prompt share, unless a segment is named; None for a single answer.

    Raises ApiError for an invalid segment.
    """
    try:
        salted(request.segment, salt)
    except ValueError as error:
        raise invalid(str(error), param="metadata.segment") from error
    if request.segment is not None or request.n == 1:
        return None
    return f"{SAMPLES}{hashlib.sha256(np.array(prompt.ids, np.int64).tobytes()).hexdigest()}"


def _most_tokens(prompt_length: int, limit: AnswerLimit, served: ServedModel) -> int:
    """The most tokens of an answer; raises ApiError if the model has no room for them."""
    if not prompt_length:
        raise invalid("a prompt must hold at least one token, got none: write something", param=limit.prompt_param)
    requested, most = limit.num_tokens, served.settings.max_tokens
    if requested is not None and requested > most:
        raise invalid(f"{limit.param} must be at most {most}, got {requested}", param=limit.param)
    positions = served.num_positions
    if positions is None:
        return most if requested is None else requested
    room = positions - prompt_length
    if room < (requested or 1):
        raise invalid(
            f"prompt and answer must fit the model's {positions} tokens, got {prompt_length} in the prompt and"
            f" {requested or 1} to be written: shorten one of them",
            param=limit.param if requested is not None and room > 0 else limit.prompt_param,
            code="context_length_exceeded",
        )
    return min(most, room) if requested is None else requested


def _marks(prompts: Sequence[Prompt], served: ServedModel) -> dict[int, str]:
    """Tokens that separate the parts of answers, by id."""
    known = served.tokenizer.get_vocab()
    markers = {marker for prompt in prompts if prompt.chat is not None for marker in prompt.chat.markers}
    return {known[marker]: marker for marker in markers if marker in known}


def _prediction(request: TextRequest, served: ServedModel) -> list[int] | None:
    if request.prediction is None:
        return None
    text = text_of_content(request.prediction.content)
    ids: list[int] = served.tokenizer(text, add_special_tokens=False).input_ids
    most = served.settings.max_prediction_tokens
    if len(ids) > most:
        raise invalid(f"prediction must have at most {most} tokens, got {len(ids)}: shorten it", param="prediction")
    return ids
