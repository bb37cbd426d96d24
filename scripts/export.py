"""Exports a trained run as a SavedModel that adapts where it is served.

    python scripts/export.py --run_dir=runs/first --out=exported

The folder's README.md shows a request that was run, and its answer.
"""

from __future__ import annotations

import quiet_tensorflow  # noqa: F401

# isort: split
import console
from absl import flags

import tfmeta
from tfmeta.training import RunFolder

FLAGS = flags.FLAGS

flags.DEFINE_string("run_dir", None, "The run to export, as scripts/train.py left it.")
flags.DEFINE_enum("which", "best", ["best", "last"], "Which of its checkpoints.")
flags.DEFINE_string(
    "out",
    None,
    "Where to write: exported/3 is version 3, exported takes the next free number in "
    "it. Left out: a folder exported in the run's.",
)
flags.DEFINE_integer("steps", None, "Inner steps; left out: the learner's own.")
flags.DEFINE_bool(
    "allow_transductive",
    False,
    "Serve normalisation=task too, where an answer depends on the other queries.",
)
flags.mark_flag_as_required("run_dir")


def main() -> dict:
    """Exports, and says how to ask."""
    run = RunFolder(FLAGS.run_dir)
    model = run.load_model(FLAGS.which)
    folder = tfmeta.export.save(
        model,
        FLAGS.out or run.path / "exported",
        allow_transductive=FLAGS.allow_transductive,
        steps=FLAGS.steps,
    )
    console.say(f"Exported {type(model.learner).__name__} to {folder}")
    console.say(f"How to ask it: {folder}/README.md")
    return {"learner": type(model.learner).__name__, "path": str(folder)}


if __name__ == "__main__":
    console.run(main)
