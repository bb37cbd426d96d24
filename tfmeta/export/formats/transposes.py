"""Moves transpositions of an ONNX graph together, further than its converter does.

TensorFlow's pictures have their channels last, ONNX's after the examples. The converter
puts a transposition before and after each convolution, and moves each down until two
that undo each other meet.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

# Operations that transpositions pass too: of one tensor, and of several.
_ALONE = ("Not", "Sign")
_TOGETHER = ("Div", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Where")


@contextlib.contextmanager
def moved_further() -> Iterator[None]:
    """Has the converter, meanwhile, move transpositions as this module does."""
    from tf2onnx import optimizer

    steps, name = optimizer._optimizers, "optimize_transpose"
    before = steps[name]
    steps[name] = _further()
    try:
        yield
    finally:
        steps[name] = before


def _further() -> type:
    """The converter's class for it, mended; it comes with an extra, so not sooner."""
    from tf2onnx.optimizer import transpose_optimizer as given

    class Further(given.TransposeOptimizer):
        def _initialize_handlers(self) -> None:
            super()._initialize_handlers()
            alone, together = self._simple_through_handler, self._by_branches
            handlers = self._handler_map
            handlers.update(dict.fromkeys(_ALONE, alone))
            handlers.update(dict.fromkeys(_TOGETHER, together))

        def _handle_nhwc_tranpose(self, moved: Any) -> bool:
            # One of a vector changes nothing, and must not meet pictures.
            if given.is_useless_transpose(moved) and not self._is_output(moved):
                self._remove_useless_tranpose(moved)
                return True
            return bool(super()._handle_nhwc_tranpose(moved))

        def _is_output(self, moved: Any) -> bool:
            return moved.output[0] in self._g.outputs

        def _by_branches(self, moved: Any, node: Any) -> bool:
            return bool(self._handle_node_having_branches(moved, node))

        def _mul_handler(self, moved: Any, node: Any) -> bool:
            squared = node.input[0] == node.input[1]
            if not squared and not any(each.is_const() for each in node.inputs):
                return self._by_branches(moved, node)
            shape = self._g.get_shape(node.output[0])
            done = bool(super()._mul_handler(moved, node))
            if done and squared and shape:
                _tell_shapes(self._g, moved, node, shape)
            return done

    return Further


def _tell_shapes(graph: Any, moved: Any, node: Any, shape: list[int]) -> None:
    """Notes the shapes of a square and of a transposition that has come after it.

    The converter leaves the old ones, and takes transpositions for mere reshapes by
    them later: with pictures of one pixel, wrongly.
    """
    order = moved.get_attr_value("perm")
    before = [shape[order.index(axis)] for axis in range(len(order))]
    graph.set_shape(node.output[0], before)
    graph.set_shape(moved.output[0], shape)
