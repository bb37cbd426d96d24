"""The interface of what a net learns in pretraining."""

from __future__ import annotations

from typing import Any, ClassVar

import keras

from tfmeta.core.configured import Configured
from tfmeta.core.episode import Nest, Tensor
from tfmeta.core.problems import kind_of
from tfmeta.learners import Learner


class Objective(Configured, keras.layers.Layer):
    """What a net is trained for, before a learner takes it; abstract.

    An objective puts layers of its own on the net's outputs, such as a classifier or a
    decoder. They are dropped when pretraining ends. `prepare_for` makes their weights,
    `call` applies them, and `loss` says how good the result is.

    Attributes:
        views: How many times a batch has each example, each time augmented otherwise;
            of the class. The second views come after all first ones.
        labelled: Whether the labels or values of examples are learned, so that they
            can be scored; of the class.
    """

    views: ClassVar[int] = 1
    labelled: ClassVar[bool] = False

    def prepare_for(self, learner: Learner, classes: int | None, seed: int) -> None:
        """Makes the objective's weights for a net.

        Args:
            learner: A learner around the net.
            classes: The number of classes; None for values.
            seed: The seed of the first weights.

        Raises:
            ValueError: If the net or the data do not suit the objective.
        """

    def call(self, z: Tensor) -> Tensor:
        """Makes predictions of the net's outputs, which `loss` takes."""
        return z

    def loss(self, predictions: Tensor, x: Nest, y: Tensor) -> Tensor:
        """The loss of a batch, a scalar.

        Args:
            predictions: What `call` returned, `(views * examples, ...)`.
            x: The prepared examples, `(views * examples, ...)` or a nest.
            y: Their labels or values.
        """
        raise NotImplementedError(f"{type(self).__name__} must define loss.")


def embeddings_of(learner: Learner, owner: Objective) -> int:
    """The size of the vectors that a learner's net embeds examples in.

    Args:
        learner: The learner around the net.
        owner: The objective that asks.

    Returns:
        The number of features.

    Raises:
        ValueError: If the net ends in a head, or does not give vectors.
    """
    if not learner.adapts:
        raise ValueError(
            f"{type(owner).__name__} trains a net that embeds. Received: "
            f"{type(learner).__name__}, whose net ends in a head. Use LinearProbe or "
            "FineTune, and take the net's weights from there."
        )
    learner.body.check_vectors()
    return learner.body.features


def floats_of(learner: Learner, owner: Objective) -> tuple[int, ...]:
    """The shape of an example that is one tensor of floats.

    Args:
        learner: The learner around the net that takes the examples.
        owner: The objective that asks.

    Returns:
        The shape, without the leading axis.

    Raises:
        ValueError: If the net takes something else.
    """
    spec: Any = learner.inputs
    if not hasattr(spec, "dtype") or not spec.dtype.is_floating:
        raise ValueError(
            f"{type(owner).__name__} takes nets whose input is one tensor of floats. "
            f"Received: a net that takes {spec if spec is not None else kind_of(spec)}."
        )
    return tuple(spec.shape[1:])
