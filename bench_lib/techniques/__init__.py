"""The registry of techniques: one file each, one line here."""

from __future__ import annotations

from bench_lib.registry import Registry
from bench_lib.techniques.adamw import AdamW
from bench_lib.techniques.base import Technique
from bench_lib.techniques.bertadam import BertAdam
from bench_lib.techniques.clip_norm import ClipNorm
from bench_lib.techniques.dedupe import Dedupe
from bench_lib.techniques.early_stopping import EarlyStopping
from bench_lib.techniques.ema import EMA
from bench_lib.techniques.fgm import FGM
from bench_lib.techniques.freeze_bottom import FreezeBottom
from bench_lib.techniques.l2_sp import L2SP
from bench_lib.techniques.llrd import LLRD
from bench_lib.techniques.lora import LoRA
from bench_lib.techniques.low_lr import LowLr
from bench_lib.techniques.mixout import Mixout
from bench_lib.techniques.r_drop import RDrop
from bench_lib.techniques.reinit import Reinit

TECHNIQUES: Registry[type[Technique]] = Registry("technique")
for _technique in (
    AdamW,
    BertAdam,
    LowLr,
    ClipNorm,
    L2SP,
    Mixout,
    Reinit,
    LLRD,
    FreezeBottom,
    RDrop,
    FGM,
    LoRA,
    Dedupe,
    EarlyStopping,
    EMA,
):
    TECHNIQUES.add(_technique.name, _technique)
