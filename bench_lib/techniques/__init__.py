"""The registry of techniques: one file each, one line here."""

from __future__ import annotations

from bench_lib.core.registry import Registry
from bench_lib.techniques.adversarial.fgm import FGM
from bench_lib.techniques.adversarial.freelb import FreeLB
from bench_lib.techniques.adversarial.hype import HyPe
from bench_lib.techniques.adversarial.neftune import NEFTune
from bench_lib.techniques.adversarial.pgd import PGD
from bench_lib.techniques.adversarial.smart import SMART
from bench_lib.techniques.baselines.adamw import AdamW
from bench_lib.techniques.baselines.bertadam import BertAdam
from bench_lib.techniques.baselines.best_checkpoint import BestCheckpoint
from bench_lib.techniques.baselines.constant import Constant
from bench_lib.techniques.baselines.cosine import Cosine
from bench_lib.techniques.baselines.early_stopping import EarlyStopping
from bench_lib.techniques.baselines.longer import Longer
from bench_lib.techniques.baselines.low_lr import LowLr
from bench_lib.techniques.baselines.warmup import Warmup
from bench_lib.techniques.compression.layer_drop import LayerDrop
from bench_lib.techniques.compression.prune_magnitude import PruneMagnitude
from bench_lib.techniques.compression.prune_structured_heads import PruneStructuredHeads
from bench_lib.techniques.compression.quantize_dynamic_int8 import QuantizeDynamicInt8
from bench_lib.techniques.data.back_translation import BackTranslation
from bench_lib.techniques.data.dedupe import Dedupe
from bench_lib.techniques.data.eda import EDA
from bench_lib.techniques.data.intermediate_task import IntermediateTask
from bench_lib.techniques.data.lm_bff import LMBFF
from bench_lib.techniques.data.mixup import Mixup
from bench_lib.techniques.data.self_training import SelfTraining
from bench_lib.techniques.data.synonym import Synonym
from bench_lib.techniques.data.tapt import TAPT
from bench_lib.techniques.data.token_cutoff import TokenCutoff
from bench_lib.techniques.interface.declared import check_technique
from bench_lib.techniques.interface.plugin import load_entry
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.layers.freeze_bottom import FreezeBottom
from bench_lib.techniques.layers.gradual_unfreezing import GradualUnfreezing
from bench_lib.techniques.layers.linear_probe import LinearProbe
from bench_lib.techniques.layers.llrd import LLRD
from bench_lib.techniques.layers.lp_ft import LPFT
from bench_lib.techniques.layers.noisy_tune import NoisyTune
from bench_lib.techniques.layers.reinit import Reinit
from bench_lib.techniques.optimisation.adafactor import Adafactor
from bench_lib.techniques.optimisation.agc import AGC
from bench_lib.techniques.optimisation.asam import ASAM
from bench_lib.techniques.optimisation.bf16 import BF16
from bench_lib.techniques.optimisation.clip_norm import ClipNorm
from bench_lib.techniques.optimisation.clip_value import ClipValue
from bench_lib.techniques.optimisation.deni import DENI
from bench_lib.techniques.optimisation.ema import EMA
from bench_lib.techniques.optimisation.ensemble import Ensemble
from bench_lib.techniques.optimisation.fp16 import FP16
from bench_lib.techniques.optimisation.grad_accumulation import GradAccumulation
from bench_lib.techniques.optimisation.greedy_soup import GreedySoup
from bench_lib.techniques.optimisation.lamb import Lamb
from bench_lib.techniques.optimisation.lawa import LAWA
from bench_lib.techniques.optimisation.lion import Lion
from bench_lib.techniques.optimisation.model_stock import ModelStock
from bench_lib.techniques.optimisation.radam import RAdam
from bench_lib.techniques.optimisation.sam import SAM
from bench_lib.techniques.optimisation.sgd import SGD
from bench_lib.techniques.optimisation.stable_adamw import StableAdamW
from bench_lib.techniques.optimisation.start_many import StartMany
from bench_lib.techniques.optimisation.swa import SWA
from bench_lib.techniques.optimisation.uniform_soup import UniformSoup
from bench_lib.techniques.optimisation.wise_ft import WiSEFT
from bench_lib.techniques.parameter_efficient.adalora import AdaLoRA
from bench_lib.techniques.parameter_efficient.adapter import Adapter
from bench_lib.techniques.parameter_efficient.bitfit import BitFit
from bench_lib.techniques.parameter_efficient.ia3 import IA3
from bench_lib.techniques.parameter_efficient.ln_only import LNOnly
from bench_lib.techniques.parameter_efficient.lora import LoRA
from bench_lib.techniques.parameter_efficient.prefix import Prefix
from bench_lib.techniques.regularisation.child_tuning_d import ChildTuningD
from bench_lib.techniques.regularisation.child_tuning_f import ChildTuningF
from bench_lib.techniques.regularisation.dps import DPS
from bench_lib.techniques.regularisation.dropout import Dropout
from bench_lib.techniques.regularisation.l1 import L1
from bench_lib.techniques.regularisation.l2 import L2
from bench_lib.techniques.regularisation.l2_sp import L2SP
from bench_lib.techniques.regularisation.label_smoothing import LabelSmoothing
from bench_lib.techniques.regularisation.lnsr import LNSR
from bench_lib.techniques.regularisation.lr_drop import LRDrop
from bench_lib.techniques.regularisation.mixconnect import MixConnect
from bench_lib.techniques.regularisation.mixout import Mixout
from bench_lib.techniques.regularisation.r3f import R3F
from bench_lib.techniques.regularisation.r4f import R4F
from bench_lib.techniques.regularisation.r_drop import RDrop
from bench_lib.techniques.regularisation.recadam import RecAdam
from bench_lib.techniques.regularisation.repina import Repina
from bench_lib.techniques.regularisation.scl import SCL
from bench_lib.techniques.regularisation.spd import SPD
from bench_lib.techniques.regularisation.wd_pre import WdPre
from bench_lib.techniques.regularisation.weight_decay import WeightDecay

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
    DENI,
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
