"""The interface of a rule that turns inner gradients into inner steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import keras

from tfmeta.core.configured import Configured
from tfmeta.core.episode import Nest, Tensor


class Step(NamedTuple):
    """What a rule is told of the inner step that it takes part in.

    Attributes:
        number: Scalar int32, 0 for the first step.
        steps: How many inner steps there are, a Python integer.
        loss: The support loss before the step, a scalar.
    """

    number: Tensor
    steps: int
    loss: Tensor


class UpdateRule(Configured, keras.layers.Layer):
    """How a gradient becomes an update that is added to the adapted parameters.

    A rule is pure: its state is handed in and out. It may own meta-parameters (such
    as learned rates): create them in `build`, which gets the list of the adapted
    parameters' shapes (None where the way is open), and read them in `update`.

    Attributes:
        takes_step: Whether its updates are a step, to be added to parameters. Those of
            a rule that only changes gradients, such as clipping, are not; it needs
            another rule after it, see `chain`.
    """

    takes_step: ClassVar[bool] = True

    def init(self, params: list[Tensor]) -> Nest:
        """The rule's state before the first step.

        Args:
            params: The adapted parameters.

        Returns:
            Any nest of tensors; empty for a rule without memory.
        """
        return ()

    def update(
        self, grads: list[Tensor], state: Nest, params: list[Tensor], step: Step
    ) -> tuple[list[Tensor], Nest]:
        """Turns the gradients of one step into updates.

        Args:
            grads: The support loss's gradient, a tensor for each parameter.
            state: What `init` or the step before returned.
            params: The parameters before the step.
            step: The step's number, the number of steps, and the loss.

        Returns:
            What is to be added to the parameters, a tensor for each, and the state
            after the step.
        """
        raise NotImplementedError(f"{type(self).__name__} must define update.")


def made_rule(
    rule: UpdateRule | type[UpdateRule] | None,
    inner_lr: float | None,
    own: Callable[..., UpdateRule],
) -> UpdateRule:
    """The rule that a learner was told to use.

    Args:
        rule: An instance, a class, or None for the learner's own rule.
        inner_lr: The rate of the learner's own rule, or of the rule's class; None for
            its default.
        own: Makes the learner's own rule; it takes `learning_rate`.

    Returns:
        The rule.

    Raises:
        ValueError: If an instance comes with a rate, which it has already; if it is no
            rule; or if its updates are no step.
    """
    if isinstance(rule, UpdateRule):
        if inner_lr is not None:
            raise ValueError(
                f"rule={type(rule).__name__}(...) has its rate already, so inner_lr "
                f"must be left out. Received: inner_lr={inner_lr}. Give the rate to "
                "the rule, or give the rule's class."
            )
        made: Any = rule
    elif rule is None or _is_rule_class(rule):
        rate = {} if inner_lr is None else {"learning_rate": inner_lr}
        made = (own if rule is None else rule)(**rate)
    else:
        raise ValueError(
            "rule must be an update rule such as tfmeta.inner.Adam(), or its class. "
            f"Received: {rule!r}."
        )
    if not made.takes_step:
        raise ValueError(
            f"{type(made).__name__} changes gradients and takes no step. Put a rule "
            f"that does after it: tfmeta.inner.chain({type(made).__name__}(...), "
            "tfmeta.inner.GradientDescent(...))."
        )
    return made


def _is_rule_class(rule: Any) -> bool:
    return isinstance(rule, type) and issubclass(rule, UpdateRule)
