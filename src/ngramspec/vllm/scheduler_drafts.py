"""Drafts for the requests of vLLM's scheduler."""

from dataclasses import replace
from typing import Any

from ngramspec.guards import Vocabulary
from ngramspec.vllm import requests
from ngramspec.vllm.counts import EngineCounts, counts_file, counts_of, publish
from ngramspec.vllm.drafting import Drafting
from ngramspec.vllm.history_file import Saving, kept_drafter
from ngramspec.vllm.pass_room import room_for_drafts
from ngramspec.vllm.periodic import PeriodicJob, PeriodicThread
from ngramspec.vllm.rows import EngineRow
from ngramspec.vllm.settings import Settings
from ngramspec.vllm.trouble import Trouble


class SchedulerDrafts:
    """Drafts for the requests of one scheduler. Only its constructor raises.

    drafting: the rows, by request. periodic_thread: saves history and counters. trouble: counts errors.

    Raises at construction: ValueError for unknown settings, HistoryError or OSError for the history file.
    """

    def __init__(self, scheduler: Any) -> None:
        config, manager = scheduler.vllm_config, scheduler.structured_output_manager
        index = config.parallel_config.data_parallel_index
        self.trouble = Trouble()
        self._settings = Settings.of(config.additional_config).of_engine(index)
        vocabulary = _vocabulary(manager, self.trouble)
        history, fingerprint = self._settings.history, "" if vocabulary is None else vocabulary.fingerprint
        if history is not None and vocabulary is None:
            raise ValueError(f"a history needs a tokenizer whose tokens are known as bytes, got none for {history}")
        drafter = kept_drafter(history, fingerprint)
        self.drafting = Drafting(
            drafter,
            self.trouble,
            max_draft_tokens=scheduler.num_spec_tokens,
            vocabulary=config.model_config.get_vocab_size(),
        )
        self._forms = requests.Forms(manager, vocabulary)
        self._max_model_len = scheduler.max_model_len
        self._started: dict[int, float] = {}
        self._failed: set[str] = set()
        self._file, self._told = counts_file(config.instance_id, index), EngineCounts({}, {}, 0)
        jobs = [PeriodicJob("telling counters", self._tell)]
        if history is not None:
            saving = Saving(lambda: drafter.save(history, fingerprint), self._num_requests, self._is_idle)
            jobs.append(PeriodicJob("saving the history", saving.work))
        self.periodic_thread = PeriodicThread(jobs, self.trouble)

    def started(self, output: Any) -> None:
        """vLLM has scheduled the next pass."""
        self._started[id(output)] = self.drafting.clock()
        for new in output.scheduled_new_reqs:
            self.drafting.expect(new.req_id)

    def passed(self, output: Any, result: Any) -> None:
        """The pass has ended; vLLM has not processed its tokens yet."""
        seconds = self.drafting.clock() - self._started.pop(id(output), self.drafting.clock())
        try:
            num_emitted = sum(map(len, result.sampled_token_ids))
            verified = output.scheduled_spec_decode_tokens
            self.drafting.passed(output.num_scheduled_tokens, verified, num_emitted, seconds)
        except Exception as error:
            self.trouble.note("a pass was not counted", error)

    def instead_of(self, given: Any, scheduler: Any) -> Any:
        """A copy of vLLM's drafts, replaced by ours: the worker may hand over the same object again."""
        drafts: list[list[int]] = [[] for _ in given.req_ids]
        known = scheduler.requests
        followed = [
            position
            for position, key in enumerate(given.req_ids)
            if requests.is_decoding(known.get(key)) and self._is_followed(known[key])
        ]
        try:
            keys = [given.req_ids[position] for position in followed]
            made = self.drafting.draft(keys, room_for_drafts(scheduler))
            for position, draft in zip(followed, made, strict=True):
                drafts[position] = draft
        except Exception as error:
            self.trouble.note("a pass was not drafted for", error)
        return replace(given, draft_token_ids=drafts)

    def freed(self, request: Any) -> None:
        """The request has ended, for whatever reason."""
        key = request.request_id
        self._failed.discard(key)
        row = self.drafting.rows.get(key)
        if row is None:
            self.drafting.forget(key)
            return
        try:
            row.release()
            if tokens := requests.tokens_from(request, row.num_read):
                row.read(tokens, 0)
            self.drafting.close(key, self._forms.outcome(request))
        except Exception as error:
            self.trouble.note("a request was not kept", error)
            self.drafting.forget(key)

    def close(self) -> None:
        """The engine ends: save the history, and remove the file of counters."""
        self.periodic_thread.stop()
        self._file.unlink(missing_ok=True)

    def _is_followed(self, request: Any) -> bool:
        """Make the request's row read the tokens that vLLM has emitted; returns False if it is not drafted for."""
        key = request.request_id
        if key in self._failed:
            return False
        try:
            self._follow(request)
        except Exception as error:
            self.trouble.note("a request is not drafted for any more", error)
            self._failed.add(key)
            self.drafting.forget(key)
            return False
        return True

    def _follow(self, request: Any) -> None:
        row = self._row(request)
        tokens = requests.tokens_from(request, row.num_read)
        if not tokens:
            return
        row.read(tokens, requests.num_remaining(request, self._max_model_len))
        if row.awaits_form and not self._forms.is_free(request):
            row.awaits_form = False
            self._steer(row, request, tokens)

    def _row(self, request: Any) -> EngineRow:
        key, rows = request.request_id, self.drafting.rows
        if key in rows and rows[key].prompt.size != request.num_prompt_tokens:  # the next turn of a session
            self.drafting.close(key)
        if key in rows:
            return rows[key]
        segment, is_name = requests.segment_of(request, self._settings.segment)
        if not is_name:
            self.trouble.note("a segment in vllm_xargs must be text of 1 to 1024 characters, got another")
        prompt = requests.prompt_of(request)
        return self.drafting.open(key, prompt, segment=segment, cache_salt=request.cache_salt or None)

    def _steer(self, row: EngineRow, request: Any, tokens: list[int]) -> None:
        try:
            follower = self._forms.follower(request)
            if follower is not None:
                row.steer(follower, tokens, request.sampling_params.eos_token_id)
        except Exception as error:
            row.unsteer(error)

    def _num_requests(self) -> int:
        return self.drafting.stats.total.requests

    def _is_idle(self) -> bool:
        return not self.drafting.rows

    def _tell(self, is_last: bool) -> None:
        counts = counts_of(self.drafting, self.trouble.num_errors)
        if counts != self._told:
            publish(self._file, counts)
            self._told = counts


def _vocabulary(manager: Any, trouble: Trouble) -> Vocabulary | None:
    """The vocabulary of the tokenizer that vLLM's grammars use; None if there is none, or its tokens are unknown."""
    tokenizer = getattr(manager, "tokenizer", None)
    if tokenizer is None:
        return None
    try:
        return Vocabulary.of(tokenizer)
    except TypeError as error:
        trouble.note("drafts are not steered", error)
        return None
