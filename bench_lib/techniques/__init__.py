"""The registry of techniques: one file each, one line here."""

from __future__ import annotations

from bench_lib.registry import Registry
from bench_lib.techniques.adafactor import Adafactor
from bench_lib.techniques.adalora import AdaLoRA
from bench_lib.techniques.adamw import AdamW
from bench_lib.techniques.adapter import Adapter
from bench_lib.techniques.agc import AGC
from bench_lib.techniques.asam import ASAM
from bench_lib.techniques.back_translation import BackTranslation
from bench_lib.techniques.base import Technique
from bench_lib.techniques.bertadam import BertAdam
from bench_lib.techniques.best_checkpoint import BestCheckpoint
from bench_lib.techniques.bf16 import BF16
from bench_lib.techniques.bitfit import BitFit
from bench_lib.techniques.child_tuning_d import ChildTuningD
from bench_lib.techniques.child_tuning_f import ChildTuningF
from bench_lib.techniques.clip_norm import ClipNorm
from bench_lib.techniques.clip_value import ClipValue
from bench_lib.techniques.constant import Constant
from bench_lib.techniques.cosine import Cosine
from bench_lib.techniques.declared import check_technique
from bench_lib.techniques.dedupe import Dedupe
from bench_lib.techniques.dps import DPS
from bench_lib.techniques.dropout import Dropout
from bench_lib.techniques.early_stopping import EarlyStopping
from bench_lib.techniques.eda import EDA
from bench_lib.techniques.ema import EMA
from bench_lib.techniques.ensemble import Ensemble
from bench_lib.techniques.fgm import FGM
from bench_lib.techniques.fp16 import FP16
from bench_lib.techniques.freelb import FreeLB
from bench_lib.techniques.freeze_bottom import FreezeBottom
from bench_lib.techniques.grad_accumulation import GradAccumulation
from bench_lib.techniques.gradual_unfreezing import GradualUnfreezing
from bench_lib.techniques.greedy_soup import GreedySoup
from bench_lib.techniques.hype import HyPe
from bench_lib.techniques.ia3 import IA3
from bench_lib.techniques.intermediate_task import IntermediateTask
from bench_lib.techniques.l1 import L1
from bench_lib.techniques.l2 import L2
from bench_lib.techniques.l2_sp import L2SP
from bench_lib.techniques.label_smoothing import LabelSmoothing
from bench_lib.techniques.lamb import Lamb
from bench_lib.techniques.lawa import LAWA
from bench_lib.techniques.layer_drop import LayerDrop
from bench_lib.techniques.linear_probe import LinearProbe
from bench_lib.techniques.lion import Lion
from bench_lib.techniques.llrd import LLRD
from bench_lib.techniques.lm_bff import LMBFF
from bench_lib.techniques.ln_only import LNOnly
from bench_lib.techniques.lnsr import LNSR
from bench_lib.techniques.longer import Longer
from bench_lib.techniques.lora import LoRA
from bench_lib.techniques.low_lr import LowLr
from bench_lib.techniques.lp_ft import LPFT
from bench_lib.techniques.lr_drop import LRDrop
from bench_lib.techniques.mixconnect import MixConnect
from bench_lib.techniques.mixout import Mixout
from bench_lib.techniques.mixup import Mixup
from bench_lib.techniques.model_stock import ModelStock
from bench_lib.techniques.neftune import NEFTune
from bench_lib.techniques.noisy_tune import NoisyTune
from bench_lib.techniques.pgd import PGD
from bench_lib.techniques.plugin import load_entry
from bench_lib.techniques.prefix import Prefix
from bench_lib.techniques.prune_magnitude import PruneMagnitude
from bench_lib.techniques.prune_structured_heads import PruneStructuredHeads
from bench_lib.techniques.quantize_dynamic_int8 import QuantizeDynamicInt8
from bench_lib.techniques.r3f import R3F
from bench_lib.techniques.r4f import R4F
from bench_lib.techniques.r_drop import RDrop
from bench_lib.techniques.radam import RAdam
from bench_lib.techniques.recadam import RecAdam
from bench_lib.techniques.reinit import Reinit
from bench_lib.techniques.repina import Repina
from bench_lib.techniques.sam import SAM
from bench_lib.techniques.scl import SCL
from bench_lib.techniques.self_training import SelfTraining
from bench_lib.techniques.sgd import SGD
from bench_lib.techniques.smart import SMART
from bench_lib.techniques.spd import SPD
from bench_lib.techniques.stable_adamw import StableAdamW
from bench_lib.techniques.start_many import StartMany
from bench_lib.techniques.swa import SWA
from bench_lib.techniques.synonym import Synonym
from bench_lib.techniques.tapt import TAPT
from bench_lib.techniques.token_cutoff import TokenCutoff
from bench_lib.techniques.uniform_soup import UniformSoup
from bench_lib.techniques.warmup import Warmup
from bench_lib.techniques.wd_pre import WdPre
from bench_lib.techniques.weight_decay import WeightDecay
from bench_lib.techniques.wise_ft import WiSEFT

TECHNIQUES: Registry[type[Technique]] = Registry("technique", "stabbench.techniques", check_technique, load_entry)
for _technique in (
    AdamW,
    BertAdam,
    Longer,
    LowLr,
    Warmup,
    Cosine,
    Constant,
    BestCheckpoint,
    EarlyStopping,
    L1,
    L2,
    WeightDecay,
    Dropout,
    L2SP,
    WdPre,
    Mixout,
    MixConnect,
    RecAdam,
    SPD,
    ChildTuningF,
    ChildTuningD,
    DPS,
    LabelSmoothing,
    RDrop,
    LRDrop,
    R3F,
    R4F,
    SCL,
    LNSR,
    Repina,
    ClipNorm,
    ClipValue,
    AGC,
    Adafactor,
    Lion,
    RAdam,
    Lamb,
    SGD,
    StableAdamW,
    SAM,
    ASAM,
    GradAccumulation,
    BF16,
    FP16,
    EMA,
    Ensemble,
    StartMany,
    UniformSoup,
    GreedySoup,
    ModelStock,
    SWA,
    LAWA,
    WiSEFT,
    FreezeBottom,
    LinearProbe,
    LPFT,
    GradualUnfreezing,
    LLRD,
    Reinit,
    NoisyTune,
    FGM,
    PGD,
    FreeLB,
    SMART,
    NEFTune,
    HyPe,
    LoRA,
    AdaLoRA,
    Prefix,
    IA3,
    BitFit,
    LNOnly,
    Adapter,
    EDA,
    Synonym,
    BackTranslation,
    TokenCutoff,
    Mixup,
    Dedupe,
    TAPT,
    LMBFF,
    IntermediateTask,
    SelfTraining,
    PruneMagnitude,
    PruneStructuredHeads,
    QuantizeDynamicInt8,
    LayerDrop,
):
    TECHNIQUES.add(_technique.name, _technique)
