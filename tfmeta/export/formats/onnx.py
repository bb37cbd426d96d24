"""ONNX: a file for each signature."""

from __future__ import annotations

import contextlib
import logging
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.export.facts import Facts
from tfmeta.export.formats.base import FLOAT, INT8, Arrays, Format, check_portable
from tfmeta.export.formats.transposes import moved_further
from tfmeta.export.portable import FOR_ONNX, Unportable, rewritten, scope_of

_OPSET = 17  # In later ones the converter leaves transpositions before means.
_LARGE = 1024  # Smaller weights stay as they are.
_NEW = "new_"  # Before the name of an output that is an input's too.
_ASK = """\
## Ask

The files need `onnxruntime` and no other library; there is one for each signature. In
`extend.onnx`, outputs whose names inputs have too begin with `new_`. A request is in
`request.npz`, with these inputs, here shortened:

```
{inputs}
```

In Python, in this folder:

```python
import numpy as np, onnxruntime
model = onnxruntime.InferenceSession("{signature}.onnx")
names = [output.name for output in model.get_outputs()]
answer = dict(zip(names, model.run(names, dict(np.load("request.npz")))))
print({{name: value.tolist() for name, value in answer.items()}})
```

{answer}"""


class Onnx(Format):
    """A `.onnx` file for each signature.

    Args:
        precision: Of weights, "float32"; or "int8", for files a quarter as large.
    """

    name = "onnx"
    noun = "folder of ONNX files"
    needs = "ONNX Runtime alone"
    libraries = ("onnx", "onnxruntime", "tf2onnx")
    options = frozenset({"precision"})

    def __init__(self, precision: str = FLOAT):
        self.precision = precision

    def write(
        self,
        module: tf.Module,
        signatures: Mapping[str, Any],
        folder: pathlib.Path,
        facts: Facts,
    ) -> dict[str, Any]:
        """Writes a file for each signature; see `Format.write`."""
        del module, facts  # The values of variables are in the graphs.
        check_portable(self.name, signatures, without=("bfloat16",))
        files = {
            name: converted(rewritten(function, FOR_ONNX), self.precision)
            for name, function in signatures.items()
        }
        for name, content in files.items():
            (folder / f"{name}.onnx").write_bytes(content)
        return dict(signatures)

    def answer(self, folder: pathlib.Path, signature: str, request: Arrays) -> Arrays:
        """Asks a file; see `Format.answer`."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        path = str(folder / f"{signature}.onnx")
        model = onnxruntime.InferenceSession(path, options)
        names = [output.name for output in model.get_outputs()]
        return dict(zip(names, model.run(names, request), strict=True))

    def how_to_ask(
        self, signature: str, inputs: str, arrays: str, answer: str, served_name: str
    ) -> str:
        """By ONNX Runtime; see `Format.how_to_ask`."""
        return _ASK.format(signature=signature, inputs=inputs, answer=answer)


def converted(function: Any, precision: str = FLOAT) -> bytes:
    """The ONNX file of a concrete function.

    Args:
        function: A function of named inputs, as `rewritten` writes it.
        precision: Of weights, see `Onnx`.

    Returns:
        The file. Its inputs and outputs have the names of the function's; an output
        that has the name of an input gets "new_" before it.

    Raises:
        Unportable: If ONNX has no form for an operation.
    """
    import onnx
    import tf2onnx

    inputs = [t.name for t in function.inputs]
    outputs = [t.name for t in function.outputs]
    with _said_by_converter() as said, moved_further():
        model, _ = tf2onnx.convert.from_graph_def(
            function.graph.as_graph_def(),
            name="tfmeta",
            input_names=inputs,
            output_names=outputs,
            opset=_OPSET,
            custom_op_handlers={"SelectV2": (_where, [])},
        )
    for graph in _graphs(model.graph):
        for node in graph.node:
            if not node.domain and not onnx.defs.has(node.op_type):
                raise Unportable(
                    f"ONNX has no form for the operation {node.op_type} of "
                    f"{scope_of(node.name)}. Take a net without it, or use "
                    "format='savedmodel'."
                )
    if said:
        raise Unportable(
            f"ONNX has no form for a part of the graph: {said[0]} Take another net, or "
            "use format='savedmodel'."
        )
    names = {name: name.partition(":")[0] for name in inputs}
    taken = set(names.values())
    for name, tensor in zip(sorted(function.structured_outputs), outputs, strict=True):
        names[tensor] = _NEW + name if name in taken else name
    _rename(model.graph, names)
    if precision == INT8:
        _keep_in_bytes(model.graph)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


@contextlib.contextmanager
def _said_by_converter() -> Iterator[list[str]]:
    """Collects the errors that the converter only writes into its log."""
    said: list[str] = []

    class Collects(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(" ".join(record.getMessage().split())[:300])

    log, handler = logging.getLogger("tf2onnx"), Collects(logging.ERROR)
    log.addHandler(handler)
    try:
        yield said
    finally:
        log.removeHandler(handler)


def _where(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Makes a choice by one truth value, such as `valid`, a choice.

    The converter's own way multiplies both by 0 or 1 and adds, and so keeps the NaN of
    the one that is not chosen. Choices by many truth values stay as it makes them: ONNX
    Runtime's choice takes ten times as long as a product.
    """
    del name, arguments
    from onnx import TensorProto
    from tf2onnx.onnx_opset.controlflow import Select

    numbers = context.get_dtype(node.output[0]) != TensorProto.BOOL
    if numbers and context.get_shape(node.input[0]) == []:
        node.type = "Where"
    else:
        Select.version_9(context, node)


def _keep_in_bytes(graph: Any) -> None:
    """Keeps large weights as whole numbers of eight bits, with a scale a channel."""
    from onnx import helper, numpy_helper

    kept, nodes = [], []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.ndim < 2 or values.size < _LARGE:
            kept.append(tensor)
            continue
        # The channels that a filter makes come first, those of a matrix last.
        axis = 0 if values.ndim == 4 else values.ndim - 1
        others = tuple(i for i in range(values.ndim) if i != axis)
        scale = np.maximum(np.abs(values).max(others, keepdims=True) / 127, 1e-12)
        whole = np.round(values / scale).astype(np.int8)
        names = [f"{tensor.name}/int8", f"{tensor.name}/scale"]
        kept += [
            numpy_helper.from_array(whole, names[0]),
            numpy_helper.from_array(scale.reshape(-1).astype(np.float32), names[1]),
        ]
        nodes.append(
            helper.make_node("DequantizeLinear", names, [tensor.name], axis=axis)
        )
    nodes += graph.node
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)


def _graphs(graph: Any) -> Iterator[Any]:
    """A graph and those of its loops and branches."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)


def _rename(graph: Any, names: Mapping[str, str]) -> None:
    """Gives tensors of a graph other names; loops may read them too."""
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = names.get(value.name, value.name)
    for each in _graphs(graph):
        for node in each.node:
            node.input[:] = [names.get(name, name) for name in node.input]
            node.output[:] = [names.get(name, name) for name in node.output]
