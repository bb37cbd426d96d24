"""Student's t against SciPy, and the share of intervals that hold the truth."""

from __future__ import annotations

import numpy as np
import pytest

from tfmeta.evaluation.student_t import half_width, student_t

# scipy.stats.t.ppf(0.975, freedom) of SciPy 1.17.1.
QUANTILES = {
    1: 12.706204736174694,
    2: 4.302652729749462,
    3: 3.1824463052837078,
    4: 2.7764451051977934,
    9: 2.262157162798205,
    29: 2.045229642132703,
    599: 1.9639322489452784,
    9999: 1.960201263621357,
    100000: 1.9599877075346095,
}


@pytest.mark.parametrize(("freedom", "t"), QUANTILES.items())
def test_quantiles(freedom: int, t: float) -> None:
    assert student_t(freedom) == pytest.approx(t, rel=1e-10)


@pytest.mark.parametrize("n", [2, 3, 10])
def test_the_interval_holds_the_mean_in_95_of_100(n: int) -> None:
    draws = np.random.default_rng(n).normal(0.6, 0.1, (2000, n))
    held = np.mean([abs(x.mean() - 0.6) <= half_width(x) for x in draws])
    # Three standard errors of a share of 0.95 are 0.015.
    assert held == pytest.approx(0.95, abs=0.015)
