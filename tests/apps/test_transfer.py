"""One task learned from all its examples, and weights that go from run to run."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.training import RunFolder

STEPS = ["--steps=4", "--validate_every=2", "--log_every=2", "--batch_size=8"]


@pytest.fixture(scope="module")
def squares(tmp_path_factory) -> str:
    """Pictures of four classes: the class is the corner that is bright."""
    draws = np.random.default_rng(0)
    y = np.arange(160) % 4
    x = draws.integers(0, 60, (160, 16, 16, 1), np.uint8)
    for picture, label in zip(x, y, strict=True):
        row, column = divmod(label, 2)
        picture[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] += 150
    path = tmp_path_factory.mktemp("data") / "squares.npz"
    np.savez(path, x=x, y=y)
    return f"--dataset=npz:{path}"


@pytest.fixture(scope="module")
def trained(start, squares, tmp_path_factory) -> str:
    run = str(tmp_path_factory.mktemp("runs") / "source")
    flags = ["--learner=supervised", squares, "--disjoint=examples", "--filters=4"]
    ended = start("train", *flags, *STEPS, f"--run_dir={run}").wait()
    assert (ended.code, ended.err) == (0, ""), ended.err
    assert "4 classes to train on, 4 to validate on, 4 kept for the test" in ended.out
    assert "examples/s" in ended.out and f"Training in {run}" in ended.out
    assert "--baselines" not in ended.out
    return run


def test_every_example_of_the_test_is_scored(trained, start):
    ended = start("evaluate", f"--run_dir={trained}", "--calibration", "--json").wait()
    assert (ended.code, ended.err) == (0, ""), ended.err
    result = json.loads(ended.out.splitlines()[-1])
    assert (result["learner"], result["shot"]) == ("Supervised", 0)
    assert result["episodes"] == result["calibration"]["after"]["queries"] == 32
    assert "test, 4 classes, 32 examples" in ended.out


def test_it_is_exported_and_only_predicts(trained, start, tmp_path):
    ended = start("export", f"--run_dir={trained}", f"--out={tmp_path}/out").wait()
    assert (ended.code, ended.err) == (0, ""), ended.err
    served = tf.saved_model.load(f"{tmp_path}/out/1").signatures
    assert "adapt" not in served
    answer = served["serving_default"](query_x=tf.zeros((2, 16, 16, 1)))
    assert answer["probabilities"].shape == (2, 4)


def test_weights_go_on_into_another_net_and_some_stay_frozen(
    trained, squares, start, tmp_path
):
    run = f"{tmp_path}/run"
    flags = [
        *("--learner=maml", "--inner_steps=1", "--way=3", "--query=2", "--tasks=2"),
        *(squares, "--disjoint=examples", "--filters=4", "--val_episodes=2"),
        *(f"--init_from={trained}", "--freeze=block1,block2_conv", "--steps=1"),
    ]
    ended = start("train", *flags, f"--run_dir={run}").wait()
    assert (ended.code, ended.err) == (0, ""), ended.err
    assert f"Weights of {trained}: CopiedWeights(8 of 9 layers copied; " in ended.out
    source, target = (
        RunFolder(path).load_model().learner.net for path in (trained, run)
    )
    for name, same in (("block2_conv", True), ("block3_conv", False)):
        ours, theirs = (n.get_layer(name).get_weights()[0] for n in (target, source))
        assert np.array_equal(ours, theirs) == same
    # Continuing takes the run's own weights, and needs the source no more.
    more = [flag for flag in flags if flag != "--steps=1"]
    ended = start("train", *more, "--steps=2", f"--run_dir={run}").wait()
    assert (ended.code, ended.err) == (0, ""), ended.err
    assert "Weights of" not in ended.out


def test_runs_are_mixed(trained, squares, start, tmp_path):
    common = ["--learner=supervised", squares, "--disjoint=examples", "--filters=4"]
    other = ["--seed=3", "--steps=1", f"--run_dir={tmp_path}/other"]
    assert start("train", *common, *other).wait().code == 0
    flags = [f"--init_from={tmp_path}/other,{trained}", "--init_share=0.25"]
    mixed = [*flags, "--steps=1", "--outer_lr=0", f"--run_dir={tmp_path}/mixed"]
    ended = start("train", *common, *mixed).wait()
    assert (ended.code, ended.err) == (0, ""), ended.err
    first, second, both = (
        RunFolder(path).load_model().learner.net.get_layer("head").kernel.numpy()
        for path in (f"{tmp_path}/other", trained, f"{tmp_path}/mixed")
    )
    np.testing.assert_allclose(both, 0.75 * first + 0.25 * second, rtol=1e-5)


def test_a_net_is_pretrained_without_labels_and_goes_on(squares, start, tmp_path):
    run = f"--run_dir={tmp_path}/run"
    flags = [
        *("--learner=linearprobe", squares, "--disjoint=examples", "--net=conv4"),
        "--filters=4",
        *("--objective=contrast", "--augment=small_moves", "--val_episodes=2"),
        *("--way=3", "--query=2", *STEPS[1:]),
    ]
    ended = start("train", *flags, run, "--steps=2").wait()
    assert (ended.code, ended.err) == (0, ""), ended.err
    ended = start("train", *flags, run, "--steps=4").wait()
    assert (ended.code, ended.err) == (0, ""), ended.err
    assert "Continuing at step 2 of 4" in ended.out
    straight = f"--run_dir={tmp_path}/straight"
    assert start("train", *flags, straight, "--steps=4").wait().code == 0
    losses = [
        json.loads((tmp_path / f"{name}/metrics.jsonl").read_text().splitlines()[-2])
        for name in ("run", "straight")
    ]
    assert losses[0]["loss"] == losses[1]["loss"]


REFUSED = {
    "episodes": (["--way=3"], "learns one task from all its examples. Leave out --way"),
    "classes apart": (["--disjoint=classes"], "Set --disjoint=examples"),
    "no such run": (["--init_from=nowhere"], "nowhere holds no trained run"),
    "no such layer": (["--freeze=block9"], "'block9'. The layers are: block1"),
    "nothing to train": (
        [
            "--freeze=block1,block2_conv,block2_norm,block3_conv,"
            "block3_norm,block4_conv,block4_norm,head"
        ],
        "freezes all of them",
    ),
    "a share of none": (["--init_from=x", "--init_share=0"], "--init_share must be"),
    "a share without a run": (["--init_share=0.5"], "is of --init_from"),
    "too many": (["--per_class=90"], "--per_class must be from 1"),
    "an objective of nets that embed": (
        ["--objective=contrast", "--augment=small_moves"],
        "whose net ends in a head",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_one_line(case, squares, start, tmp_path):
    flags, sentence = REFUSED[case]
    common = ["--learner=supervised", squares, "--disjoint=examples", "--filters=4"]
    ended = start("train", *common, *flags, f"--run_dir={tmp_path}/run").wait()
    assert ended.code == 2 and ended.err.count("\n") == 1, ended.err
    assert sentence in ended.err
    assert not (tmp_path / "run").exists()


def test_objectives_are_for_nets_that_are_pretrained(start, tiny, tmp_path):
    flags = ["--learner=protonet", "--objective=contrast", f"--run_dir={tmp_path}/run"]
    ended = start("train", *tiny, *flags).wait()
    assert (
        ended.code == 2
        and "--learner=protonet is meta-trained on episodes. Leave out --objective"
        in ended.err
    )


def test_what_adapts_is_not_compared_with_what_does_not(trained, start):
    against = "--against=nearestneighbour"
    ended = start("compare", f"--run_dir={trained}", against).wait()
    assert ended.code == 2 and "A is Supervised, B is NearestNeighbour" in ended.err


def test_two_classifiers_are_compared_on_every_example(trained, start):
    flags = [f"--run_dir={trained}", f"--against={trained}", "--json"]
    ended = start("compare", *flags).wait()
    assert (ended.code, ended.err) == (0, ""), ended.err
    assert json.loads(ended.out.splitlines()[-1])["difference"] == 0


def test_what_is_said_of_episodes_is_refused_where_there_are_none(trained, start):
    for flag in ("--way=3", "--episodes=9", "--baselines"):
        ended = start("evaluate", f"--run_dir={trained}", flag).wait()
        assert ended.code == 2 and f"Leave out {flag.split('=')[0]}." in ended.err
