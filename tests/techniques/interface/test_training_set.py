from __future__ import annotations

import numpy as np
import pytest

from bench_lib.core.errors import Unsupported
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import TEXT_CLASSIFICATION
from bench_lib.techniques.interface.training_set import Corpus


def corpus(judges_wording):
    labels = ("unacceptable", "acceptable")
    return Corpus((), (), TEXT_CLASSIFICATION, labels, np.random.default_rng(0), judges_wording=judges_wording)


def test_what_is_reported_is_told_by_technique():
    known = corpus(False)
    known.report("eda", "copies", 3)
    assert known.reported == {"eda.copies": 3.0}


def test_labels_of_the_wording_do_not_survive_another():
    corpus(False).check_rewording("eda")
    with pytest.raises(Unsupported, match=r"eda declines this task: its labels \(unacceptable, acceptable\) judge"):
        corpus(True).check_rewording("eda")
    assert [name for name in TASKS.names() if TASKS.get(name).judges_wording] == ["cola", "copa", "wic"]
