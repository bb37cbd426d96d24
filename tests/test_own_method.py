"""The method that BUILD.md shows is one, as it stands there."""

from __future__ import annotations

import pathlib
import re

import keras
import numpy as np
import tensorflow as tf
from learner_cases import normed

from tfmeta import MetaModel, export
from tfmeta.learners import Learner
from tfmeta.ops import class_means, count_ways, squared_euclidean

BUILD = pathlib.Path(__file__).resolve().parents[1] / "BUILD.md"


def test_the_method_of_build_md_trains_adapts_and_exports(tmp_path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", BUILD.read_text(), re.DOTALL)
    names = {
        "keras": keras,
        "Learner": Learner,
        "class_means": class_means,
        "count_ways": count_ways,
        "squared_euclidean": squared_euclidean,
    }
    exec(code, names)
    model = MetaModel(names["NearestMean"](normed()), task_map="loop")
    model.compile(keras.optimizers.Adam(0.05))
    draws = np.random.default_rng(0)
    y = np.tile(np.int32([0, 1, 2]), (8, 2))
    x = (draws.normal(size=(8, 6, 4)) + 2 * y[..., None]).astype("float32")
    batch = {"support_x": x, "support_y": y, "query_x": x}
    losses = [float(model.meta_step((batch, y))["task_losses"][0]) for _ in range(9)]
    assert losses[-1] < losses[0]
    classifier = model.adapt(x[0], ["ant", "bee", "cat"] * 2)
    assert classifier.evaluate(x[0], ["ant", "bee", "cat"] * 2) > 0.5
    folder = export.save(model, tmp_path / "exported")
    served = tf.saved_model.load(str(folder)).signatures["adapt_and_predict"]
    answer = served(**{name: tf.constant(v[0]) for name, v in batch.items()})
    np.testing.assert_allclose(
        answer["probabilities"], classifier.predict(x[0]), rtol=1e-4, atol=1e-5
    )
