"""metrics.jsonl and TensorBoard's files, over several starts."""

from __future__ import annotations

import json

import numpy as np
from tensorboard.backend.event_processing import plugin_event_accumulator
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from tfmeta.training.run.reporters import MetricsFile, TensorBoardEvents


def test_lines_beyond_the_checkpoint_are_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    first = MetricsFile(path)
    first.start(0, 9)
    for step in (2, 4, 4, 6):
        first.report(step, {"loss": step / 3})
    with path.open("a") as file:
        file.write('{"step": 8, "lo')  # Killed in the middle of a line.
    second = MetricsFile(path)
    second.start(4, 9)
    second.report(6, {"loss": 0.1})
    second.close()
    first.close()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 4, 4, 6]
    assert [row["loss"] for row in rows] == [2 / 3, 4 / 3, 4 / 3, 0.1]
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_a_line_is_there_as_soon_as_it_is_reported(tmp_path):
    reporter = MetricsFile(tmp_path / "metrics.jsonl")
    reporter.start(0, 9)
    reporter.report(1, {"loss": 1.0})
    assert json.loads((tmp_path / "metrics.jsonl").read_text()) == {
        "step": 1,
        "loss": 1.0,
    }
    reporter.close()


def reported(folder, began: int, steps, *, name="run", flags=None) -> None:
    """A start that reports the step and the tenth of where it began."""
    reporter = TensorBoardEvents(folder, name, "accuracy")
    reporter.start(began, 9, flags)
    for step in steps:
        reporter.report(step, {"loss": step + began / 10, "note": "no number"})
    reporter.close()


def test_tensorboard_shows_no_step_twice(tmp_path):
    # Three starts: at 0, killed at 6; at 0 again, for want of a checkpoint; at 4.
    for began, steps in ((0, (2, 4, 6)), (0, (2, 4, 6, 8)), (4, (6, 8))):
        reported(tmp_path, began, steps)
    folder = str(tmp_path / "run")
    events = EventAccumulator(folder).Reload()
    assert events.Tags()["scalars"] == ["train/loss"]
    found = [(e.step, round(e.value, 5)) for e in events.Scalars("train/loss")]
    assert found == [(2, 2.0), (4, 4.0), (6, 6.4), (8, 8.4)]
    # TensorBoard itself reads with another class.
    shown = plugin_event_accumulator.EventAccumulator(folder)
    shown.Reload()
    assert [event.step for event in shown.Tensors("train/loss")] == [2, 4, 6, 8]


def test_tensorboard_has_the_numbers_in_groups(tmp_path):
    reporter = TensorBoardEvents(tmp_path, "run", "accuracy")
    reporter.start(0, 9)
    reporter.report(2, {"loss": 1.0, "tasks_per_s": 2.0})
    reporter.report(2, {"val_accuracy": 0.5, "val_accuracy_low": 0.4})
    reporter.report(2, {"adaptation/step_01": 0.25})
    reporter.picture(2, "val/episode", b"png")
    reporter.close()
    events = EventAccumulator(str(tmp_path / "run")).Reload()
    found = {tag: events.Scalars(tag)[0].value for tag in events.Tags()["scalars"]}
    assert found == {
        "train/loss": 1.0,
        "train/tasks_per_s": 2.0,
        "val/accuracy": 0.5,
        "val/accuracy_low": np.float32(0.4),
        "adaptation/step_01": 0.25,
    }
    assert events.Tags()["images"] == ["val/episode"]


def test_a_run_stays_where_its_events_began(tmp_path):
    """Under another name; or in the log folder itself, as version 0.4 wrote them."""

    def folders() -> list[str]:
        files = sorted(tmp_path.rglob("events*"))
        return [str(file.parent.relative_to(tmp_path)) for file in files]

    reported(tmp_path, 0, (2, 4), name="first")
    reported(tmp_path, 2, (4,), name="best of all")
    assert folders() == ["first", "first"]
    for file in tmp_path.rglob("events*"):
        file.rename(tmp_path / file.name)
    reported(tmp_path, 4, (6,), name="first")
    assert folders() == ["."] * 3
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [2, 4, 6]


def test_hparams_are_what_a_person_compares_beside_the_validation(tmp_path):
    flags = {"learner": "maml", "inner_lr": 0.1, "clip_norm": None, "strided": True}
    hidden = {"run_dir": "runs/first", "json": False, "data_dir": "/data"}
    reported(tmp_path, 0, (), flags={**flags, **hidden, "shot": (1, 5)})
    reported(tmp_path, 4, (), flags=flags)
    events = EventAccumulator(str(tmp_path / "run")).Reload()
    content = events.PluginTagToContent("hparams")
    config = metadata.parse_experiment_plugin_data(content[metadata.EXPERIMENT_TAG])
    names = [metric.name.tag for metric in config.metric_infos]
    assert names == ["val/accuracy", "train/loss"]
    told = ["learner", "inner_lr", "strided", "shot"]
    assert [hparam.name for hparam in config.hparam_infos] == told
    start = metadata.parse_session_start_info_plugin_data(
        content[metadata.SESSION_START_INFO_TAG]
    )
    assert start.hparams.keys() == set(told)
    assert start.hparams["learner"].string_value == "maml"
    assert start.hparams["inner_lr"].number_value == 0.1
    assert start.hparams["strided"].bool_value is True
    assert start.hparams["shot"].string_value == "(1, 5)"
