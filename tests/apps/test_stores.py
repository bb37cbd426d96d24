"""Data that stay on disk, from the command line."""

from __future__ import annotations

import json

import numpy as np
import tensorflow as tf


def test_a_run_does_not_depend_on_where_its_pictures_lie(start, tiny, tmp_path):
    """The same weights and the same scores, from the disk and from memory."""
    rng = np.random.default_rng(0)
    for i in range(60):
        path = tmp_path / "pictures" / f"class{i % 10}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (9, 9, 1), np.uint8)
        tf.io.write_file(str(path), tf.io.encode_png(pixels))
    data = [f"--dataset=folder:{tmp_path}/pictures", "--image_size=8", "--channels=1"]
    options = [*tiny, *data, "--split=0.4,0.3,0.3", "--query=2", "--val_query=2"]
    scores = []
    for store, other in (("disk", "memory"), ("memory", "disk")):
        run = f"--run_dir={tmp_path}/{store}"
        ended = start("train", *options, run, f"--store={store}", "--steps=2").wait()
        assert (ended.code, ended.err) == (0, ""), ended.err
        where = "left on disk" if store == "disk" else "held in memory"
        assert f"their examples are {where} (0 MB)" in ended.out
        asked = ["--way=2", "--query=2", "--episodes=5", f"--store={other}", "--json"]
        scored = start("evaluate", run, *asked).wait()
        scores.append(json.loads(scored.out.splitlines()[-1]))
    assert scores[0]["drawn"] == scores[1]["drawn"]
    assert scores[0]["mean"] == scores[1]["mean"]
    assert scores[0]["disjoint"] == "classes"
    assert json.loads((tmp_path / "disk" / "results.json").read_text())["disjoint"]


def test_parts_that_share_classes_from_the_command_line(start, tiny, tmp_path):
    run = f"--run_dir={tmp_path}/run"
    command = ["train", *tiny, "--disjoint=examples", "--split=0.6,0.2,0.2", run]
    sizes = ["--query=1", "--val_query=1", "--steps=2"]
    ended = start(*command, *sizes).wait()
    assert (ended.code, ended.err) == (0, ""), ended.err
    scored = start("evaluate", run, "--way=2", "--query=1", "--episodes=4", "--json")
    assert json.loads(scored.wait().out.splitlines()[-1])["disjoint"] == "examples"
    glyphs = ["--dataset=glyphs", "--store=disk", f"--run_dir={tmp_path}/other"]
    refused = start("train", *tiny, *glyphs)
    assert "for folder:PATH and npz:PATH" in refused.wait().error()
