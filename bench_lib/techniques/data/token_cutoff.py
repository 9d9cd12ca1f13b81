"""Token cutoff: the prediction should not change when some tokens are erased."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bench_lib.models.interventions import tokens_hidden
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Output, Step
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class TokenCutoff(
    Technique,
    name="token_cutoff",
    family="data",
    paper="Shen et al. 2020, arXiv:2009.13818",
    identity={"share": 0.0},
    space={"share": (0.05, 0.1, 0.15, 0.2, 0.3, 0.4)},  # 0.1 as in run_glue.sh, the rest not verified
    trimmable=True,
):
    """Each batch passes twice, once with a share of its tokens erased, and both predictions must be right and agree.

    L = CE(f(x)) + ce_weight * CE(f(x')) + js_weight * (KL(p || m) + KL(p' || m)) / 2,  m = (p + p') / 2;  x' is x
    without floor(share * n) of its n tokens

    Shen et al. 2020, "A Simple but Tough-to-Beat Data Augmentation Approach"; share 0.1, both weights 1 and what
    erasing is, a zero in place of the whole embedding, position included, and no attention. Source:
    dinghanshen/Cutoff:run_glue.sh, which runs the cutoff of a span and not of single tokens. For those its code draws
    places with replacement, among special tokens too, and leaves CE(f(x)) out; its divergence is the reverse one, (KL(m
    || p) + KL(m || p')) / 2. The README calls it a Jensen-Shannon divergence, which is the one here; the paper's sum is
    not verified. Special tokens are never erased, nor those of an answer, which could not be found. Erased words are
    all alike, so that their tags are asked for in the whole text only, and the first token of a text with tags stays.
    For regression there is no divergence: of the one output their code takes a softmax, which is always 1.
    """

    share: float = bounded(0.1, "[0, 1)", "0 to below 1")
    ce_weight: float = bounded(1.0, "[0, inf]")
    js_weight: float = bounded(1.0, "[0, inf]")

    def draws(self) -> tuple[str, ...]:
        return ("augment",)

    def passes(self) -> tuple[int, int]:
        return (2, 1) if self.share else (1, 1)

    def backward(self, step: Step) -> Tensor:
        whole = step.forward()
        loss = step.loss(whole)
        if self.share:
            cut = chosen(self._candidates(step, whole), step.real_tokens, self.share, self._generator(step))
            with tokens_hidden(step.training.model, step.training.architecture, cut):
                erased = step.forward(repeat=1)
            if step.training.format.labels_words:
                whole, erased = rows_left(whole, cut), rows_left(erased, cut)
            loss = loss + self.ce_weight * step.loss(erased)
            if not whole.numbers:
                loss = loss + self.js_weight * _divergence(whole, erased)
        step.backward(loss)
        return loss.detach()

    def _candidates(self, step: Step, whole: Output) -> Tensor:
        """Tokens that may be erased, (batch, length)."""
        places = torch.arange(step.real_tokens.shape[1], device=step.real_tokens.device)
        if step.training.format.points_at_tokens:
            start, end = whole.targets[0][:, None], whole.targets[-1][:, None]
            return step.real_tokens & ~((start <= places) & (places <= end))
        if step.training.format.labels_words:
            first = step.real_tokens & (step.real_tokens.cumsum(1) == 1)
            return step.real_tokens & ~first
        return step.real_tokens & ~whole.places  # a causal model's last token, of which the class is read

    def _generator(self, step: Step) -> torch.Generator:
        return step.training.generator("augment", self.name, step.training.step, step.number)


def chosen(candidates: Tensor, real_tokens: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """A share of each text's real tokens, rounded down, drawn uniformly among its candidates; all (batch, length)."""
    chances = torch.rand(candidates.shape, generator=generator).to(candidates.device)
    rank = chances.masked_fill(~candidates, torch.inf).argsort(1).argsort(1)
    return candidates & (rank < (share * real_tokens.sum(1, keepdim=True).double()).floor())


def rows_left(output: Output, cut: Tensor) -> Output:
    """The rows whose tokens are not erased."""
    left = ~cut[output.places]
    logits, targets = (tuple(rows[left] for rows in group) for group in (output.logits, output.targets))
    return replace(output, logits=logits, targets=targets, places=output.places & ~cut)


def jensen_shannon(logits_a: Tensor, logits_b: Tensor) -> Tensor:
    """Mean over the rows of the Jensen-Shannon divergence in nats; logits of shape (rows, classes), in fp32."""
    log_a, log_b = logits_a.float().log_softmax(-1), logits_b.float().log_softmax(-1)
    # Padding has the log-probability -inf and no weight; its gradient would not be finite.
    padding = log_a.isneginf() & log_b.isneginf()
    a, b = log_a.masked_fill(padding, 0.0), log_b.masked_fill(padding, 0.0)
    middle = torch.logaddexp(a, b) - math.log(2)
    return ((log_a.exp() * (a - middle) + log_b.exp() * (b - middle)).sum(-1) / 2).mean()


def _divergence(whole: Output, erased: Output) -> Tensor:
    pairs = zip(whole.logits, erased.logits, strict=True)
    return torch.stack([jensen_shannon(p, q) for p, q in pairs]).mean()
