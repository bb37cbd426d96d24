"""The specs of raw examples in a preparation's config."""

from __future__ import annotations

import json

import keras
import pytest
import tensorflow as tf

from tfmeta.data.prepare.preparation import Preparation
from tfmeta.data.prepare.raw_inputs import from_texts, to_texts

SPECS = {
    "age": tf.TensorSpec((None,), tf.int64),
    "image": (tf.TensorSpec((None, 8, None, 3), tf.uint8),),
    "text": tf.TensorSpec((None, 1), tf.string),
}


def test_specs_pass_through_texts() -> None:
    texts = to_texts(SPECS)
    assert texts == {"age": "int64[]", "image": ("uint8[8,?,3]",), "text": "string[1]"}
    assert from_texts(json.loads(json.dumps(texts))) == SPECS == from_texts(SPECS)


def test_a_preparation_keeps_its_raw_inputs_in_its_config() -> None:
    made = Preparation(keras.layers.Rescaling(2.0), inputs=SPECS)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(made)))
    assert keras.saving.deserialize_keras_object(config).inputs == SPECS
    assert Preparation().inputs is None


@pytest.mark.parametrize("bad", ["float32", "float32(3)", 3])
def test_what_is_no_spec_is_refused(bad) -> None:
    with pytest.raises(ValueError, match="must be a nest of tf.TensorSpec.*Received"):
        Preparation(inputs=bad)
