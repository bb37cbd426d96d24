"""SavedModels without custom gradients."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfmeta.export.facts import Facts
from tfmeta.export.formats.base import Arrays, Format

_MARK = "_gradient_op_type"
_ASK = """\
## Ask

`request.json` is a request in the columnar form of TensorFlow Serving's REST interface,
here shortened:

```
{{"signature_name": "{signature}",
 "inputs": {{
{inputs}}}}}
```

To a server:

```
curl -d @request.json http://localhost:8501/v1/models/{name}:predict
```

In Python, in this folder:

```python
import json, tensorflow as tf
model = tf.saved_model.load(".")
request = json.load(open("request.json"))
ask = model.signatures[request["signature_name"]]
answer = ask(**{{k: tf.constant(v) for k, v in request["inputs"].items()}})
print({{name: value.numpy().tolist() for name, value in answer.items()}})
```

{answer}

From the command line, in this folder:

```
saved_model_cli run --dir . --tag_set serve --signature_def {signature} \\
    --inputs '{arrays}'
```"""


class SavedModel(Format):
    """A SavedModel whose operations name no custom gradients.

    The gradients that a learner takes while it adapts are operations of its graph.
    Gradients through the served graph are not served, but TensorFlow would save them
    too, in part, and warn at every load about the part that is missing. So the
    operations lose the names of their custom gradients.
    """

    name = "savedmodel"
    noun = "SavedModel"
    needs = "TensorFlow alone"
    raises = True
    strings = True
    aliases = True

    def write(
        self,
        module: tf.Module,
        signatures: Mapping[str, Any],
        folder: pathlib.Path,
        facts: Facts,
    ) -> dict[str, Any]:
        """Writes the SavedModel; see `Format.write`."""
        del facts
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(module, str(folder), signatures=signatures, options=options)
        file = folder / "saved_model.pb"
        content = saved_model_pb2.SavedModel.FromString(file.read_bytes())
        for meta_graph in content.meta_graphs:
            graph = meta_graph.graph_def
            for nodes in (graph.node, *(f.node_def for f in graph.library.function)):
                for node in nodes:
                    node.attr.pop(_MARK, None)
        file.write_bytes(content.SerializeToString(deterministic=True))
        # The fingerprint is of the file as it was.
        (folder / "fingerprint.pb").unlink(missing_ok=True)
        return dict(signatures)

    def answer(self, folder: pathlib.Path, signature: str, request: Arrays) -> Arrays:
        """Asks the SavedModel; see `Format.answer`."""
        ask = tf.saved_model.load(str(folder)).signatures[signature]
        answer = ask(**{name: tf.constant(value) for name, value in request.items()})
        return {name: value.numpy() for name, value in answer.items()}

    def how_to_ask(
        self, signature: str, inputs: str, arrays: str, answer: str, served_name: str
    ) -> str:
        """By a server, Python or the command line; see `Format.how_to_ask`."""
        return _ASK.format(
            signature=signature,
            inputs=inputs,
            name=served_name,
            answer=answer,
            arrays=arrays,
        )
