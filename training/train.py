"""The training loop: bfloat16 passes over float32 weights; Muon for the matrices, AdamW for embeddings and norms."""

from __future__ import annotations

import json
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

from .batches import FIRST, IGNORED, SECOND, Batch, Stage, batches
from .score import held_back_examples, score


@dataclass(frozen=True, slots=True)
class Settings:
    """One cycle of the learning rate: all that may differ between two of them."""

    num_steps: int
    decay_from: int
    """Step from which the rate falls, in a line, to zero at ``num_steps``."""
    num_tokens: int = 3072
    """Tokens per step, padding included."""
    learning_rate: float = 3e-3
    """Of the matrices."""
    embedding_rate: float = 1e-3
    """Of embeddings and norms: identities that move too fast cannot be compared."""
    warmup: int = 100
    """Steps."""
    score_every: int = 400
    """Steps between scores and checkpoints."""
    num_scored: int = 40
    """Held-back examples per task."""
    seed: int = 0
    """Of the examples; no two cycles share one."""
    curriculum: tuple[Stage, ...] = FIRST


# A second rise of the rate, from the weights of the first cycle as they were saved (Loshchilov and Hutter 2017).
CYCLES = (
    Settings(num_steps=2600, decay_from=1000),
    Settings(
        num_steps=1750,
        decay_from=750,
        learning_rate=2e-3,
        embedding_rate=7e-4,
        score_every=500,
        seed=2,
        curriculum=SECOND,
    ),
)
SCORED_SEED = 0


class Weights:
    """Float32 weights and their optimizers, behind the bfloat16 model that makes the gradients."""

    def __init__(self, model: LlamaForCausalLM, settings: Settings) -> None:
        """Take the weights of ``model``, which becomes bfloat16."""
        self.settings = settings
        self.fast = list(model.parameters())
        self.exact = [nn.Parameter(parameter.detach().clone()) for parameter in self.fast]
        model.bfloat16()
        names = [name for name, _ in model.named_parameters()]
        matrices = [p for name, p in zip(names, self.exact, strict=True) if p.ndim == 2 and "embed" not in name]
        others = [p for name, p in zip(names, self.exact, strict=True) if p.ndim != 2 or "embed" in name]
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(matrices, lr=settings.learning_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=settings.embedding_rate, weight_decay=0.0, betas=(0.9, 0.98)),
        ]

    def step(self, step: int) -> None:
        """Apply and clear the gradients of the model."""
        for exact, fast in zip(self.exact, self.fast, strict=True):
            exact.grad = None if fast.grad is None else fast.grad.float()
            fast.grad = None
        torch.nn.utils.clip_grad_norm_(self.exact, 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group.setdefault("initial_lr", group["lr"]) * rate(step, self.settings)
            optimizer.step()
        with torch.no_grad():
            for exact, fast in zip(self.exact, self.fast, strict=True):
                fast.copy_(exact)


def rate(step: int, settings: Settings) -> float:
    """The learning rate of ``step``, counted from 0, as a share of the full one."""
    rise = min(1.0, (step + 1) / settings.warmup)
    fall = min(1.0, (settings.num_steps - step) / (settings.num_steps - settings.decay_from))
    return rise * fall


def loss_of(model: LlamaForCausalLM, batch: Batch) -> Tensor:
    """Mean cross-entropy of the answers' tokens, in nats; other positions never reach the vocabulary."""
    hidden = model.model(input_ids=batch.ids, use_cache=False).last_hidden_state
    counted = batch.labels != IGNORED
    return nn.functional.cross_entropy(model.lm_head(hidden[counted]).float(), batch.labels[counted])


def train(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, settings: Settings, folder: Path
) -> LlamaForCausalLM:
    """Train ``model`` for one cycle; ``folder`` gets ``log.jsonl`` and, at every score, the model so far."""
    weights = Weights(model, settings)
    examples = held_back_examples(tokenizer, SCORED_SEED, settings.num_scored)
    stream = batches(
        tokenizer,
        random.Random(settings.seed),
        settings.curriculum,
        num_steps=settings.num_steps,
        num_tokens=settings.num_tokens,
    )
    start, tokens, losses = time.perf_counter(), 0, []
    with (folder / "log.jsonl").open("w") as log:
        for step, batch in enumerate(stream):
            loss = loss_of(model, batch)
            loss.backward()
            weights.step(step)
            losses.append(loss.item())
            tokens += batch.ids.numel()
            if (step + 1) % settings.score_every and step + 1 < settings.num_steps:
                continue
            mean = round(sum(losses) / len(losses), 4)
            seconds = round(time.perf_counter() - start)
            scores = {task: asdict(score(model, tokenizer, some)) for task, some in examples.items()}
            log.write(
                json.dumps({"step": step + 1, "tokens": tokens, "seconds": seconds, "loss": mean} | scores) + "\n"
            )
            log.flush()
            losses.clear()
            save(exact_copy(model, weights), tokenizer, folder / "model")
    return exact_copy(model, weights)


def exact_copy(model: LlamaForCausalLM, weights: Weights) -> LlamaForCausalLM:
    """The float32 weights, rounded once to float16 for the file."""
    copy = LlamaForCausalLM(model.config)
    nn.Module.half(copy)
    with torch.no_grad():
        for parameter, exact in zip(copy.parameters(), weights.exact, strict=True):
            parameter.copy_(exact)
    return copy


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """What ``from_pretrained`` needs."""
    model.generation_config.max_new_tokens = 512
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
