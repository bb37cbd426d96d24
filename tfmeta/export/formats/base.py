"""The interface of formats."""

from __future__ import annotations

import abc
import importlib.util
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.export.facts import Facts

Arrays = dict[str, np.ndarray]


FLOAT, INT8 = "float32", "int8"  # How weights are kept in a file.


class Format(abc.ABC):
    """A way to write the signatures of a learner; abstract.

    Attributes:
        name: What `save` calls it.
        noun: What README.md calls an export.
        needs: What README.md says that it needs, to answer.
        raises: Whether its runtime can refuse a request with a sentence.
        strings: Whether its runtime reads and gives strings.
        options: What `save` may tell it beside the learner: "selftest", "precision".
        aliases: Whether the default signature has TensorFlow's name for it too.
        libraries: The modules that writing takes, beside TensorFlow.
    """

    name: str
    noun: str
    needs: str
    raises = False
    strings = False
    aliases = False
    options: frozenset[str] = frozenset()
    libraries: tuple[str, ...] = ()

    def check_installed(self) -> None:
        """Raises ValueError if a library that writing needs is not installed."""
        missing = [m for m in self.libraries if importlib.util.find_spec(m) is None]
        if missing:
            raise ValueError(
                f"The format {self.name} needs {' and '.join(missing)}. Install the "
                "extra 'device': pip install \"tfmeta[device]\"."
            )

    @abc.abstractmethod
    def write(
        self,
        module: tf.Module,
        signatures: Mapping[str, Any],
        folder: pathlib.Path,
        facts: Facts,
    ) -> dict[str, Any]:
        """Writes signatures.

        Args:
            module: The module that holds the variables.
            signatures: The concrete functions by name.
            folder: The folder to write to.
            facts: What is told of the learner.

        Returns:
            The signatures that were written.

        Raises:
            ValueError: If the format has no form for an operation.
        """

    @abc.abstractmethod
    def answer(self, folder: pathlib.Path, signature: str, request: Arrays) -> Arrays:
        """Asks what was written, as a user would.

        Args:
            folder: The folder that `write` wrote to.
            signature: The signature's name.
            request: The inputs by name.

        Returns:
            The outputs by name.
        """

    @abc.abstractmethod
    def how_to_ask(
        self, signature: str, inputs: str, arrays: str, answer: str, served_name: str
    ) -> str:
        """The section of README.md that shows a request.

        Args:
            signature: The signature that is asked.
            inputs: Its inputs, shortened, as JSON's lines.
            arrays: The inputs as an option of `saved_model_cli`.
            answer: What was answered, in lines.
            served_name: The export's name at a server.

        Returns:
            Markdown.
        """


def check_portable(
    name: str, signatures: Mapping[str, Any], *, without: Sequence[str] = ()
) -> None:
    """Refuses what small runtimes cannot do: texts, and numbers they do not have.

    Args:
        name: The format's name.
        signatures: The concrete functions by name.
        without: The types of numbers that the runtime does not compute with.

    Raises:
        ValueError: If an input is a string, or a graph computes with such numbers.
    """
    for function in signatures.values():
        used = _types_of(function)
        for numbers in without:
            if tf.as_dtype(numbers).as_datatype_enum in used:
                raise ValueError(
                    f"The format {name} computes in float32, this net in {numbers}. "
                    "Build the net anew under the policy 'float32' "
                    "(keras.config.set_dtype_policy) and give it the weights, or use "
                    "format='savedmodel'."
                )
        for spec in function.structured_input_signature[1].values():
            if spec.dtype == tf.string:
                raise ValueError(
                    f"The format {name} has no strings, but {spec.name} is one. Leave "
                    "out images and names, or use format='savedmodel', which reads "
                    "texts and files."
                )


def _types_of(function: Any) -> set[int]:
    """The types of tensors that a graph and the functions it calls compute with."""
    graph = function.graph.as_graph_def()
    nodes = (graph.node, *(called.node_def for called in graph.library.function))
    return {a.type for each in nodes for node in each for a in node.attr.values()}
