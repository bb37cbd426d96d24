"""A learned step size for every weight, the inner rule of Meta-SGD."""

from __future__ import annotations

from typing import Any

import keras

from tfmeta.core.episode import Nest, Tensor
from tfmeta.inner.base import UpdateRule


@keras.saving.register_keras_serializable("tfmeta")
class LearnedRates(UpdateRule):
    """`params - rates * gradient`, with the rates meta-learned.

    Every adapted number has a rate of its own, which the outer optimizer trains
    along with the starting weights; a rate may become negative. Where the way is open
    (a head made for each task) one rate serves all classes.

    Args:
        initial: Every rate before training, above zero.

    Raises:
        ValueError: If `initial` is not above zero.

    Reference:
        Z. Li, F. Zhou, F. Chen, H. Li, "Meta-SGD: Learning to Learn Quickly for
        Few-Shot Learning", arXiv 1707.09835, 2017.
        Differs from the paper: all rates begin alike, not drawn at random.
    """

    def __init__(self, *, initial: float = 0.01, **kwargs: Any):
        super().__init__(**kwargs)
        if not initial > 0:
            raise ValueError(
                "initial must be above 0, as the first size of an inner step. "
                f"Received: {initial}."
            )
        self.initial = initial
        self.rates: list[keras.Variable] = []

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        """Makes a rate for each number in the adapted parameters' shapes."""
        self.rates = [
            self.add_weight(
                shape=tuple(1 if size is None else size for size in shape),
                initializer=keras.initializers.Constant(self.initial),
                name=f"rate{place}",
            )
            for place, shape in enumerate(input_shape)
        ]
        self.built = True

    def update(
        self, grads: list[Tensor], state: Nest, params: list[Tensor], step: Tensor
    ) -> tuple[list[Tensor], Nest]:
        """Takes one step; see `UpdateRule.update`."""
        moved = [
            p - rate.value * g
            for p, rate, g in zip(params, self.rates, grads, strict=True)
        ]
        return moved, state

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this rule again."""
        return {**super().get_config(), "initial": self.initial}
