from __future__ import annotations

import numpy

from bench_lib.instruments.versions import installed


def test_versions_of_packages() -> None:
    assert installed(["numpy", "no-such-package"]) == [numpy.__version__, ""]
