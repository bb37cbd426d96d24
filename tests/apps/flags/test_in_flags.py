"""Sentences of the library in the words of a command line."""

from __future__ import annotations

import pytest
from absl import flags

from tfmeta.apps.flags import in_flags as module


@pytest.fixture(autouse=True)
def some_flags(monkeypatch) -> None:
    values = flags.FlagValues()
    for name in (
        "way",
        "shot",
        "query",
        "split",
        "channels",
        "image_size",
        "run_dir",
        "eval_steps",
        "val_way",
    ):
        flags.DEFINE_string(name, None, "", values)
    for name in ("download", "rotations", "first_order"):
        flags.DEFINE_bool(name, False, "", values)
    monkeypatch.setattr(module, "FLAGS", values)


TOLD = {
    "way=20 needs 20 classes. Lower way or use another split.": (
        "--way=20 needs 20 classes. Lower --way or use another split."
    ),
    "Lower shot or query.": "Lower --shot or --query.",
    "Leave out split, rotations, image_size and channels.": (
        "Leave out --split, --rotations, --image_size and --channels."
    ),
    "Download it with download=True, or leave out way.": (
        "Download it with --download, or leave out --way."
    ),
    "shot must be at least 1. Lower way, or set split so that 'test' fits.": (
        "--shot must be at least 1. Lower --way, or set --split so that 'test' fits."
    ),
    "shot and query must fit: way must too.": (
        "--shot and --query must fit: --way must too."
    ),
    "Take rotations=False; split=(0.6, 0.2, 0.2) or split='vinyals'.": (
        "Take --norotations; --split=0.6,0.2,0.2 or --split=vinyals."
    ),
    "Use MAML(net, first_order=True) on way=5.": (
        "Use MAML(net, first_order=True) on --way=5."
    ),
    "image_size must be a number. Received: image_size=None.": (
        "--image_size must be a number. Received: --image_size."
    ),
    "The way to the query is in /tmp/run_dir/x, and inner_lr=3 is no flag.": (
        "The way to the query is in /tmp/run_dir/x, and inner_lr=3 is no flag."
    ),
    "way=5 needs 5 classes, but 'val' has 4. Lower way, or set split.": (
        "--val_way=5 needs 5 classes, but 'val' has 4. Lower --val_way, or set --split."
    ),
    "steps=3 is for others.": "--eval_steps=3 is for others.",
    "Choose another run folder.": "Choose another --run_dir.",
}


@pytest.mark.parametrize("sentence", TOLD)
def test_arguments_become_flags(sentence: str) -> None:
    assert module.in_flags(sentence) == TOLD[sentence]
