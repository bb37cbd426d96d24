"""A run keeps its preparation, and goes on with no other."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from preparation_cases import Affine, normal, pixels, protonet, source

from tfmeta import MetaModel
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.evaluation import evaluate
from tfmeta.serving.checkpoint import save_checkpoint
from tfmeta.training import RunFolder, Stream, Trainer
from tfmeta.training.run.kept_preparation import (
    fingerprint,
    load_preparation,
    save_preparation,
)

SOURCE = source()


def trainer(folder, steps=6, **options) -> Trainer:
    prepare = options.pop("prepare", SOURCE.prepare)
    model = MetaModel(protonet(), prepare=prepare, task_map="loop")
    model.compile(keras.optimizers.Adam(0.01))
    return Trainer(
        model,
        SOURCE,
        RunFolder(folder),
        train=Stream(4, 1, 2, 2),
        validation=Stream(4, 1, 2, 4),
        steps=steps,
        **{"log_every": 2, "validate_every": 3, "checkpoint_every": 2, **options},
    )


def moved() -> Affine:
    """Affine with other weights than its config tells."""
    layer = Affine(0.01)
    layer.build((None, 6, 6, 1))
    layer.moved.assign([0.25])
    return layer


@pytest.mark.parametrize("make", [normal, moved])
def test_a_file_keeps_layers_with_their_weights(make, tmp_path) -> None:
    one = Preparation(make(), low=[0], high=[2])
    save_preparation(one, tmp_path / "prepare.keras")
    again = load_preparation(tmp_path / "prepare.keras")
    np.testing.assert_array_equal(again(pixels(4)), one(pixels(4)))
    assert (again.low, again.high) == ([0], [2])
    assert fingerprint(again) == fingerprint(one)


def test_a_file_keeps_a_vocabulary(tmp_path) -> None:
    layer = keras.layers.StringLookup()
    layer.adapt(np.array(["owl", "wren", "owl"]))
    other = keras.layers.StringLookup()
    other.adapt(np.array(["owl", "crow", "owl"]))
    one = Preparation(layer)
    save_preparation(one, tmp_path / "prepare.keras")
    again = load_preparation(tmp_path / "prepare.keras")
    assert again(np.array(["wren", "owl", "ox"])).numpy().tolist() == [2, 1, 0]
    assert fingerprint(again) == fingerprint(one) != fingerprint(Preparation(other))


def test_what_makes_other_values_has_another_fingerprint() -> None:
    layer = moved()
    found = [fingerprint(Preparation(each)) for each in (Affine(0.01), None, layer)]
    layer.moved.assign([0.5])
    found += [fingerprint(Preparation(layer)), fingerprint(Preparation(Affine(0.02)))]
    assert len(set(found)) == 5
    named = Preparation(keras.layers.Rescaling(0.5, name="other"), low=[0], high=[1])
    assert fingerprint(named) == fingerprint(Preparation(keras.layers.Rescaling(0.5)))


def test_a_broken_file_is_named(tmp_path) -> None:
    (tmp_path / "prepare.keras").write_bytes(b"PK, but not quite")
    with pytest.raises(ValueError, match="prepare.keras cannot be read .*from a copy"):
        load_preparation(tmp_path / "prepare.keras")


@pytest.mark.parametrize("make", [lambda: SOURCE.prepare, moved])
def test_a_resumed_run_reaches_the_same_numbers(make, tmp_path) -> None:
    whole = trainer(tmp_path / "whole", prepare=make())
    whole.run()
    trainer(tmp_path / "parts", steps=4, prepare=make()).run()
    kept = load_preparation(tmp_path / "parts" / "prepare.keras")
    parts = trainer(tmp_path / "parts", prepare=kept)
    parts.run()
    for a, b in zip(
        whole.model.learner.variables, parts.model.learner.variables, strict=True
    ):
        np.testing.assert_array_equal(a, b)
    model = RunFolder(tmp_path / "parts").load_model("last")
    assert fingerprint(model.prepare) == fingerprint(whole.model.prepare)
    asked = dict(way=4, shot=1, query=2, episodes=4)
    np.testing.assert_array_equal(
        evaluate(model, SOURCE.test, **asked).scores,
        evaluate(whole.model, SOURCE.test, **asked).scores,
    )


def test_another_preparation_does_not_go_on(tmp_path) -> None:
    trainer(tmp_path, steps=4, prepare=moved()).run()
    other = moved()
    other.moved.assign([0.26])
    with pytest.raises(ValueError, match="other settings .prepare: 'Affine .* now"):
        trainer(tmp_path, prepare=other).run()


def test_an_older_run_gets_the_default(tmp_path) -> None:
    trainer(tmp_path, steps=4).run()
    run = RunFolder(tmp_path)
    run.prepare_file.unlink()
    config = json.loads(run.config_file.read_text())
    del config["settings"]["prepare"]
    run.config_file.write_text(json.dumps(config))
    assert fingerprint(run.load_model().prepare) == fingerprint(Preparation())
    assert trainer(tmp_path, steps=5).run()["step"] == 5


@pytest.mark.parametrize(("augment", "draws"), [(None, 1), ("Sequential", 2)])
def test_an_older_run_of_augmented_images_does_not_go_on(
    augment, draws, tmp_path
) -> None:
    """The first version of the draws augmented floats; plain images are the same."""
    run, model = RunFolder(tmp_path), MetaModel(protonet(), task_map="loop")
    run.make()
    run.write_config({"way": 4}, model, SOURCE, {"augment": augment})
    save_checkpoint(run.last, {"learner": model.learner.variables}, {"step": 3})
    config = json.loads(run.config_file.read_text())
    assert config["draws"] == draws
    run.check_flags({"way": 4})
    run.config_file.write_text(json.dumps({**config, "draws": 1}))
    if augment is None:
        run.check_flags({"way": 4})
        return
    with pytest.raises(ValueError, match="drew other episodes or images"):
        run.check_flags({"way": 4})


def test_a_trainer_refuses_a_preparation_that_does_not_fit(tmp_path) -> None:
    cropped = keras.layers.CenterCrop(4, 4)
    with pytest.raises(ValueError, match="CenterCrop makes .*4, 4, 1.*Give other"):
        trainer(tmp_path / "run", prepare=cropped)
    assert not (tmp_path / "run").exists()
