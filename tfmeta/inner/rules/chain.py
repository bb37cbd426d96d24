"""Rules one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from tfmeta.core.episode import Nest, Tensor
from tfmeta.inner.rules.base import Step, UpdateRule


def chain(*rules: UpdateRule) -> Chain:
    """Composes rules: each rule takes the updates of the rule before as gradients.

    Args:
        *rules: Rules that change gradients, then one that takes the step.

    Returns:
        One rule.

    Raises:
        ValueError: If the last rule takes no step, or an earlier rule takes one.

    Example:
        >>> from tfmeta.inner import ClipNorm, GradientDescent
        >>> chain(ClipNorm(norm=1.0), GradientDescent(learning_rate=0.1)).takes_step
        True
    """
    return Chain(rules=rules)


@keras.saving.register_keras_serializable("tfmeta")
class Chain(UpdateRule):
    """A rule that applies several rules one after the other; `chain` makes it.

    Args:
        rules: The rules, in order; all but the last change gradients, the last one
            takes the step.
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If the last rule takes no step, or an earlier rule takes one.
    """

    def __init__(self, *, rules: Sequence[UpdateRule], **kwargs: Any):
        super().__init__(**kwargs)
        self.rules = list(rules)
        steps = [rule.takes_step for rule in self.rules]
        if steps != [False] * (len(steps) - 1) + [True]:
            names = ", ".join(type(rule).__name__ for rule in self.rules)
            raise ValueError(
                "In a chain the last rule takes the step, and those before it change "
                f"gradients alone. Received: {names or 'no rule'}."
            )

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        """Builds each rule."""
        for rule in self.rules:
            if not rule.built:
                rule.build(input_shape)
        self.built = True

    @property
    def statistics(self) -> list[keras.Variable]:
        """Those of all rules, in their order."""
        return [v for rule in self.rules for v in rule.statistics]

    def kept(self, state: Nest) -> list[Tensor]:
        """The new values of all rules' `statistics`; see `UpdateRule.kept`."""
        pairs = zip(self.rules, state, strict=True)
        return [value for rule, of_rule in pairs for value in rule.kept(of_rule)]

    def init(self, params: list[Tensor]) -> Nest:
        """The states of all rules, in their order."""
        return tuple(rule.init(params) for rule in self.rules)

    def update(
        self, grads: list[Tensor], state: Nest, params: list[Tensor], step: Step
    ) -> tuple[list[Tensor], Nest]:
        """Hands the gradients from rule to rule; see `UpdateRule.update`."""
        after = []
        for rule, of_rule in zip(self.rules, state, strict=True):
            grads, new = rule.update(grads, of_rule, params, step)
            after.append(new)
        return grads, tuple(after)
