"""Weights from one net to another, as far as names and shapes agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from tfmeta.core.paths import variable_paths
from tfmeta.core.problems import kind_of, listed
from tfmeta.learners import Learner

Shape = tuple[int, ...]
Layers = dict[str, dict[str, keras.Variable]]


@dataclass(frozen=True)
class CopiedWeights:
    """Which layers of a net got their weights from another net, and which did not.

    Attributes:
        copied: The paths of the layers whose variables were all copied, such as
            "block1/block1_conv".
        other_shape: The paths of variables that both nets have, but with different
            shapes: the shape in the source, and the shape in the target. Their layers
            were not copied.
        new: The paths of the layers that the source does not have, or of which it
            lacks a variable.
        left_out: The paths of the layers that the target does not have.
    """

    copied: tuple[str, ...]
    other_shape: dict[str, tuple[Shape, Shape]]
    new: tuple[str, ...]
    left_out: tuple[str, ...]

    def __repr__(self) -> str:
        """How many layers were copied, and which stay as they were and why."""
        different = {path.rpartition("/")[0] for path in self.other_shape}
        every = len(self.copied) + len(different) + len(self.new)
        parts = [f"{len(self.copied)} of {every} layers copied"]
        shapes = [
            f"{path} is {source} in the source and {target} in the target"
            for path, (source, target) in self.other_shape.items()
        ]
        if shapes:
            parts.append(listed(shapes, most=2))
        if self.new:
            parts.append(f"not in the source: {listed(self.new)}")
        if self.left_out:
            parts.append(f"not in the target: {listed(self.left_out)}")
        return f"CopiedWeights({'; '.join(parts)})"


def copy_weights(source: Any, target: Any, *, share: float = 1.0) -> CopiedWeights:
    """Copies the weights of a trained net into another net, by layer name and shape.

    A layer is copied if the source has a layer of the same path, with variables of the
    same names and shapes; moving averages are copied too. All other layers of the
    target stay as they are, such as a head for other classes.

    With a `share` below 1 each copied variable becomes a mean: `share` times the
    source's value plus `1 - share` times the target's own. So the weights of two
    trained nets are interpolated: `share=0.5` goes half the way from target to source.

    Args:
        source: A built Keras net, or a `MetaModel` or learner around one.
        target: The same; its net is changed in place.
        share: How much of the source is in the result, above 0 and at most 1.

    Returns:
        What was copied, and what was not.

    Raises:
        ValueError: If `share` is out of range, or if no layer can be copied.

    Example:
        >>> from tfmeta.nets import mlp
        >>> ten, five = mlp(outputs=10, units=(8,)), mlp(outputs=5, units=(8,))
        >>> copied = copy_weights(ten, five)
        >>> copied.copied, copied.other_shape["head/kernel"]
        (('hidden1',), ((8, 10), (8, 5)))
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1. Received: {share}.")
    sources, targets = (_by_layer(_net_of(each)) for each in (source, target))
    report = _compared(sources, targets)
    if not report.copied:
        raise ValueError(
            "The source must have layers of the target's names and shapes. Received: "
            f"{listed(_described(sources))} in the source, "
            f"{listed(_described(targets))} in the target. Build both nets by the same "
            "function, or give their layers the same names."
        )
    for layer in report.copied:
        for name, variable in targets[layer].items():
            given = sources[layer][name]
            variable.assign(
                given if share == 1 else share * given + (1 - share) * variable
            )
    return report


def _compared(sources: Layers, targets: Layers) -> CopiedWeights:
    """Which of the target's layers can be copied from the source."""
    copied, new, other_shape = [], [], {}
    for layer, variables in targets.items():
        theirs = sources.get(layer, {})
        if not variables.keys() <= theirs.keys():
            new.append(layer)
            continue
        shapes = {
            name: (tuple(theirs[name].shape), tuple(variable.shape))
            for name, variable in variables.items()
        }
        different = {n: both for n, both in shapes.items() if both[0] != both[1]}
        other_shape.update({f"{layer}/{n}": both for n, both in different.items()})
        if not different:
            copied.append(layer)
    left_out = [layer for layer in sources if layer not in targets]
    return CopiedWeights(tuple(copied), other_shape, tuple(new), tuple(left_out))


def _net_of(holder: Any) -> keras.Model:
    learner = getattr(holder, "learner", holder)
    net = learner.net if isinstance(learner, Learner) else learner
    if not isinstance(net, keras.Model) or not net.built:
        raise ValueError(
            "copy_weights takes built Keras models, or learners or MetaModels around "
            f"one. Received: {kind_of(holder)}."
        )
    return net


def _by_layer(net: keras.Model) -> Layers:
    """The variables of a net by layer and name; the states of seeds are left out."""
    found: Layers = {}
    for path, variable in variable_paths(net).items():
        if keras.backend.is_float_dtype(variable.dtype):
            layer, _, name = path.rpartition("/")
            found.setdefault(layer, {})[name] = variable
    return found


def _described(layers: Layers) -> list[str]:
    return [
        f"{layer}/{name} {tuple(variable.shape)}"
        for layer, variables in layers.items()
        for name, variable in variables.items()
    ]
