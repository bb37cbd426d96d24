"""The interface of a rule that turns inner gradients into inner steps."""

from __future__ import annotations

import keras

from tfmeta.core.episode import Nest, Tensor


class UpdateRule(keras.layers.Layer):
    """How one inner step changes the adapted parameters.

    A rule is pure: its state is handed in and out. It may own meta-parameters (such
    as learned rates): create them in `build`, which gets the list of the adapted
    parameters' shapes (None where the way is open), and read them in `update`.
    """

    def init(self, params: list[Tensor]) -> Nest:
        """The rule's state before the first step.

        Args:
            params: The adapted parameters.

        Returns:
            Any nest of tensors; empty for a rule without memory.
        """
        return ()

    def update(
        self, grads: list[Tensor], state: Nest, params: list[Tensor], step: Tensor
    ) -> tuple[list[Tensor], Nest]:
        """Takes one step.

        Args:
            grads: The support loss's gradient, a tensor for each parameter.
            state: What `init` or the last step returned.
            params: The parameters before the step.
            step: Scalar int32, 0 for the first step.

        Returns:
            The parameters and the state after the step.
        """
        raise NotImplementedError(f"{type(self).__name__} must define update.")
