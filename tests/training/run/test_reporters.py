"""metrics.jsonl and TensorBoard's files, over several starts."""

from __future__ import annotations

import json

from tensorboard.backend.event_processing import plugin_event_accumulator
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfmeta.training.run.reporters import MetricsFile, TensorBoardScalars


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


def test_tensorboard_shows_no_step_twice(tmp_path):
    # Three starts: at 0, killed at 6; at 0 again, for want of a checkpoint; at 4.
    for began, reported in ((0, (2, 4, 6)), (0, (2, 4, 6, 8)), (4, (6, 8))):
        reporter = TensorBoardScalars(tmp_path)
        reporter.start(began, 9)
        for step in reported:
            reporter.report(step, {"loss": step + began / 10, "note": "no number"})
        reporter.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    assert events.Tags()["scalars"] == ["loss"]
    found = [(event.step, round(event.value, 5)) for event in events.Scalars("loss")]
    assert found == [(2, 2.0), (4, 4.0), (6, 6.4), (8, 8.4)]
    # TensorBoard itself reads with another class.
    shown = plugin_event_accumulator.EventAccumulator(str(tmp_path))
    shown.Reload()
    assert [event.step for event in shown.Tensors("loss")] == [2, 4, 6, 8]
