"""Asks an exported SavedModel in a fresh process without tfmeta, and compares.

    python scripts/check_export.py --run_dir=runs/first --exported=exported/1

Both answer the same test episodes of the run's data; they must agree to 1e-5.
"""

from __future__ import annotations

import quiet_tensorflow  # noqa: F401

# isort: split
import pathlib
import subprocess
import sys
import tempfile

import common_flags
import console
import numpy as np
import tensorflow as tf
from absl import flags

import tfmeta
from tfmeta.core import Labels
from tfmeta.training import RunFolder

FLAGS = flags.FLAGS
TOLERANCE = 1e-5

common_flags.define_episode_flags()
flags.DEFINE_string("run_dir", None, "The run that was exported.")
flags.DEFINE_string(
    "exported",
    None,
    "What scripts/export.py wrote: exported/1, or exported for its newest version.",
)
flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data.")
flags.DEFINE_enum("which", "best", ["best", "last"], "Which checkpoint was exported.")
flags.DEFINE_integer("episodes", 20, "How many episodes.", lower_bound=1)
flags.mark_flags_as_required(["run_dir", "exported"])

# Runs alone: sees nothing but TensorFlow, the SavedModel and the arrays.
_SERVE = """
import sys
sys.modules["tfmeta"] = None
import numpy as np, tensorflow as tf
folder, asked, answered = sys.argv[1:]
served = tf.saved_model.load(folder).signatures["adapt_and_predict"]
with np.load(asked) as file:
    batch = {name: file[name] for name in file.files}
taken = served.structured_input_signature[1]
answers = [
    served(**{n: tf.constant(part[i], taken[n].dtype) for n, part in batch.items()})
    for i in range(len(batch["query_x"]))
]
# The floats among the outputs: probabilities, or values.
floats = [name for name in answers[0] if answers[0][name].dtype.is_floating]
np.savez(answered, **{n: np.stack([a[n].numpy() for a in answers]) for n in floats})
"""


def main() -> dict:
    """Compares, and says so."""
    run = RunFolder(FLAGS.run_dir)
    model = run.load_model(FLAGS.which)
    exported = _version_folder(pathlib.Path(FLAGS.exported))
    source = common_flags.load_source(common_flags.values_of_run(run))
    run.check_data(source)
    labels = isinstance(source.test.targets, Labels)
    stream = tfmeta.data.episodes(
        source.test,
        way=FLAGS.way if labels or FLAGS["way"].present else None,
        shot=FLAGS.shot,
        query=FLAGS.query,
        tasks=FLAGS.episodes,
        count=FLAGS.episodes,
        seed=1,
    )
    x, y = next(iter(stream))
    x = {name: x[name] for name in ("support_x", "support_y", "query_x")}
    targets, predictions = model.learner.targets_for(y), model(x)
    here, there = targets.outputs(predictions), _serve(exported, x)
    difference = max(float(np.abs(here[n] - there[n]).max()) for n in there)
    metrics = [
        targets.metrics(*tf.nest.map_structure(lambda t, i=i: t[i], (predictions, y)))
        for i in range(FLAGS.episodes)
    ]
    score = float(np.mean([each[targets.metric] for each in metrics]))
    if not difference <= TOLERANCE:
        raise ValueError(
            f"The SavedModel's answers differ from Python's by {difference:.1e}, more "
            f"than {TOLERANCE}. Is --which the checkpoint that was exported?"
        )
    shown = f"{100 * score:.2f} %" if labels else f"{score:.4g}"
    console.say(
        f"The SavedModel, alone in a fresh process, answers {FLAGS.episodes} test "
        f"episodes with {targets.metric} {shown} and agrees with Python (largest "
        f"difference of an answer: {difference:.1e})."
    )
    return {"difference": difference, targets.metric: score}


def _version_folder(path: pathlib.Path) -> pathlib.Path:
    """The folder itself if it is a SavedModel, else its newest version."""
    versions = [p.parent for p in path.glob("*/saved_model.pb")]
    numbered = [p for p in versions if p.name.isdigit()]
    if (path / "saved_model.pb").exists():
        return path
    if not numbered:
        raise ValueError(
            f"--exported={path} holds no SavedModel. Give the folder that "
            "scripts/export.py wrote, such as exported or exported/1."
        )
    return max(numbered, key=lambda p: int(p.name))


def _serve(folder: pathlib.Path, x: dict[str, tf.Tensor]) -> dict[str, np.ndarray]:
    with tempfile.TemporaryDirectory() as scratch:
        asked, answered = f"{scratch}/asked.npz", f"{scratch}/answered.npz"
        np.savez(asked, **{name: part.numpy() for name, part in x.items()})
        done = subprocess.run(
            [sys.executable, "-I", "-c", _SERVE, str(folder), asked, answered],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
            raise ValueError(f"The fresh process failed: {said[-1]}")
        return dict(np.load(answered))


if __name__ == "__main__":
    console.run(main)
