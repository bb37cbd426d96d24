"""The classifier of one task, from plain arrays to a SavedModel."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta import learners
from tfmeta.nets import conv4, fresh, mlp

DRAWS = np.random.default_rng(0)
# Three clusters far apart: any embedding that keeps inputs apart tells them apart.
CENTRES = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
X = np.repeat(CENTRES, 3, 0) + DRAWS.normal(0, 0.01, (9, 3))
NAMES = np.repeat(["wren", "owl", "tit"], 3)
ORDER = DRAWS.permutation(9)


def nearest() -> tfmeta.MetaModel:
    return tfmeta.MetaModel(learners.NearestNeighbour())


def embedding() -> keras.Model:
    return fresh(mlp(units=(8,), input_shape=(3,)), seed=0)


def proto() -> tfmeta.MetaModel:
    return tfmeta.MetaModel(learners.ProtoNet(embedding()))


def images() -> tfmeta.MetaModel:
    net = fresh(conv4(way=3, filters=2, strided=True, input_shape=(4, 4, 1)), seed=0)
    return tfmeta.MetaModel(learners.MAML(net))


def test_it_answers_with_the_names_it_was_given():
    clf = nearest().adapt(X[ORDER], NAMES[ORDER])
    assert clf.classes.tolist() == ["owl", "tit", "wren"]
    assert clf.classify(CENTRES).tolist() == ["wren", "owl", "tit"]
    probabilities = clf.predict(CENTRES)
    assert probabilities.shape == (3, 3) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-6)
    assert probabilities.argmax(-1).tolist() == [2, 0, 1]
    assert clf.predict(CENTRES[:0]).shape == (0, 3)


def test_numbers_may_be_any():
    clf = nearest().adapt(X, np.repeat([40, -7, 1000], 3))
    assert clf.classify(CENTRES).tolist() == [40, -7, 1000]


def test_a_head_of_more_outputs_answers_for_the_classes_alone():
    net = fresh(mlp(outputs=7, units=(4,), input_shape=(3,)), seed=0)
    clf = tfmeta.MetaModel(learners.MAML(net)).adapt(X, NAMES)
    assert clf.predict(X).shape == (9, 3)
    np.testing.assert_allclose(clf.predict(X).sum(-1), 1, atol=1e-6)


def test_uint8_images_are_scaled():
    pixels = DRAWS.integers(0, 256, (6, 4, 4, 1)).astype(np.uint8)
    labels = [0, 1, 2, 0, 1, 2]
    model = images()
    from_pixels = model.adapt(pixels, labels).predict(pixels)
    from_floats = model.adapt(pixels / 255, labels).predict(pixels / 255)
    np.testing.assert_allclose(from_pixels, from_floats, atol=1e-5)


def test_evaluate_is_the_share_of_right_answers():
    clf = nearest().adapt(X, NAMES)
    truth = ["wren", "owl", "wren"]  # The last query is a tit.
    assert clf.evaluate(CENTRES, truth) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("x", "y", "sentence"),
    [
        (CENTRES, ["wren", "owl", "rook"], r"not in the support set: \['rook'\]"),
        (CENTRES, ["wren"], r"3 queries and y of shape \(1,\)"),
        (CENTRES[:0], [], "0 queries"),
    ],
)
def test_evaluate_refuses(x, y, sentence):
    with pytest.raises(ValueError, match=sentence):
        nearest().adapt(X, NAMES).evaluate(x, y)


@pytest.mark.parametrize(
    ("model", "x", "y", "sentence"),
    [
        (proto, X[:, :2], NAMES, r"support_x must have the shape \(examples, 3\)"),
        (proto, X[0], NAMES[:3], r"support_x must have the shape .*\(3,\)"),
        (images, np.zeros((2, 4, 4)), [0, 1], r"\(examples, 4, 4, 1\).*\.\.\., None\]"),
        (images, np.zeros((4, 4, 4, 1)), range(4), "at most 3 classes.* 4"),
        (proto, X, NAMES[:8], r"shapes \(9, 3\) and \(8,\)"),
        (proto, X[:0], NAMES[:0], "at least one"),
        (proto, X * np.nan, NAMES, "support_x must be .* finite.*NaN"),
        (proto, X * 1e60, NAMES, "support_x must be .* finite.*infinite"),
        (proto, 3.0, NAMES, "support_x must be .*a single number"),
        (nearest, [[1.0], [1.0, 2.0]], [0, 1], "examples of one shape"),
        (nearest, [["a"], ["b"]], [0, 1], "an array of numbers"),
    ],
)
def test_a_support_set_that_does_not_fit_is_refused(model, x, y, sentence):
    with pytest.raises(ValueError, match=sentence):
        model().adapt(x, y)


@pytest.mark.parametrize("model", [proto, nearest])
@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (X[:, :2], r"x must have the shape \(examples, 3\). Received: \(9, 2\)"),
        (X[0], r"x must have the shape \(examples, 3\). Received: \(3,\).* x\[None\]"),
        (X * np.inf, "x must be .* finite"),
    ],
)
def test_queries_that_do_not_fit_are_refused(model, x, sentence):
    clf = model().adapt(X, NAMES)
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=sentence):
        clf.predict(x)


@pytest.mark.parametrize("model", [proto, nearest])
def test_it_saves_itself(model, tmp_path):
    clf = model().adapt(X, NAMES)
    assert clf.save(tmp_path / "birds") == tmp_path / "birds" / "1"
    folder = clf.save(str(tmp_path / "birds"))
    assert folder == tmp_path / "birds" / "2"
    served = tf.saved_model.load(str(folder))
    answer = served.signatures["serving_default"](
        query_x=tf.constant(CENTRES, tf.float32)
    )
    wanted = clf.predict(CENTRES)
    np.testing.assert_allclose(answer["probabilities"], wanted, atol=1e-5)
    names = [name.decode() for name in answer["names"].numpy()]
    assert names == clf.classify(CENTRES).tolist()


def test_examples_of_several_parts_need_no_net(tmp_path):
    # Neither part alone tells the three apart.
    x = {"left": X[:, :1], "rest": X[:, 1:]}
    queries = {
        name: CENTRES[:, part] for name, part in zip(x, ([0], [1, 2]), strict=True)
    }
    clf = nearest().adapt(x, NAMES)
    assert clf.classify(queries).tolist() == ["wren", "owl", "tit"]
    served = tf.saved_model.load(str(clf.save(tmp_path))).signatures["predict"]
    asked = {f"query_x_{n}": tf.constant(v, tf.float32) for n, v in queries.items()}
    np.testing.assert_allclose(
        served(**asked)["probabilities"], clf.predict(queries), atol=1e-5
    )
    learner, shapes = learners.NearestNeighbour(), {"left": (1,), "rest": (2,)}
    folder = tfmeta.export.save(learner, tmp_path / "a", example_shape=shapes)
    served = tf.saved_model.load(str(folder)).signatures["adapt_and_predict"]
    known = {f"support_x_{n}": tf.constant(v, tf.float32) for n, v in x.items()}
    labels = tf.constant(np.unique(NAMES, return_inverse=True)[1], tf.int32)
    answer = served(**known, **asked, support_y=labels)
    np.testing.assert_allclose(answer["probabilities"], clf.predict(queries), atol=1e-5)


def test_a_transductive_classifier_saves_with_the_flag_alone(tmp_path):
    net = fresh(conv4(filters=2, strided=True, input_shape=(4, 4, 1)), seed=0)
    learner = learners.ProtoNet(net, normalisation="task")
    clf = tfmeta.MetaModel(learner).adapt(np.eye(4).reshape(1, 4, 4, 1), ["a"])
    with pytest.raises(ValueError, match="allow_transductive=True"):
        clf.save(tmp_path / "a")
    assert clf.save(tmp_path / "a", allow_transductive=True).name == "1"


def matching() -> tfmeta.MetaModel:
    return tfmeta.MetaModel(learners.MatchingNet(embedding()))


def proto_of_support() -> tfmeta.MetaModel:
    # By other seeds a unit is dead, and classes tie.
    net = fresh(conv4(filters=2, strided=True, input_shape=(1, 3, 1)), seed=5)
    return tfmeta.MetaModel(learners.ProtoNet(net, normalisation="support"))


def proto_maml() -> tfmeta.MetaModel:
    return tfmeta.MetaModel(learners.MAML(embedding(), inner_lr=0.01))


def probe() -> tfmeta.MetaModel:
    return tfmeta.MetaModel(learners.LinearProbe(embedding()))


GROWING = [nearest, proto, matching]
ANEW = [proto_of_support, proto_maml, probe]


@pytest.mark.parametrize("model", GROWING + ANEW)
def test_a_class_can_be_added(model, tmp_path):
    learns = model()
    assert learns.learner.extends == (model in GROWING)
    shape = (-1, 1, 3, 1) if model is proto_of_support else (-1, 3)
    x, queries = X.reshape(shape), CENTRES.reshape(shape)
    at_once = learns.adapt(x, NAMES)
    clf = learns.adapt(x[NAMES != "owl"], NAMES[NAMES != "owl"])
    before = tf.nest.map_structure(np.array, clf.adapted)
    clf.add_class(x[NAMES == "owl"], "owl")
    assert clf.classes.tolist() == ["tit", "wren", "owl"]
    columns = [at_once.classes.tolist().index(name) for name in clf.classes]
    answers = clf.predict(queries)
    # Adam's hundred steps make more of another order of the examples.
    tolerance = 1e-2 if model is probe else 1e-5
    np.testing.assert_allclose(
        answers, at_once.predict(queries)[:, columns], atol=tolerance
    )
    assert clf.evaluate(queries, at_once.classify(queries)) == 1
    if model is proto:  # The other prototypes are not touched.
        kept = clf.adapted["prototypes"].numpy()[:2]
        np.testing.assert_array_equal(kept, before["prototypes"])
    served = tf.saved_model.load(str(clf.save(tmp_path))).signatures["serving_default"]
    answer = served(query_x=tf.constant(queries, tf.float32))
    np.testing.assert_allclose(answer["probabilities"], answers, atol=1e-5)
    names = [name.decode() for name in answer["names"].numpy()]
    assert names == at_once.classify(queries).tolist()


@pytest.mark.parametrize("model", [proto, proto_maml])
def test_classes_can_be_added_again_and_have_longer_names(model):
    clf = model().adapt(X[:3], NAMES[:3])
    clf.add_class(X[3:6], "oystercatcher")
    clf.add_class(X[6:], "tit")
    assert clf.classify(CENTRES).tolist() == ["wren", "oystercatcher", "tit"]
    numbers = model().adapt(X[:6], [7, 7, 7, 3, 3, 3])
    numbers.add_class(X[6:], 5)
    assert numbers.classify(CENTRES).tolist() == [7, 3, 5]


def headed() -> tfmeta.MetaModel:
    net = fresh(mlp(outputs=3, units=(4,), input_shape=(3,)), seed=0)
    return tfmeta.MetaModel(learners.MAML(net))


@pytest.mark.parametrize("model", [proto, headed])
@pytest.mark.parametrize(
    ("x", "name", "sentence"),
    [
        (X[:, :2], "owl", r"x must have the shape \(examples, 3\)"),
        (X[0], "owl", r"x must have the shape"),
        (X[:0], "owl", "at least one example"),
        (X * np.nan, "owl", "finite"),
        (X, "wren", "'wren' is one of the classes already"),
        (X, 5, "of the same kind as the others, such as 'tit'. Received: 5"),
        (X, ["owl"], "of the same kind"),
    ],
)
def test_an_added_class_that_does_not_fit_changes_nothing(model, x, name, sentence):
    clf = model().adapt(X[NAMES != "owl"], NAMES[NAMES != "owl"])
    before = clf.predict(CENTRES)
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=sentence):
        clf.add_class(x, name)
    np.testing.assert_array_equal(clf.predict(CENTRES), before)
    assert clf.classes.tolist() == ["tit", "wren"]


def test_a_full_head_takes_no_more():
    clf = headed().adapt(X, NAMES)
    with pytest.raises(ValueError, match="at most 3 classes, but there would be 4"):
        clf.add_class(X, "rook")
    assert clf.predict(CENTRES).shape == (3, 3)


@pytest.mark.parametrize("model", [*GROWING, proto_maml])
def test_hundreds_of_examples_of_many_classes(model):
    """Unequal shots, more examples than go through the net together."""
    labels = np.repeat(np.arange(60), np.where(np.arange(60) % 3, 10, 3))
    order = DRAWS.permutation(len(labels))
    x = DRAWS.normal(0, 1, (60, 3))[labels] + DRAWS.normal(0, 0.01, (len(labels), 3))
    x, labels = x[order].astype(np.float32), labels[order].astype(np.int32)
    learns = model()
    clf = learns.adapt(x, [f"product {i:02}" for i in labels])
    support = tfmeta.Examples(tf.constant(x), tf.constant(labels))
    adapted = learns.learner.adapt(support, tfmeta.Options())
    logits = learns.learner.predict(adapted, tf.constant(x), tfmeta.Options())
    assert clf.predict(x).shape == (len(x), 60) and len(x) > 400
    np.testing.assert_allclose(clf.predict(x), tf.nn.softmax(logits), atol=1e-4)


def test_transductive_queries_stay_together():
    net = fresh(conv4(filters=2, strided=True, input_shape=(1, 3, 1)), seed=0)
    model = tfmeta.MetaModel(learners.ProtoNet(net, normalisation="task"))
    x = DRAWS.random((150, 1, 3, 1)).astype(np.float32)
    clf = model.adapt(x[:9], NAMES)
    logits = model.learner.predict(clf.adapted, tf.constant(x), tfmeta.Options())
    np.testing.assert_allclose(clf.predict(x), tf.nn.softmax(logits), atol=1e-5)


def test_unsure_answers_are_rejected():
    clf = nearest().adapt(X, NAMES)
    between = (CENTRES[:1] + CENTRES[1:2]) / 2
    queries = np.concatenate([CENTRES, between])
    best = clf.predict(queries).max(-1)
    assert best[3] < 0.6 < best[:3].min()
    rejecting = clf.classify(queries, reject_below=0.6)
    assert rejecting.tolist() == ["wren", "owl", "tit", None]
    assert clf.classify(queries, reject_below=float(best[3]))[3] is not None
    assert clf.classify(queries, reject_below=0).tolist() == (
        clf.classify(queries).tolist()
    )
    assert clf.classify(queries[:0], reject_below=0.5).shape == (0,)
    with pytest.raises(ValueError, match="reject_below must be a probability.* 60"):
        clf.classify(queries, reject_below=60)


def test_a_threshold_is_chosen_on_known_queries():
    clf = nearest().adapt(X, NAMES)
    between = (CENTRES[:1] + CENTRES[1:2]) / 2
    queries, truth = np.concatenate([CENTRES, between]), ["wren", "owl", "tit", "tit"]
    found = clf.choose_threshold(queries, truth, accuracy=1.0)
    assert (found.accuracy, found.coverage) == (1.0, 0.75)
    assert clf.classify(queries, reject_below=found.threshold).tolist() == [
        *truth[:3],
        None,
    ]
    with pytest.raises(ValueError, match="not in the support set"):
        clf.choose_threshold(CENTRES, ["rook"] * 3, accuracy=0.9)


def test_a_saved_classifier_rejects(tmp_path):
    clf = nearest().adapt(X, NAMES)
    queries = np.concatenate([CENTRES, (CENTRES[:1] + CENTRES[1:2]) / 2])
    folder = clf.save(tmp_path, reject_below=0.6)
    served = tf.saved_model.load(str(folder)).signatures["serving_default"]
    answer = served(query_x=tf.constant(queries, tf.float32))
    assert answer["names"].numpy().tolist() == [b"wren", b"owl", b"tit", b""]
    assert answer["labels"].numpy().tolist() == [2, 0, 1, -1]
    np.testing.assert_allclose(answer["probabilities"], clf.predict(queries), atol=1e-5)
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "largest probability is below 0.6 gets the label -1" in text
    with pytest.raises(ValueError, match="reject_below must be a probability"):
        clf.save(tmp_path, reject_below=60)


@pytest.mark.parametrize(
    "names", [[1, "a"], [None, "a"], [1.0, 2.0], np.array([None, "a"], object)]
)
def test_names_of_two_kinds_are_refused(names):
    with pytest.raises(ValueError, match="all of them texts, or all of them whole"):
        nearest().adapt(CENTRES[:2], names)


def test_names_may_stand_in_any_array():
    for names in (np.array(["b", "a"], object), ("b", "a"), tf.constant([7, 3])):
        clf = nearest().adapt(CENTRES[:2], names)
        wanted = names.numpy() if tf.is_tensor(names) else names
        assert clf.classify(CENTRES[:2]).tolist() == list(wanted)


def test_a_learner_that_diverged_does_not_answer():
    net = mlp(outputs=3, input_shape=(3,))
    net.set_weights([np.full_like(w, np.nan) for w in net.get_weights()])
    clf = tfmeta.MetaModel(learners.MAML(net)).adapt(X, NAMES)
    with pytest.raises(ValueError, match="NaN or an infinite prob"):
        clf.predict(CENTRES)


def test_a_dataset_in_place_of_an_array_is_told_apart_from_damage() -> None:
    data = tf.data.Dataset.from_tensor_slices(X)
    with pytest.raises(ValueError, match="support_x must be an array.*Dataset. Read"):
        proto().adapt(data, NAMES)
    with pytest.raises(ValueError, match="x must be an array.*Dataset. Read datasets"):
        proto().adapt(X, NAMES).predict(data)


def test_a_repr_has_the_learner_and_the_first_classes() -> None:
    assert repr(nearest().adapt(X, NAMES)) == (
        "AdaptedClassifier(NearestNeighbour, 3 classes: 'owl', 'tit', 'wren')"
    )
    many = nearest().adapt(X, np.arange(9))
    assert repr(many).endswith("9 classes: 0, 1, 2 and 6 more)")
