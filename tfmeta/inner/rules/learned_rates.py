"""Meta-SGD's inner rule: a learned rate for every weight."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.core.episode import Nest, Tensor
from tfmeta.core.renamed import refuse_renamed
from tfmeta.inner.rules.base import Step, UpdateRule


@keras.saving.register_keras_serializable("tfmeta")
class LearnedRates(UpdateRule):
    """Steps against the gradient, with a meta-learned rate for each weight.

    The rates are meta-parameters, trained together with the initial weights; a rate
    may become negative. In a head that is made for each task, all classes share the
    same rates.

    Args:
        learning_rate: The rates before any training, above zero.
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If `learning_rate` is not above zero.

    Reference:
        Z. Li, F. Zhou, F. Chen, H. Li, "Meta-SGD: Learning to Learn Quickly for
        Few-Shot Learning", arXiv 1707.09835, 2017.
        Differs from the paper: all rates begin alike, not drawn at random.
    """

    def __init__(self, *, learning_rate: float = 0.01, **kwargs: Any):
        refuse_renamed("LearnedRates", kwargs, {"initial": "learning_rate"})
        super().__init__(**kwargs)
        if not learning_rate > 0:
            raise ValueError(
                "learning_rate must be above 0, as the first size of an inner step. "
                f"Received: {learning_rate}."
            )
        self.learning_rate = learning_rate
        self.rates: list[keras.Variable] = []

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        """Makes a rate for each weight, from the list of the parameters' shapes."""
        self.rates = [
            self.add_weight(
                shape=tuple(1 if size is None else size for size in shape),
                initializer=keras.initializers.Constant(self.learning_rate),
                name=f"rate{place}",
            )
            for place, shape in enumerate(input_shape)
        ]
        self.built = True

    def update(
        self, grads: list[Tensor], state: Nest, params: list[Tensor], step: Step
    ) -> tuple[list[Tensor], Nest]:
        """Takes one step; see `UpdateRule.update`."""
        rates = zip(self.rates, grads, strict=True)
        return [-tf.cast(rate.value, g.dtype) * g for rate, g in rates], state
