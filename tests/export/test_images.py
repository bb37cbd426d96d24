"""Signatures that take pictures as files."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta import export, learners
from tfmeta.data.pictures.decode import decode_pictures
from tfmeta.data.pictures.format import PictureFormat
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.nets import conv4, fresh, mlp

DRAWS = np.random.default_rng(0)
PIXELS = DRAWS.integers(256, size=(7, 8, 8, 3), dtype=np.uint8)
SUPPORT, QUERY = PIXELS[:4], PIXELS[4:]
Y = np.int32([1, 0, 1, 2])
FORM = PictureFormat(8, 8, 3)


def net(way: int | None = None):
    made = conv4(way=way, filters=4, strided=True, input_shape=(8, 8, 3))
    return fresh(made, seed=0)


def files(pixels: np.ndarray, encode=tf.io.encode_png) -> tf.Tensor:
    return tf.stack([encode(each) for each in pixels])


# What the preparation of each model knows of pictures.
FORMS = {"maml": FORM, "protonet": None, "nearest_neighbour": (*FORM.shape, True)}
LEARNERS = {
    "maml": lambda: learners.MAML(net(4), inner_steps=2),
    "protonet": lambda: learners.ProtoNet(net(), normalisation="running"),
    "nearest_neighbour": learners.NearestNeighbour,
}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Each model and its export."""
    found = {}
    for name, make in LEARNERS.items():
        learner = make()
        model = tfmeta.MetaModel(learner, prepare=Preparation(pictures=FORMS[name]))
        shape = (8, 8, 3) if learner.net is None else None
        options = {"images": True, "names": name == "maml", "example_shape": shape}
        folder = export.save(model, tmp_path_factory.mktemp(name), **options)
        found[name] = model, tf.saved_model.load(str(folder))
    return found


@pytest.mark.parametrize("name", LEARNERS)
def test_files_are_answered_as_python_answers_their_pixels(name, served) -> None:
    model, loaded = served[name]
    task = model.adapt(SUPPORT, Y)
    wanted = task.predict(QUERY)
    ask = loaded.signatures
    shown = [SUPPORT, QUERY]
    if name == "nearest_neighbour":  # Its pictures are inverted when they are read.
        shown = [255 - pixels for pixels in shown]
    support = {"support_images": files(shown[0]), "support_y": tf.constant(Y)}
    query = {"query_images": files(shown[1])}
    state = ask["adapt_images"](**support)
    floats = {"query_x": tf.constant(QUERY / np.float32(255))}
    for answer in (
        ask["adapt_and_predict_images"](**support, **query),
        ask["predict_images"](**query, **state),
        ask["predict"](**floats, **state),
    ):
        way = wanted.shape[-1]  # A head may have further outputs.
        found = answer["probabilities"].numpy()
        np.testing.assert_allclose(found[:, :way], wanted, atol=1e-4)
        np.testing.assert_array_equal(answer["labels"], wanted.argmax(-1))
    assert ask["predict_images"](query_images=tf.constant([], tf.string), **state)[
        "labels"
    ].shape == (0,)


def test_pictures_of_any_kind_and_size_become_what_the_source_makes(served) -> None:
    model, loaded = served["protonet"]
    large = DRAWS.integers(256, size=(3, 20, 30, 3), dtype=np.uint8)
    kinds = [tf.io.encode_png(large[0]), tf.io.encode_jpeg(large[1])]
    grey = tf.io.encode_png(large[2][..., :1])
    contents = tf.stack([*kinds, grey])
    pixels = decode_pictures(contents, FORM).numpy()
    wanted = model.adapt(pixels, [0, 1, 2]).predict(QUERY)
    answer = loaded.signatures["adapt_and_predict_images"](
        support_images=contents,
        support_y=tf.constant([0, 1, 2]),
        query_images=files(QUERY),
    )
    np.testing.assert_allclose(answer["probabilities"], wanted, atol=1e-4)


def test_pictures_with_names_are_answered_by_name(served) -> None:
    model, loaded = served["maml"]
    names = ["owl", "tit", "owl", "auk"]
    task = model.adapt(SUPPORT, names)
    answer = loaded.signatures["adapt_and_predict_images_names"](
        support_images=files(SUPPORT),
        support_names=tf.constant(names),
        query_images=files(QUERY),
    )
    np.testing.assert_allclose(answer["probabilities"], task.predict(QUERY), atol=1e-4)
    told = [name.decode() for name in answer["names"].numpy()]
    assert told == task.classify(QUERY).tolist()


@pytest.mark.parametrize("output", ["probabilities", "labels"])
def test_a_broken_picture_is_named_by_its_number(output, served) -> None:
    ask = served["maml"][1].signatures["adapt_and_predict_images"]

    @tf.function(autograph=False)
    def one(support, query):
        return ask(
            support_images=support, support_y=tf.constant(Y), query_images=query
        )[output]

    good, bad = files(SUPPORT), [*files(QUERY).numpy()]
    bad[2] = bad[2][:40]
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"query_images has in place 2 bytes"
    ):
        one(good, tf.constant(bad))
    broken = [b"", *good.numpy()[1:]]
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"support_images has in place 0 bytes"
    ):
        one(tf.constant(broken), files(QUERY))
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"must have the shape \(any number\)"
    ):
        ask(
            support_images=good[None],
            support_y=tf.constant(Y),
            query_images=files(QUERY),
        )


def test_a_broken_picture_is_flagged(tmp_path) -> None:
    options = {"example_shape": (8, 8, 3), "on_bad_input": "flag"}
    learner = learners.NearestNeighbour()
    folder = export.save(learner, tmp_path, images=True, **options)
    ask = tf.saved_model.load(str(folder)).signatures["adapt_and_predict_images"]
    support = {"support_images": files(SUPPORT), "support_y": tf.constant(Y)}
    assert int(ask(query_images=files(QUERY), **support)["valid"]) == 1
    answer = ask(query_images=tf.constant([b"no picture"]), **support)
    assert int(answer["valid"]) == 0 and answer["labels"].numpy().tolist() == [-1]


def test_an_adapted_task_takes_files_where_its_preparation_reads_pictures(
    tmp_path,
) -> None:
    model = tfmeta.MetaModel(LEARNERS["protonet"](), prepare=Preparation(pictures=FORM))
    task = model.adapt(SUPPORT, ["owl", "auk", "owl", "tit"])
    ask = tf.saved_model.load(str(task.save(tmp_path / "a"))).signatures
    answer = ask["predict_images"](query_images=files(QUERY))
    np.testing.assert_allclose(answer["probabilities"], task.predict(QUERY), atol=1e-4)
    assert set(answer) == {"probabilities", "labels", "names"}
    assert set(ask) == {"predict", "predict_images", "serving_default"}


@pytest.mark.parametrize(
    ("prepare", "wanted"),
    [
        (None, r"\(height, width, 1 or 3\)"),
        (Preparation(pictures=FORM), r"\(8, 8, 3\)"),
    ],
)
def test_examples_that_are_no_pictures_are_refused(prepare, wanted, tmp_path) -> None:
    learner = learners.ProtoNet(mlp(units=(4,), input_shape=(3,)))
    model = tfmeta.MetaModel(learner, prepare=prepare)
    sentence = f"images=True needs .* of shape {wanted}. Received: .*" + r"\(3,\)"
    with pytest.raises(ValueError, match=sentence):
        export.save(model, tmp_path / "a", images=True)
    assert not list(tmp_path.iterdir())
