"""LiteRT: one file for phones and other small devices."""

from __future__ import annotations

import pathlib
import re
import tempfile
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfmeta.export.facts import Facts
from tfmeta.export.formats.base import FLOAT, INT8, Arrays, Format, check_portable
from tfmeta.export.portable import FOR_LITERT, Unportable, rewritten, scope_of

FILE = "model.tflite"
# How the converter says that it has no form for an operation, and where that is.
_NO_FORM = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")
_PLACE = re.compile(r'"\w+:", "([^"@]+)(?:@[^"]*)?"')
_ASK = """\
## Ask

The file needs `ai-edge-litert`, or LiteRT on a phone, and no other library. A request
is in `request.npz`, with these inputs, here shortened:

```
{inputs}
```

In Python, in this folder:

```python
import numpy as np
from ai_edge_litert.interpreter import Interpreter
ask = Interpreter("model.tflite").get_signature_runner("{signature}")
answer = ask(**np.load("request.npz"))
print({{name: value.tolist() for name, value in answer.items()}})
```

{answer}"""


class LiteRT(Format):
    """One `.tflite` file of all signatures, of built-in operations alone.

    Args:
        precision: Of weights, "float32"; or "int8", for a file a quarter as large.
    """

    name = "litert"
    noun = "LiteRT file"
    needs = "LiteRT alone"
    libraries = ("ai_edge_litert",)
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
        """Writes model.tflite; see `Format.write`."""
        del module, facts  # The values of variables are in the graphs.
        check_portable(self.name, signatures, without=("float16", "bfloat16"))
        graphs = {n: rewritten(each, FOR_LITERT) for n, each in signatures.items()}
        (folder / FILE).write_bytes(_shared(_converted(graphs, self.precision)))
        return dict(signatures)

    def answer(self, folder: pathlib.Path, signature: str, request: Arrays) -> Arrays:
        """Asks the file; see `Format.answer`."""
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(str(folder / FILE), num_threads=1)
        return dict(interpreter.get_signature_runner(signature)(**request))

    def how_to_ask(
        self, signature: str, inputs: str, arrays: str, answer: str, served_name: str
    ) -> str:
        """By LiteRT's interpreter; see `Format.how_to_ask`."""
        return _ASK.format(signature=signature, inputs=inputs, answer=answer)


def _converted(graphs: Mapping[str, Any], precision: str) -> bytes:
    """The file of concrete functions, by name.

    Raises:
        Unportable: If LiteRT has no built-in operation for one of a graph.
    """
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(tf.Module(), folder, signatures=dict(graphs))
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=list(graphs)
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if precision == INT8:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        try:
            return bytes(converter.convert())
        except Exception as error:  # The converter has an exception for every stage.
            raise Unportable(_sentence(str(error))) from error


def _sentence(said: str) -> str:
    """Which operation of which layer the converter has stumbled on."""
    found = _NO_FORM.search(said)
    place = _PLACE.search(said)
    what = f"the operation {found[1]}" if found else "an operation"
    where = f" of {scope_of(place[1])}" if place else ""
    more = "" if found else f": {said.strip().splitlines()[0][:200]}"
    return (
        f"LiteRT has no form for {what}{where}{more}. Take a net without it, or use "
        "format='savedmodel'."
    )


def _shared(file: bytes) -> bytes:
    """The same file, with each constant stored once for all signatures."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(file)
    first: dict[bytes, int] = {}
    kept: list[Any] = []
    places: list[int] = []
    for place, buffer in enumerate(model.buffers):
        content = b"" if buffer.data is None else bytes(buffer.data)
        # The first buffer is that of tensors without a value.
        if place and content and content in first:
            places.append(first[content])
            continue
        places.append(len(kept))
        if place and content:
            first[content] = len(kept)
        kept.append(buffer)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer = places[tensor.buffer]
    for entry in model.metadata or []:
        entry.buffer = places[entry.buffer]
    model.buffers = kept
    return _packed(model)


def _packed(model: Any) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
