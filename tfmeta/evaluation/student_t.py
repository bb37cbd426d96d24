"""How many standard errors a 95 % confidence interval has to either side."""

from __future__ import annotations

import functools
import math

import numpy as np
import tensorflow as tf


def half_width(scores: np.ndarray) -> float:
    """Half the width of the mean's 95 % confidence interval: `t * std / sqrt(n)`.

    `std` is the sample standard deviation, with n - 1 in its divisor, and `t` is
    `student_t(n - 1)`. `t` is larger for few scores, because few scores estimate the
    standard deviation badly.

    Args:
        scores: `(n,)` scores.

    Returns:
        The half width, in the units of the scores; NaN if n is below 2, or a score is
        not finite.
    """
    if len(scores) < 2 or not np.isfinite(scores).all():
        return math.nan
    error = np.std(scores, ddof=1) / math.sqrt(len(scores))
    return float(student_t(len(scores) - 1) * error)


@functools.cache
def student_t(freedom: int) -> float:
    """The 97.5 % quantile of Student's t distribution: 1.96 for many degrees.

    Args:
        freedom: The degrees of freedom, at least 1.

    Returns:
        The t that the absolute value exceeds with probability 0.05.

    Example:
        >>> [round(student_t(n), 3) for n in (1, 2, 9, 599)]
        [12.706, 4.303, 2.262, 1.964]
    """
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        x = tf.constant(freedom / (freedom + middle**2), tf.float64)
        half, quarter = (tf.constant(v, tf.float64) for v in (freedom / 2, 0.5))
        beyond = float(tf.math.betainc(half, quarter, x))  # P(|t| > middle)
        low, high = (middle, high) if beyond > 0.05 else (low, middle)
    return low
