"""A vLLM engine in this process, whose drafter can be changed between jobs."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any, NamedTuple

from benchmarks.vllm_requests import SCHEMA, Request
from ngramspec.drafting import AdaptiveLookup
from ngramspec.vllm.drafting import Drafting
from ngramspec.vllm.proposer import NullProposer, Proposer
from ngramspec.vllm.rows import EngineRow
from ngramspec.vllm.trouble import Trouble

MOST = 16
"""Most tokens that our arms draft for a row in a pass."""

OURS = ("blind", "history", "steered")
"""Arms that measure the costs of passes."""

SUFFIX_DEPTH = 24
"""vLLM's default depth of suffix trees, which also bounds their drafts."""


class Ours(Drafting):
    """Drafts with prices in CPU time, in which the arms are measured, too: this machine may have other load."""

    def __init__(self, trouble: Trouble, vocabulary: int) -> None:
        super().__init__(
            AdaptiveLookup(), trouble, max_draft_tokens=MOST, vocabulary=vocabulary, clock=time.process_time
        )

    def restarted(self) -> "Ours":
        """The same without its texts, as after a restart. The costs of passes belong to the machine, and are kept."""
        self._drafter = AdaptiveLookup()
        return self


class Blind(Ours):
    """The same, never steered."""

    def open(self, *arguments: Any, **named: Any) -> EngineRow:
        """See `Drafting`."""
        row = super().open(*arguments, **named)
        row.awaits_form = False
        return row


class Peer(NullProposer):
    """A proposer of vLLM's, wrapped as a `custom_class`."""

    def __init__(self, propose: Callable[..., list[list[int]]]) -> None:
        self._propose = propose

    def propose(self, sampled_token_ids: Any, *arguments: Any, **named: Any) -> list[list[int]]:
        """See `Proposer`."""
        return self._propose(sampled_token_ids, *arguments)


class Arm(NamedTuple):
    """The drafters in the worker and in the scheduler; None for vLLM's own scheduler."""

    proposer: NullProposer
    drafting: Drafting | None = None


@dataclass(slots=True)
class Sums:
    """Sums of an arm in a cell: tokens, passes over a row, jobs, jobs with the text of "none"; CPU seconds by round."""

    tokens: int = 0
    passes: int = 0
    jobs: int = 0
    equal: int = 0
    seconds: list[float] = field(default_factory=list)


class Bench:
    """An engine whose drafter can be changed."""

    def __init__(self, folder: str, max_rows: int) -> None:
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"  # read when vLLM is imported; its engine is inspected
        from vllm import LLM

        self._llm: Any = LLM(
            model=folder,
            dtype="float32",
            enforce_eager=True,
            max_model_len=2048,
            max_num_seqs=max_rows,
            enable_prefix_caching=False,
            scheduler_cls="ngramspec.vllm.Scheduler",
            speculative_config={
                "method": "custom_class",
                "model": "ngramspec.vllm.NullProposer",
                "num_speculative_tokens": SUFFIX_DEPTH,
            },
            structured_outputs_config={"backend": "xgrammar", "disable_any_whitespace": True},
        )
        engine = self._llm.llm_engine
        self._config, self._runner = engine.vllm_config, engine.model_executor.driver_worker.worker.model_runner
        self._scheduler = engine.engine_core.engine_core.scheduler
        self._drafts = self._scheduler.drafts
        self._num_passes = 0
        update = self._scheduler.update_from_output

        def counted(output: Any, result: Any) -> Any:
            self._num_passes += sum(map(bool, result.sampled_token_ids))
            return update(output, result)

        self._scheduler.update_from_output = counted

    def arms(self) -> dict[str, Callable[[], Arm]]:
        """By name, a function that makes a fresh arm."""
        null = NullProposer(self._config)
        size, trouble = self._config.model_config.get_vocab_size(), self._drafts.trouble
        blind = Proposer(self._config_with(num_speculative_tokens=MOST))  # it keeps no texts
        blind.drafting.clock = time.process_time
        history, steered = Blind(trouble, size), Ours(trouble, size)
        made: dict[str, Callable[[], Arm]] = {
            "none": lambda: Arm(null),
            "ngram 2-4": lambda: Arm(self._ngram(2, 4)),
            "ngram 5": lambda: Arm(self._ngram(5, 5)),
            "suffix": lambda: Arm(self._suffix()),
            "blind": lambda: Arm(blind),
            "history": lambda: Arm(null, history.restarted()),
            "steered": lambda: Arm(null, steered.restarted()),
        }
        if find_spec("arctic_inference") is None:
            del made["suffix"]
        return made

    def _ngram(self, min_match: int, max_match: int) -> NullProposer:
        from vllm.v1.spec_decode.ngram_proposer import NgramProposer

        lengths = {"prompt_lookup_min": min_match, "prompt_lookup_max": max_match}
        proposer = NgramProposer(self._config_with(num_speculative_tokens=5, **lengths))
        return Peer(lambda *given: proposer.propose(5, *given))

    def _suffix(self) -> NullProposer:
        from vllm.v1.spec_decode.suffix_decoding import SuffixDecodingProposer

        proposer = SuffixDecodingProposer(self._config)
        return Peer(lambda sampled, *_: proposer.propose(SUFFIX_DEPTH, self._runner.input_batch, sampled))

    def _config_with(self, **speculative: Any) -> Any:
        names = ("model_config", "parallel_config", "scheduler_config", "additional_config")
        rest = {name: getattr(self._config, name) for name in names}
        return SimpleNamespace(**rest, speculative_config=SimpleNamespace(**speculative))

    def run(self, job: Sequence[Request], arm: Arm, sums: Sums) -> list[tuple[int, ...]]:
        """Decode the job, and add its measurements to `sums` and to the last round."""
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        self._runner.drafter = arm.proposer
        self._scheduler.drafts = None if arm.drafting is None else self._drafts
        if arm.drafting is not None:
            self._drafts.drafting = arm.drafting
        parameters = [
            SamplingParams(
                temperature=0.0,
                max_tokens=request.max_tokens,
                extra_args={"segment": request.segment},
                structured_outputs=StructuredOutputsParams(json=SCHEMA) if request.is_form else None,
            )
            for request in job
        ]
        chats = [[{"role": "user", "content": request.prompt}] for request in job]
        self._num_passes, start = 0, time.process_time()
        outputs = self._llm.chat(chats, parameters, use_tqdm=False)
        sums.seconds[-1] += time.process_time() - start
        texts = [tuple(output.outputs[0].token_ids) for output in outputs]
        sums.tokens += sum(map(len, texts))
        sums.passes += self._num_passes
        return texts
