"""The first stage of a signature: from what a client sends to raw examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import tensorflow as tf

from tfmeta.core.episode import Nest, Tensor
from tfmeta.core.nests import named
from tfmeta.data.pictures.checked import decode_checked
from tfmeta.data.pictures.format import PictureFormat
from tfmeta.data.pictures.is_picture import is_picture
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.data.prepare.texts import is_text
from tfmeta.export.checks import Check, text_check
from tfmeta.export.example import sent_dtype
from tfmeta.export.guards import Guard

_X, IMAGES, _TEXT = "_x", "_images", "_text"


@dataclass(frozen=True)
class Field:
    """One input of a signature, which becomes one part of the raw examples.

    Attributes:
        spec: The name, dtype and shape of what is sent, `(examples, ...)`.
    """

    spec: tf.TensorSpec

    def read(self, sent: Tensor, guard: Guard) -> Tensor:
        """The raw part: here, what was sent.

        Args:
            sent: The input, `(examples, ...)`.
            guard: Lets tensors through checks.

        Returns:
            `(examples, ...)`.
        """
        return sent


@dataclass(frozen=True)
class TextField(Field):
    """An input of texts, strings `(examples,)`, none of which may be empty."""

    def read(self, sent: Tensor, guard: Guard) -> Tensor:
        """The texts, which are not empty; see `Field.read`."""
        return guard.passed({"": sent}, [text_check(self.spec.name, sent)])[""]


@dataclass(frozen=True)
class PictureField(Field):
    """An input of encoded pictures, strings `(examples,)`.

    Attributes:
        spec: The name, dtype and shape of what is sent.
        decode: Takes the strings; returns pixels, whether all are decoded, and the
            sentence for when one is not. It is a `tf.function`, so that it is traced
            once for all signatures that read the field.
    """

    decode: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]

    def read(self, sent: Tensor, guard: Guard) -> Tensor:
        """Decodes and resizes; `(examples, height, width, channels)` uint8."""
        name = self.spec.name
        pixels, holds, sentence = self.decode(sent)
        return guard.passed({name: pixels}, [Check(holds, lambda: sentence)])[name]


def plain_fields(inputs: Nest, part: str) -> Nest:
    """The inputs for examples that are sent as they are.

    Args:
        inputs: The raw examples, a nest of `tf.TensorSpec`.
        part: "support" or "query", with which the names of the inputs begin.

    Returns:
        A nest of `Field` of the same structure. Floats and pixels are sent as float32,
        whole numbers as int32, texts as strings. Where an example is one text, the
        field is a `TextField`, whose name begins with "support_text" or "query_text".
    """
    text = not tf.nest.is_nested(inputs) and is_text(inputs.shape[1:], inputs.dtype)
    kind, end = (TextField, _TEXT) if text else (Field, _X)
    fields = [
        kind(tf.TensorSpec(s.shape, sent_dtype(s.shape[1:], s.dtype), name))
        for name, s in named(inputs, part + end).items()
    ]
    return tf.nest.pack_sequence_as(inputs, fields)


def picture_fields(inputs: Nest, part: str, form: PictureFormat | None) -> Nest:
    """The inputs for examples whose pictures are sent as files.

    Args:
        inputs: The raw examples, a nest of `tf.TensorSpec`.
        part: "support" or "query", with which the names of the inputs begin.
        form: What an encoded picture becomes; None for the shape of the raw example.

    Returns:
        A nest of `Field` of the same structure; the names of pictures begin with
        "support_images" or "query_images".

    Raises:
        ValueError: If no part of an example is a picture.
    """
    fields = tf.nest.flatten(plain_fields(inputs, part))
    found = [
        _as_picture(field, part, form) if _holds_picture(field.spec, form) else field
        for field in fields
    ]
    if found == fields:
        shapes = [tuple(field.spec.shape[1:]) for field in fields]
        wanted = "(height, width, 1 or 3)" if form is None else str(form.shape)
        raise ValueError(
            f"images=True needs examples that are pictures of shape {wanted}. "
            f"Received: examples of shape {', '.join(map(str, shapes))}. Leave out "
            "images."
        )
    return tf.nest.pack_sequence_as(inputs, found)


def specs_of(fields: Nest) -> dict[str, tf.TensorSpec]:
    """The specs of a nest of fields by name."""
    return {field.spec.name: field.spec for field in tf.nest.flatten(fields)}


def read(fields: Nest, sent: Mapping[str, Tensor], guard: Guard) -> Nest:
    """Reads the raw examples.

    Args:
        fields: A nest of `Field`.
        sent: What was sent, by name.
        guard: Lets tensors through checks.

    Returns:
        The raw examples, in the structure of `fields`.
    """
    return tf.nest.map_structure(lambda f: f.read(sent[f.spec.name], guard), fields)


def _holds_picture(spec: tf.TensorSpec, form: PictureFormat | None) -> bool:
    shape = tuple(spec.shape[1:])
    if form is not None:
        return shape == form.shape
    return spec.dtype != tf.string and is_picture(shape, tf.uint8)


def _as_picture(field: Field, part: str, form: PictureFormat | None) -> PictureField:
    name = part + IMAGES + field.spec.name.removeprefix(part + _X)
    form = form or PictureFormat(*field.spec.shape[1:])
    decode = tf.function(
        lambda contents: decode_checked(contents, form, what=name), autograph=False
    )
    return PictureField(tf.TensorSpec([None], tf.string, name), decode)


def fields_of(
    raw: Nest, preparation: Preparation, images: bool
) -> dict[str, tuple[Nest, Nest]]:
    """The inputs of support sets and of queries, by the end of a signature's name.

    Args:
        raw: The raw examples, a nest of specs.
        preparation: What prepares them.
        images: Whether there are also signatures that take files of pictures.

    Returns:
        For the signatures without an ending, and with the ending `IMAGES`, the two
        nests of `Field`.
    """
    found = {"": (plain_fields(raw, "support"), plain_fields(raw, "query"))}
    if images:
        form = preparation.pictures
        found[IMAGES] = (
            picture_fields(raw, "support", form),
            picture_fields(raw, "query", form),
        )
    return found
