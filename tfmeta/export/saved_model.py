"""SavedModels without custom gradients."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

_MARK = "_gradient_op_type"


def write_saved_model(
    module: tf.Module, signatures: Mapping[str, Any], folder: pathlib.Path
) -> None:
    """Writes a SavedModel whose operations name no custom gradients.

    The gradients that a learner takes while it adapts are operations of its graph.
    Gradients through the served graph are not served, but TensorFlow would save
    them too, in part, and warn at every load about the part that is missing. So the
    operations lose the names of their custom gradients.

    Args:
        module: The module that holds the variables.
        signatures: The concrete functions by name.
        folder: The folder to write to.
    """
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
