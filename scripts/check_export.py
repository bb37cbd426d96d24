"""Asks an exported SavedModel in a fresh process without tfmeta, and compares.

    python scripts/check_export.py --run_dir=runs/first --exported=exported/1

Both answer the same test episodes of the run's data; they must agree to 1e-5.
"""

from __future__ import annotations

import door  # noqa: F401  First: it loads tfmeta.

# isort: split
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np
import tensorflow as tf
from absl import flags

import tfmeta
from tfmeta.apps import command_line, console, runs
from tfmeta.apps.flags.episodes import define_scored_flags, query_for, way_for
from tfmeta.apps.flags.parts import Parts
from tfmeta.core import Labels, nests
from tfmeta.data.pictures.format import PictureFormat
from tfmeta.data.pictures.is_picture import is_picture
from tfmeta.data.prepare.scale_pictures import ScalePictures
from tfmeta.export.readme import FACTS
from tfmeta.json_files import read_json
from tfmeta.training import MetaModel

FLAGS = flags.FLAGS
TOLERANCE = 1e-5

PARTS = Parts()


def define_flags() -> None:
    """Defines the app's own flags."""
    define_scored_flags()
    flags.DEFINE_string("run_dir", None, "The run that was exported.")
    flags.DEFINE_string(
        "exported",
        None,
        "What scripts/export.py wrote: exported/1, or exported for its newest version.",
    )
    flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data.")
    flags.DEFINE_enum(
        "which", "best", ["best", "last"], "Which checkpoint was exported."
    )
    flags.DEFINE_integer("episodes", 20, "How many episodes.", lower_bound=1)
    flags.mark_flags_as_required(["run_dir", "exported"])


# Runs alone: sees nothing but TensorFlow, the SavedModel and the arrays. It asks each
# signature in one step and in two.
_SERVE = """
import sys
sys.modules["tfmeta"] = None
import numpy as np, tensorflow as tf
folder, asked, answered = sys.argv[1:]
signatures = tf.saved_model.load(folder).signatures
with np.load(asked) as file:
    batch = {name: file[name] for name in file.files}
found = {}

def inputs(ask, i):
    taken = {n: t for n, t in ask.structured_input_signature[1].items() if n in batch}
    return {n: tf.constant(batch[n][i], t.dtype) for n, t in taken.items()}

for name, both in signatures.items():
    if not name.startswith("adapt_and_predict"):
        continue
    adapt, predict = (
        signatures[name.replace("adapt_and_predict", verb)]
        for verb in ("adapt", "predict")
    )
    for i in range(len(batch["query_x"])):
        state = adapt(**inputs(adapt, i))
        answers = both(**inputs(both, i)), predict(**inputs(predict, i), **state)
        for way, answer in zip("12", answers):
            for output, value in answer.items():
                # The floats among the outputs: probabilities, or values.
                if value.dtype.is_floating:
                    found.setdefault(f"{name}/{way}/{output}", []).append(value.numpy())
np.savez(answered, **{key: np.stack(values) for key, values in found.items()})
"""


def main() -> dict:
    """Compares, and says so."""
    run, model = runs.open_model(FLAGS.run_dir, FLAGS.which)
    exported = _version_folder(pathlib.Path(FLAGS.exported))
    facts = read_json(exported / FACTS) if (exported / FACTS).exists() else {}
    source = runs.source_of(runs.flags_of(run))
    run.check_data(source)
    labels = isinstance(source.test.targets, Labels)
    stream = tfmeta.data.episodes(
        source.test,
        way=way_for(source.test, FLAGS.way, 5),
        shot=FLAGS.shot or 1,
        query=query_for(source.test, FLAGS.shot, FLAGS.query),
        tasks=FLAGS.episodes,
        count=FLAGS.episodes,
        seed=1,
    )
    x, y = next(iter(stream))
    x = {name: x[name] for name in ("support_x", "support_y", "query_x")}
    targets = model.learner.targets_for(y)
    predictions = _predictions(model, x, facts.get("steps"))
    warmth = facts.get("temperature") or 1.0
    softened = targets.point(predictions) / warmth if labels else predictions
    here = targets.outputs(softened)
    there = _serve(exported, _requests(model, x, labels))
    difference = max(_difference(key, here, value) for key, value in there.items())
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
    names = sorted({key.split("/")[0] for key in there})
    console.say(
        f"The SavedModel, alone in a fresh process, answers {FLAGS.episodes} test "
        f"episodes with {targets.metric} {shown} and agrees with Python (largest "
        f"difference of an answer: {difference:.1e}). Asked in one step and in two: "
        f"{', '.join(names)}."
    )
    return {"difference": difference, targets.metric: score, "signatures": names}


def _predictions(model: MetaModel, x: dict[str, tf.Tensor], steps: int | None) -> Any:
    """Python's own predictions, after the steps of the export."""
    learner = model.learner
    steps = steps if learner.default_steps is not None else None
    return learner.answer(model.prepare.batch(x), steps=steps)


def _requests(
    model: MetaModel, x: dict[str, tf.Tensor], labels: bool
) -> dict[str, np.ndarray]:
    """The inputs of all signatures: floats, files of pictures, labels, names."""
    sent = {"support_y": x["support_y"].numpy()}
    if labels:
        # Names in the order of the labels, so that the columns are the same.
        named = [[f"class {y:06}" for y in row] for row in sent["support_y"]]
        sent["support_names"] = np.array(named)
    for part in ("support", "query"):
        raw = x[f"{part}_x"]
        for name, leaf in nests.named(raw, f"{part}_x").items():
            picture = is_picture(leaf.shape[2:], leaf.dtype)
            scaled = picture and isinstance(model.prepare.layer, ScalePictures)
            sent[name] = leaf.numpy() / np.float32(255) if scaled else leaf.numpy()
            if picture:
                files = name.replace(f"{part}_x", f"{part}_images", 1)
                sent[files] = _files(leaf, model.prepare.pictures)
    return sent


def _files(pixels: tf.Tensor, form: PictureFormat | None) -> np.ndarray:
    """Pictures as PNG files, `(tasks, examples)`."""
    if form is not None and form.inverted:
        pixels = 255 - pixels
    files = [[tf.io.encode_png(each).numpy() for each in task] for task in pixels]
    return np.array(files)


def _difference(key: str, here: dict[str, Any], there: np.ndarray) -> float:
    # With names there are no columns for outputs of a head beyond the named classes.
    wanted = here[key.split("/")[-1]].numpy()[..., : there.shape[-1]]
    return float(np.abs(wanted - there).max())


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


def _serve(folder: pathlib.Path, x: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    with tempfile.TemporaryDirectory() as scratch:
        asked, answered = f"{scratch}/asked.npz", f"{scratch}/answered.npz"
        np.savez(asked, **x)
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
    command_line.run(sys.modules[__name__], sys.argv)
