"""Proposers for vLLM's workers (`custom_class`), which see only tokens: no names, parameters or grammars."""

from collections.abc import Sequence
from typing import Any

from ngramspec.drafting import AdaptiveLookup, TokenArray
from ngramspec.vllm.drafting import Drafting
from ngramspec.vllm.same_rows import SameRows
from ngramspec.vllm.settings import Settings
from ngramspec.vllm.trouble import Trouble


class NullProposer:
    """Drafts nothing: the worker's side when the scheduler drafts."""

    def __init__(self, vllm_config: Any) -> None:
        """vllm_config: vLLM's; not used."""

    def load_model(self, *arguments: Any, **named: Any) -> None:
        """Do nothing; vLLM calls it."""

    def propose(self, sampled_token_ids: Sequence[Sequence[int]], *arguments: Any, **named: Any) -> list[list[int]]:
        """An empty draft for each row."""
        return [[] for _ in sampled_token_ids]


class Proposer(NullProposer):
    """Drafts if vLLM's scheduler cannot be replaced: blindly, from the row's own text.

    Without names, tenants cannot be told apart. So no row is kept, unless the settings name a segment for all.

    Raises ValueError for unknown settings at construction, and nothing later.
    """

    def __init__(self, vllm_config: Any) -> None:
        """vllm_config: has a speculative_config, and may have settings in additional_config."""
        self._max_tokens = vllm_config.model_config.max_model_len
        self._segment = Settings.of(vllm_config.additional_config).segment
        self.trouble = Trouble()
        self.drafting = Drafting(
            AdaptiveLookup(),
            self.trouble,
            max_draft_tokens=vllm_config.speculative_config.num_speculative_tokens,
            vocabulary=vllm_config.model_config.get_vocab_size(),
        )
        self._rows = SameRows()
        self._drafts: dict[int, list[int]] = {}
        self._returned = 0.0

    def propose(
        self,
        sampled_token_ids: Sequence[Sequence[int]],
        num_tokens_no_spec: TokenArray | None = None,
        token_ids_cpu: TokenArray | None = None,
        *arguments: Any,
        **named: Any,
    ) -> list[list[int]]:
        """A draft for each row `i`, whose text is `token_ids_cpu[i, :num_tokens_no_spec[i]]`.

        sampled_token_ids: tokens that this pass emitted; none for a row whose prompt is still being read.
        """
        drafts: list[list[int]] = [[] for _ in sampled_token_ids]
        try:
            self._propose(sampled_token_ids, num_tokens_no_spec, token_ids_cpu, drafts)
        except Exception as error:
            self.trouble.note("a pass was not drafted for", error)
            self._restart()
        self._returned = self.drafting.clock()
        return drafts

    def _propose(self, sampled: Any, sizes: Any, tokens: Any, drafts: list[list[int]]) -> None:
        seconds = self.drafting.clock() - self._returned
        self._rows.begin(len(sampled))
        keys: dict[int, int] = {}  # by position
        news: dict[int, TokenArray] = {}
        for position, new in enumerate(sampled):
            text = tokens[position, : int(sizes[position])]
            if len(new) and text.size < self._max_tokens:
                row = self._rows.at(position, text)
                if row.key not in self.drafting.rows:
                    row.size = 0
                    self.drafting.open(row.key, row.take(text[: text.size - len(new)]), segment=self._segment)
                keys[position], news[row.key] = row.key, row.take(text)
        self._count(news, len(sampled), seconds)
        for key, new in news.items():
            drafted = self.drafting.rows[key]
            drafted.read(new.tolist(), self._max_tokens - drafted.num_read - new.size)
        for key in self._rows.over:
            if key in self.drafting.rows:
                self.drafting.close(key)
        self._rows.over.clear()
        for position, draft in zip(keys, self.drafting.draft(list(keys.values())), strict=True):
            drafts[position] = draft
        self._drafts = {key: drafts[position] for position, key in keys.items()}

    def _count(self, news: dict[int, TokenArray], num_rows: int, seconds: float) -> None:
        """Count the pass whose tokens are `news`, if all of its rows decoded and were in the pass before."""
        verified = {key: self._drafts[key] for key in news if self._drafts.get(key)}
        if len(news) == num_rows and all(key in self._drafts for key in news):
            scheduled = {key: 1 + len(verified.get(key, ())) for key in news}
            self.drafting.passed(scheduled, verified, sum(new.size for new in news.values()), seconds)
        else:
            self.drafting.passed({}, verified, 0, seconds)

    def _restart(self) -> None:
        """Drop all rows: they will be read again."""
        self.drafting.rows.clear()
        self._rows, self._drafts = SameRows(), {}
