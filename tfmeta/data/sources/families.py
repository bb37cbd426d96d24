"""The families of functions that few-shot regression is tried on."""

from __future__ import annotations

import math

import tensorflow as tf

from tfmeta.core.keys import fold
from tfmeta.data.source import Source
from tfmeta.data.sources.from_function import from_function


def sinusoid() -> Source:
    """Sine waves `amplitude * sin(x - phase)` for x in -5..5.

    Amplitudes are drawn evenly from 0.1..5, phases from 0..pi; there is no noise.

    Returns:
        The source; `load("sinusoid")` returns it too.

    Reference:
        C. Finn, P. Abbeel, S. Levine, "Model-Agnostic Meta-Learning for Fast
        Adaptation of Deep Networks", ICML 2017, section 5.1. Does not differ from the
        paper.
    """

    def function(key: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        amplitude, phase = _uniform(key, (0.1, 5.0), (0.0, math.pi))
        return amplitude * tf.sin(x - phase)

    return from_function(function, low=-5.0, high=5.0, name="sinusoid")


def harmonic() -> Source:
    """Sums of two sine waves, the second of twice the frequency, with noise.

    `a * sin(w * x + b) + c * sin(2 * w * x + d) + noise` for x in -1..1: `w` is drawn
    evenly from 5..7, `b` and `d` from 0..2 pi, `a` and `c` from the standard normal
    distribution; the noise has a standard deviation of 0.1.

    Returns:
        The source; `load("harmonic")` returns it too.

    Reference:
        A. Lacoste et al., "Uncertainty in Multitask Transfer Learning",
        arXiv:1806.07528, 2018. Differs from the paper: x is drawn from one interval,
        not around a centre of the task's own.
    """

    def function(key: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        waves, sizes, noise = (_derived(key, p) for p in ("waves", "sizes", "noise"))
        turn = (0.0, 2 * math.pi)
        w, b, d = _uniform(waves, (5.0, 7.0), turn, turn)
        a, c = tf.unstack(tf.random.stateless_normal((2,), sizes, alg="philox"))
        y = a * tf.sin(w * x + b) + c * tf.sin(2 * w * x + d)
        return y + 0.1 * tf.random.stateless_normal(x.shape, noise, alg="philox")

    return from_function(function, low=-1.0, high=1.0, name="harmonic")


def lines() -> Source:
    """Straight lines `slope * x + intercept` for x in -5..5.

    Slopes and intercepts are drawn evenly from -3..3; there is no noise.

    Returns:
        The source; `load("lines")` returns it too.

    Reference:
        C. Finn, K. Xu, S. Levine, "Probabilistic Model-Agnostic Meta-Learning",
        NeurIPS 2018. Differs from the paper: lines alone, and without noise.
    """

    def function(key: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        slope, intercept = _uniform(key, (-3.0, 3.0), (-3.0, 3.0))
        return slope * x + intercept

    return from_function(function, low=-5.0, high=5.0, name="lines")


FAMILIES = {family.__name__: family for family in (harmonic, lines, sinusoid)}


def _uniform(key: tf.Tensor, *ranges: tuple[float, float]) -> list[tf.Tensor]:
    """Draws a number from each range, evenly; one operation for all."""
    draws = tf.random.stateless_uniform((len(ranges),), key, alg="philox")
    low, high = zip(*ranges, strict=True)
    return tf.unstack(tf.constant(low) + draws * (tf.constant(high) - tf.constant(low)))


def _derived(key: tf.Tensor, purpose: str) -> tf.Tensor:
    """Returns another key, `(2,)`, a function of a key and of what is drawn."""
    return tf.stack([fold(key[0], purpose, key[1]), tf.constant(0, tf.int64)])
