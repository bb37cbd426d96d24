"""Scores on frozen episodes."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from evaluation_cases import SIZE, split
from learner_cases import CASES, FEATURES, batch, drawn, normed, plain

import tfmeta
from tfmeta.core import Examples, Options, Values
from tfmeta.data import episodes, save_episodes
from tfmeta.evaluation import baselines, compare, evaluate, query_logits
from tfmeta.evaluation.scorer import Scorer
from tfmeta.layers import BatchNorm
from tfmeta.learners import MAML, FromScratch, NearestNeighbour, ProtoNet


def test_scores_are_the_share_of_right_answers() -> None:
    learner = NearestNeighbour()
    stream = episodes(split(), way=3, shot=2, query=4, tasks=7, seed=1, count=7)
    x, y = next(iter(stream))
    expected = []
    for task in range(7):
        known, labels = x["support_x"][task].numpy(), x["support_y"][task].numpy()
        right = [
            labels[((known - q) ** 2).sum(1).argmin()] == label
            for q, label in zip(x["query_x"][task].numpy(), y[task], strict=True)
        ]
        expected.append(np.mean(right))
    found = evaluate(learner, split(), **SIZE)
    np.testing.assert_allclose(found.scores, expected, rtol=1e-6)
    assert (found.learner, found.metric, found.split) == (
        "NearestNeighbour",
        "accuracy",
        "test",
    )
    assert (found.way, found.shot, found.query, found.seed) == (3, 2, 4, 1)
    assert found.normalisation == "none" and found.steps is None
    assert found.curve is None and found.seconds > 0


@pytest.mark.parametrize("curve", [False, True])
def test_the_metrics_of_labels_by_hand(curve) -> None:
    learner = MAML(normed(5), inner_steps=2, inner_lr=0.1)
    found = evaluate(learner, split(), **SIZE, curve=curve)
    logits, labels = query_logits(learner, split(), **SIZE)
    logits, labels = logits.reshape(7, 12, 5), labels.reshape(7, 12)
    assert set(found.metrics) == {"accuracy", "nll"}
    for task in range(7):
        nll, right = [], []
        for row, label in zip(logits[task], labels[task], strict=True):
            nll.append(np.log(np.sum(np.exp(row - row[label]))))
            right.append(row.argmax() == label)
        assert found.metrics["nll"][task] == pytest.approx(np.mean(nll), rel=1e-4)
        assert found.metrics["accuracy"][task] == pytest.approx(np.mean(right))
    np.testing.assert_array_equal(found.metrics["accuracy"], found.scores)


def test_the_episodes_are_frozen(monkeypatch) -> None:
    learner = NearestNeighbour()
    first = evaluate(learner, split(), **SIZE).scores
    np.testing.assert_array_equal(evaluate(learner, split(), **SIZE).scores, first)
    monkeypatch.setattr("tfmeta.evaluation.frozen._TASKS_AT_ONCE", 3)
    np.testing.assert_allclose(evaluate(learner, split(), **SIZE).scores, first)
    more = evaluate(learner, split(), **{**SIZE, "episodes": 9}).scores
    np.testing.assert_allclose(more[:7], first)
    other = evaluate(learner, split(), **SIZE, seed=2).scores
    assert np.any(other != first)


def test_a_model_and_its_learner_score_alike_and_a_scorer_serves_again() -> None:
    learner = ProtoNet(plain())
    scorer = Scorer(learner)
    first = evaluate(tfmeta.MetaModel(learner), split(), **SIZE, scorer=scorer)
    again = evaluate(learner, split(), **SIZE, scorer=scorer)
    np.testing.assert_array_equal(first.scores, again.scores)


def test_steps_and_their_curve() -> None:
    learner = MAML(normed(), inner_steps=1, inner_lr=0.1, eval_steps=3)
    result = evaluate(learner, split(), **SIZE, curve=True)
    assert result.steps == 3 and result.curve.shape == (4, 7)
    np.testing.assert_array_equal(result.curve[-1], result.scores)
    np.testing.assert_allclose(result.scores, evaluate(learner, split(), **SIZE).scores)
    # Before any step the head made from prototypes is a prototypical network.
    protonet = ProtoNet(learner.net, normalisation="support")
    start = evaluate(protonet, split(), **SIZE).scores
    np.testing.assert_allclose(result.curve[0], start)
    other = evaluate(learner, split(), **SIZE, steps=0)
    assert other.steps == 0
    np.testing.assert_allclose(other.scores, start)


def test_a_curve_of_chosen_steps_has_the_same_numbers() -> None:
    learner = MAML(normed(), inner_steps=1, inner_lr=0.1, eval_steps=7)
    whole = evaluate(learner, split(), **SIZE, curve=True)
    chosen = evaluate(learner, split(), **SIZE, curve=(2, 0))
    assert whole.curve_steps == tuple(range(8))
    assert chosen.curve_steps == (0, 2, 7)  # The last one always.
    np.testing.assert_array_equal(chosen.curve, whole.curve[[0, 2, 7]])
    np.testing.assert_array_equal(chosen.scores, whole.scores)
    assert [point["step"] for point in chosen.summary()["curve"]] == [0, 2, 7]
    with pytest.raises(ValueError, match=r"curve must be .* in 0..7. Received: \[8\]"):
        evaluate(learner, split(), **SIZE, curve=[0, 8])


def test_progress_is_told_and_may_end_the_evaluation(tmp_path) -> None:
    told = []
    scorer = Scorer(NearestNeighbour())
    options = {**SIZE, "scorer": scorer}
    plain = evaluate(scorer.learner, split(), **options)
    found = evaluate(
        scorer.learner, split(), **options, progress=lambda *each: told.append(each)
    )
    np.testing.assert_array_equal(found.scores, plain.scores)
    assert found.drawn == plain.drawn
    done = [count for count, _ in told]
    assert done == sorted(set(done)) and done[-1] == 7 and done[0] < 7
    assert {of for _, of in told} == {7}

    def stop(done: int, episodes: int) -> None:
        raise KeyboardInterrupt(f"{done} of {episodes}")

    with pytest.raises(KeyboardInterrupt, match=f"{done[0]} of 7"):
        evaluate(scorer.learner, split(), **options, progress=stop)
    again = evaluate(scorer.learner, split(), **options)
    np.testing.assert_array_equal(again.scores, plain.scores)

    file = tmp_path / "episodes.npz"
    save_episodes(file, split(), way=3, shot=2, query=4, count=5, seed=1)
    told.clear()
    learner = NearestNeighbour()
    for scoring in (evaluate, query_logits):
        scoring(
            learner,
            split(),
            episodes_file=file,
            progress=lambda *each: told.append(each),
        )
        assert told[-1] == (5, 5)


def test_all_queries_that_are_left() -> None:
    result = evaluate(NearestNeighbour(), split(), **{**SIZE, "query": None})
    assert result.query is None and result.episodes == 7
    # Ten of twelve are left of each of three classes.
    np.testing.assert_allclose(result.scores * 30, np.round(result.scores * 30), 1e-5)


def test_shuffled_labels_are_at_chance() -> None:
    for learner in (NearestNeighbour(), ProtoNet(plain())):
        result = evaluate(learner, split(shuffled=True), **{**SIZE, "episodes": 200})
        assert abs(result.mean - 1 / 3) < 1.5 * result.ci95 + 0.03
        assert evaluate(learner, split(), **SIZE).mean > 0.5


def test_refusals() -> None:
    with pytest.raises(ValueError, match="way=3 needs a head of 3 outputs.* has 2"):
        evaluate(MAML(plain(2)), split(), **SIZE)
    with pytest.raises(ValueError, match="at least 1. Received: 0"):
        evaluate(NearestNeighbour(), split(), way=3, shot=1, episodes=0)
    with pytest.raises(ValueError, match="Received: str"):
        evaluate("model", split(), **SIZE)
    with pytest.raises(ValueError, match="takes no inner steps|no inner steps"):
        ProtoNet(plain()).trajectory(None, Options(steps=2))


def test_baselines() -> None:
    nearest, scratch = baselines(tfmeta.MetaModel(ProtoNet(plain())))
    assert type(nearest) is NearestNeighbour and type(scratch) is FromScratch
    assert scratch.max_way is None
    assert baselines(nearest)[1:] == []
    # The net's own weights are not used.
    for a, b in zip(scratch.net.get_weights(), plain().get_weights(), strict=True):
        assert a.shape == b.shape and (a.ndim == 1 or np.any(a != b))


@pytest.mark.parametrize(
    "layers",
    [[keras.layers.BatchNormalization()], [BatchNorm(), keras.layers.Dropout(0.5)]],
    ids=["stock", "dropout"],
)
def test_baselines_of_nets_that_cannot_take_the_supports_statistics(layers) -> None:
    net = keras.Sequential([keras.Input(FEATURES), keras.layers.Dense(3), *layers])
    scratch = baselines(ProtoNet(net))[1]
    assert scratch.normalisation == "running"
    assert evaluate(scratch, split(), **SIZE, steps=1).episodes == 7


@pytest.fixture(scope="module")
def sinusoid() -> tfmeta.data.Source:
    return tfmeta.data.load("sinusoid")


def regressor(**options) -> MAML:
    net = keras.Sequential([keras.Input((1,)), keras.layers.Dense(8, "tanh")])
    net.add(keras.layers.Dense(1))
    return MAML(drawn(net), inner_lr=0.02, **options)


def test_float_targets_are_scored_by_the_mean_squared_error(sinusoid) -> None:
    learner = regressor(eval_steps=3)
    options = dict(shot=5, query=4, episodes=23)
    found = evaluate(learner, sinusoid.test, **options, curve=True)
    assert (found.metric, found.way, found.shot, found.query) == ("mse", None, 5, 4)
    assert found.curve.shape == (4, 23) and not found.higher_is_better
    stream = episodes(sinusoid.test, shot=5, query=4, tasks=23, seed=1, count=23)
    x, y = next(iter(stream))
    for task in range(23):
        support, query = (x[f"{name}_x"][task].numpy() for name in ("support", "query"))
        adapted = learner.adapt(
            Examples(support, x["support_y"][task]), Options(steps=3)
        )
        for row, answer in (
            (0, learner.net(query).numpy()),
            (3, learner.predict(adapted, query, Options()).numpy()),
        ):
            errors = [
                (a - b) ** 2 for a, b in zip(answer, y[task].numpy(), strict=True)
            ]
            assert found.curve[row, task] == pytest.approx(sum(errors)[0] / 4, rel=1e-4)
    np.testing.assert_array_equal(found.scores, found.curve[-1])
    again = evaluate(learner, sinusoid.test, **options)
    np.testing.assert_allclose(again.scores, found.scores, rtol=1e-5)


def test_baselines_of_a_regressor(sinusoid) -> None:
    net = tfmeta.nets.mlp(outputs=1, units=(40, 40), input_shape=(1,))
    (scratch,) = baselines(MAML(net), targets=Values())
    assert type(scratch) is FromScratch
    found = evaluate(scratch, sinusoid.test, shot=5, query=10, episodes=40)
    assert 1 < found.mean < 20  # It does not diverge.
    assert baselines(ProtoNet(plain()), targets=Values()) == []
    assert baselines(NearestNeighbour(), targets=Values()) == []


@pytest.mark.parametrize("curve", [False, True])
@pytest.mark.parametrize("targets", [False, True])
def test_padding_is_neither_learned_from_nor_scored(curve, targets) -> None:
    name = "maml_regression" if targets else "maml"
    case = next(case for case in CASES if case.name == name)
    whole = batch(case, tasks=3)
    scorer = Scorer(case.make(), curve=curve)
    known, asked = [7, 4, 5], [5, 6, 4]
    support = [
        [part[t : t + 1, : known[t]] for part in whole.support] for t in range(3)
    ]
    query = [[part[t : t + 1, : asked[t]] for part in whole.query] for t in range(3)]
    alone = [
        scorer(dict(support_x=sx, support_y=sy, query_x=qx), qy)
        for (sx, sy), (qx, qy) in zip(support, query, strict=True)
    ]
    x = dict(
        support_x=whole.support.x, support_y=whole.support.y, query_x=whole.query.x
    )
    counts = dict(support_count=tf.constant(known), query_count=tf.constant(asked))
    padding = tf.range(6) >= counts["query_count"][:, None]
    y = whole.query.y
    padding = tf.reshape(padding, (3, 6, *[1] * (len(y.shape) - 2)))
    found = scorer({**x, **counts}, tf.where(padding, tf.cast(-1, y.dtype), y))
    everything = scorer(x, whole.query.y)
    assert set(found) == ({"mse", "mae"} if targets else {"accuracy", "nll"})
    for metric, scores in found.items():
        expected = np.concatenate([each[metric] for each in alone], axis=1)
        np.testing.assert_allclose(scores, expected, rtol=1e-4)
        assert np.any(np.abs(scores - everything[metric]) > 1e-3)


def test_episodes_of_a_file_are_scored_as_those_it_was_made_of(tmp_path) -> None:
    asked = dict(way=3, shot=2, query=4, seed=5)
    path = save_episodes(tmp_path / "some.npz", split(), count=23, **asked)
    learner = NearestNeighbour()
    found = evaluate(learner, split(), episodes_file=path)
    drawn_anew = evaluate(learner, split(), episodes=23, **asked)
    np.testing.assert_array_equal(found.scores, drawn_anew.scores)
    assert (found.way, found.shot, found.query, found.episodes) == (3, 2, 4, 23)
    assert found.seed is None and found.drawn == drawn_anew.drawn
    assert compare(found, learner, split(), episodes_file=path).difference == 0
    assert compare(found, drawn_anew).difference == 0
    rest = save_episodes(
        tmp_path / "rest.npz", split(), way=3, shot=2, query=None, seed=5, count=4
    )
    left = dict(way=3, shot=2, query=None, seed=5, episodes=4)
    pair = [
        evaluate(learner, split(), **each) for each in (left, {"episodes_file": rest})
    ]
    assert (pair[0].query, pair[1].query) == (None, 10)
    assert compare(*pair).difference == 0
    given = query_logits(learner, split(), episodes_file=path)
    assert given.logits.shape == (23 * 12, 3)

    with pytest.raises(ValueError, match="has their way and shot.*way=3, shot=None"):
        evaluate(learner, split(), way=3, episodes_file=path)
    with pytest.raises(ValueError, match="head of 3 outputs, but the net has 2"):
        evaluate(MAML(plain(2)), split(), episodes_file=path)
    sine = tfmeta.data.load("sinusoid").test
    with pytest.raises(ValueError, match="tasks of split 'test' have values"):
        evaluate(learner, sine, episodes_file=path)
    with pytest.raises(ValueError, match="Received: neither shot.* Give way and shot"):
        evaluate(learner, split(), way=3)


@pytest.mark.parametrize(
    ("learner", "part", "sentence"),
    [
        (ProtoNet(plain()), "sinusoid", "ProtoNet learns labels, .* have values"),
        (NearestNeighbour(), "sinusoid", "NearestNeighbour learns labels"),
        (MAML(plain(3), targets="values"), None, "MAML learns values, .* have labels"),
    ],
)
def test_a_learner_of_other_targets_is_refused(learner, part, sentence) -> None:
    part = split() if part is None else tfmeta.data.load(part).test
    way = 3 if part.class_names else None
    with pytest.raises(ValueError, match=sentence):
        evaluate(learner, part, way=way, shot=1, query=2, episodes=2)


def test_a_scorer_of_another_learner_is_refused() -> None:
    scorer = Scorer(ProtoNet(plain()))
    with pytest.raises(ValueError, match="scorer must be .* of another ProtoNet"):
        evaluate(ProtoNet(plain()), split(), way=3, shot=1, query=2, scorer=scorer)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"steps": 3}, "own steps and curve. Received: .*steps=3 and curve=False"),
        ({"curve": True}, "own steps and curve. Received: .*steps=None and curve=True"),
    ],
)
def test_a_scorer_with_other_steps_is_refused(options, sentence) -> None:
    learner = MAML(normed())
    with pytest.raises(ValueError, match=sentence):
        evaluate(learner, split(), **SIZE, scorer=Scorer(learner), **options)


def test_a_curve_of_no_steps_has_one_point() -> None:
    learner = MAML(normed())
    with pytest.raises(ValueError, match="steps must be at least 0, or None.* -1"):
        evaluate(learner, split(), **SIZE, steps=-1)
    found = evaluate(learner, split(), **SIZE, steps=0, curve=True)
    assert found.curve.shape == (1, 7)
    np.testing.assert_array_equal(found.curve[0], found.scores)
    assert evaluate(ProtoNet(plain()), split(), **SIZE, curve=True).curve is None


@pytest.mark.parametrize("targets", ["labels", "values"])
def test_a_learner_that_diverged_scores_nan_on_each_episode(targets, sinusoid) -> None:
    """As many scores as episodes were asked for, over batches of twenty."""
    learner = ProtoNet(plain()) if targets == "labels" else regressor()
    weights = learner.net.get_weights()
    learner.net.set_weights([np.full_like(w, np.nan) for w in weights])
    part, way = (split(), 3) if targets == "labels" else (sinusoid.test, None)
    found = evaluate(learner, part, way=way, shot=2, query=3, episodes=21)
    assert found.episodes == 21
    for scores in [found.scores, *found.metrics.values()]:
        assert scores.shape == (21,) and np.isnan(scores).all()
    assert np.isnan([found.mean, found.ci95]).all()
    with pytest.raises(ValueError, match="diverged.* no number on 21 of 21 episodes"):
        compare(found, found)


def test_one_episode_has_a_score_and_no_interval() -> None:
    found = evaluate(NearestNeighbour(), split(), **{**SIZE, "episodes": 1})
    assert found.scores.shape == (1,) and found.mean == found.scores[0]
    assert np.isnan(found.ci95)
    assert compare(found, found).verdict.endswith(
        "1 episode, where A - B is 0.00 points."
    )
