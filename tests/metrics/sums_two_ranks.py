"""What two ranks do, as a script for torchrun: each sees half of the samples, both end with the whole."""

import pytest
from test_sums import CASES, fed, flat

from dragoman.engine.runtime import Runtime

if __name__ == "__main__":
    runtime = Runtime.start("cpu")
    for make, inputs in CASES:
        mine = fed(make, tuple(value[runtime.rank :: runtime.world] for value in inputs), 4)
        mine.merge_ranks(runtime)
        assert flat(mine) == pytest.approx(flat(fed(make, inputs, 12)), rel=1e-9), type(mine).__name__
    runtime.close()
