"""Exports a trained run, which then adapts where it is served.

    tfmeta export --run_dir=runs/first --out=exported
    tfmeta export --run_dir=runs/first --out=exported --format=litert,onnx

A SavedModel is for servers; --format names formats for small runtimes, on phones or in
browsers. The folder's README.md shows a request that was run, and its answer. With
--images and --names a SavedModel has further signatures, which take pictures as files
and names of classes.
"""

from __future__ import annotations

import contextlib
import pathlib
import shutil
from collections.abc import Mapping

from absl import flags

from tfmeta.apps import console, runs, scoring
from tfmeta.apps.flags.parts import Parts
from tfmeta.data import Part
from tfmeta.export import save
from tfmeta.export.formats.by_name import DEFAULT_FORMAT, FORMATS, format_of
from tfmeta.learners import Learner
from tfmeta.training import MetaModel, RunFolder

FLAGS = flags.FLAGS
PARTS = Parts()


def define_flags() -> None:
    """Defines the app's own flags."""
    runs.define_run_flags("to export")
    flags.DEFINE_enum("which", "best", ["best", "last"], "Which of its checkpoints.")
    flags.DEFINE_string(
        "out",
        None,
        "Where to write: exported/3 is version 3, exported takes the next free number "
        "in it. Left out: a folder exported in the run's.",
    )
    _define_format_flags()
    scoring.define_step_flag()
    flags.DEFINE_bool(
        "allow_transductive",
        False,
        "Serve normalisation=task too, where an answer depends on the other queries.",
    )
    flags.DEFINE_bool(
        "images",
        False,
        "Add signatures that take pictures as JPEG, PNG, GIF or BMP files.",
    )
    flags.DEFINE_bool("names", False, "Add signatures that take the names of classes.")
    _define_answer_flags()


def _define_format_flags() -> None:
    """Defines what is written."""
    flags.DEFINE_list(
        "format",
        None,
        f"What to write: some of {', '.join(FORMATS)}, with commas between, each into "
        "a folder of its name below --out. Left out: a SavedModel into --out itself.",
    )
    flags.DEFINE_enum(
        "precision",
        None,
        ["float32", "int8"],
        "How small formats keep weights: int8 takes a quarter of the space, for "
        "learners that adapt without inner steps. Left out: float32.",
    )
    flags.DEFINE_bool(
        "selftest",
        False,
        "Put 100 episodes of the run's test part into the page of --format=web, for it "
        "to test itself on.",
    )
    runs.define_place_flags()


def _define_answer_flags() -> None:
    """Defines how the export answers, and what it refuses."""
    flags.DEFINE_float(
        "temperature",
        None,
        "Divide logits by this number, so that answers are less sure.",
    )
    flags.DEFINE_bool(
        "calibrated",
        False,
        "Divide logits by the temperature that evaluate --calibration has fitted.",
    )
    flags.DEFINE_float(
        "reject_below", None, "Answer a query with label -1 if no class is so probable."
    )
    flags.DEFINE_bool(
        "refuse_outside", False, "Refuse inputs far outside the range of meta-training."
    )
    flags.DEFINE_enum(
        "on_bad_input",
        None,
        ["raise", "flag"],
        "Refuse a bad request with a sentence, or flag it by an output named valid. "
        "Left out: raise in a SavedModel, flag elsewhere.",
    )


def main() -> dict:
    """Exports, and says how to ask."""
    path = runs.chosen()
    if path is None:
        raise ValueError("Nothing is named to export. Give --run_dir or --zoo.")
    if runs.ships(path) and FLAGS.out is None:
        raise ValueError(
            f"{path} ships with tfmeta, and nothing is written there. Give --out."
        )
    if runs.ships(path) and FLAGS.calibrated:
        raise ValueError(
            f"{path} keeps no temperature. Give --temperature: "
            f"{console.command('evaluate', zoo=FLAGS.zoo)} --calibration finds one."
        )
    asked = list(dict.fromkeys(FLAGS.format or ()))
    for name in asked:
        format_of(name)
    _check_options(asked)
    run, model = runs.open_model(path, FLAGS.which)
    out = FLAGS.out or run.path / "exported"
    places = {name: f"{out}/{name}" for name in asked} or {DEFAULT_FORMAT: str(out)}
    part = _test_part(run) if FLAGS.selftest else None
    folders = _saved(model, places, _temperature(run, model.learner), part)
    learner = type(model.learner).__name__
    for folder in folders.values():
        console.say(f"Exported {learner} to {folder}")
        console.say(f"How to ask it: {folder}/README.md")
    return {"learner": learner, "path": next(iter(folders.values())), "paths": folders}


def _check_options(asked: list[str]) -> None:
    """Refuses options that none of the formats takes."""
    for option in ("selftest", "precision"):
        takes = [name for name, form in FORMATS.items() if option in form.options]
        if FLAGS[option].present and not set(takes) & set(asked):
            raise ValueError(
                f"--{option} is for --format={' or --format='.join(takes)}. Leave out "
                f"--{option}."
            )


def _test_part(run: RunFolder) -> Part:
    """The run's test part, which has no class that it was trained on."""
    source = runs.source_of(runs.flags_of(run))
    run.check_data(source)
    return source.test


def _saved(
    model: MetaModel,
    places: Mapping[str, str],
    temperature: float | None,
    selftest: Part | None,
) -> dict[str, str]:
    """Writes the model in each format, or in none; the folders by format."""
    folders: dict[str, str] = {}
    try:
        for name, place in places.items():
            folder = save(
                model,
                place,
                format=name,
                selftest=selftest if "selftest" in FORMATS[name].options else None,
                precision=FLAGS.precision
                if "precision" in FORMATS[name].options
                else None,
                allow_transductive=FLAGS.allow_transductive,
                steps=FLAGS.eval_steps,
                images=FLAGS.images,
                names=FLAGS.names,
                temperature=temperature,
                reject_below=FLAGS.reject_below,
                refuse_outside=FLAGS.refuse_outside,
                on_bad_input=FLAGS.on_bad_input,
            )
            folders[name] = str(folder)
    except BaseException:
        for each in folders.values():
            shutil.rmtree(each, ignore_errors=True)
            with contextlib.suppress(OSError):  # Others may have written there.
                pathlib.Path(each).parent.rmdir()
        raise
    return folders


def _temperature(run: RunFolder, learner: Learner) -> float | None:
    if not FLAGS.calibrated:
        return FLAGS.temperature
    if FLAGS.temperature is not None:
        raise ValueError(
            "--temperature and --calibrated both name a temperature. Leave one out."
        )
    return scoring.kept_temperature(
        run, learner, which=FLAGS.which, steps=FLAGS.eval_steps
    )
