"""Run folders as apps use them: their flags, their data, their model."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from tfmeta.apps import console
from tfmeta.apps.flags.kinds import DATASET
from tfmeta.apps.flags.parts import KINDS, recorded_arguments, values_in
from tfmeta.data import Source
from tfmeta.json_files import read_json
from tfmeta.training import MetaModel, RunFolder
from tfmeta.zoo import run_folder

FLAGS = flags.FLAGS
# Where the data lie, how they are read, and which of their classes meet in an episode
# may be said of a run anew.
ANEW = ("data_dir", "download", "store", "by_superclass")
_FIXED = ("episodes_file", "protocol")  # These say which episodes there are.
_HOME = "tfmeta."
_ZOO = "zoo:"  # Before the name of a net that ships, where a run's folder may stand.


def define_place_flags() -> None:
    """Defines the flags that say where a run's data lie now."""
    flags.DEFINE_string(
        "data_dir", None, "Where the data lie. Left out: where the run had them."
    )
    flags.DEFINE_bool("download", False, "Let TFDS download what is missing.")


def define_run_flags(what: str) -> None:
    """Defines the flags that say which run it is.

    Args:
        what: What is done with it, such as "to score".
    """
    flags.DEFINE_string(
        "run_dir",
        None,
        f"The run {what}, as the app train left it; or zoo:NAME, a net that ships.",
    )
    flags.DEFINE_string(
        "zoo", None, f"The net that ships {what}: --zoo=NAME is --run_dir=zoo:NAME."
    )


def chosen() -> str | None:
    """What --run_dir or --zoo names; None if neither is given.

    Raises:
        ValueError: If both are given.
    """
    if FLAGS.zoo is None:
        return FLAGS.run_dir
    if FLAGS.run_dir is not None:
        raise ValueError("--zoo and --run_dir both name a net. Leave one out.")
    return f"{_ZOO}{FLAGS.zoo}"


def at(path: str) -> RunFolder:
    """The run in a folder, or the net that ships, for zoo:NAME.

    Args:
        path: The folder, or zoo:NAME.

    Raises:
        ValueError: If no such net ships, or a file of it is damaged.
    """
    if ships(path):
        return run_folder(path.removeprefix(_ZOO))
    return RunFolder(path)


def ships(path: str | None) -> bool:
    """Whether a path is zoo:NAME, a net that ships, in whose folder nothing is kept."""
    return path is not None and path.startswith(_ZOO)


def flags_now() -> dict[str, Any]:
    """The values of this project's flags, by name; other libraries' are left out."""
    return {
        name: FLAGS[name].value
        for name in FLAGS
        if str(FLAGS.find_module_defining_flag(name)).startswith(_HOME)
    }


def flags_of(run: RunFolder) -> dict[str, Any]:
    """The flags of a run; those of `ANEW` may be said anew.

    Args:
        run: The run's folder.

    Returns:
        The values by name.

    Raises:
        ValueError: If they do not say which data the run is of.
    """
    values = dict(read_json(run.config_file)["flags"])
    if DATASET.flag not in values:
        raise ValueError(
            f"{run.config_file} does not say which data the run is of: it lacks "
            f"{DATASET.flag}. Apps score runs that `tfmeta train` began; in Python use "
            "RunFolder.load_model and tfmeta.evaluate."
        )
    for name in ANEW:
        if name in FLAGS and FLAGS[name].present:
            values[name] = FLAGS[name].value
    return values


def flags_named_in(argv: Sequence[str]) -> dict[str, Any]:
    """The flags of the run that a command line names; {} if it names none.

    Before anybody imports the code that these flags name, it is said which that is.
    """
    named = values_in(argv, ["run_dir", "zoo"])
    path = f"{_ZOO}{named['zoo']}" if named.get("zoo") else named.get("run_dir")
    config = at(path).config_file if path else Path()
    if not config.is_file():
        return {}
    tell_own_code(path)
    return dict(read_json(config)["flags"])


def open_model(
    path: str, which: str, *, normalisation: str | None = None
) -> tuple[RunFolder, MetaModel]:
    """Opens a run and rebuilds its model, after it has said whose code that takes.

    Args:
        path: The run's folder, or zoo:NAME.
        which: "best" or "last", the checkpoint.
        normalisation: A mode other than that of training; None for the run's.

    Returns:
        The run and its model.

    Raises:
        ValueError: If there is no trained run, or code that it names is not there.
    """
    run = at(path)
    if ships(path) and which == "last":
        raise ValueError(
            f"{path} has one checkpoint, its best. Leave out --which=last."
        )
    if run.config_file.exists():
        tell_own_code(path)
    return run, run.load_model(which, normalisation=normalisation)


@functools.cache
def tell_own_code(path: str) -> None:
    """Says, once, which code outside of tfmeta a run imports, if it imports any.

    Args:
        path: The run's folder.

    Raises:
        ValueError: If there is no run in the folder, or a file of it is broken.
    """
    own = own_code(at(path))
    if own:
        console.say(f"The run in {path} imports code of its own: {', '.join(own)}.")


def own_code(run: RunFolder) -> list[str]:
    """The code outside of tfmeta that a run names in its flags and its learner."""
    needed = run.own_code()
    written = read_json(run.config_file)["flags"]
    named = [written.get(flag) for flag in KINDS]
    said = [
        name
        for kind, name in zip(KINDS.values(), named, strict=True)
        if isinstance(name, str) and kind.is_own_code(name)
    ]
    return list(dict.fromkeys([*said, *needed]))


def source_of(values: Mapping[str, Any]) -> Source:
    """The source that flags name.

    Args:
        values: The flags by name: those of now, or those of a run.

    Returns:
        Its three parts.

    Raises:
        ValueError: If there is no such source, or it cannot be made so.
    """
    name = values[DATASET.flag]
    return DATASET.make(name, {"name": name}, recorded_arguments(DATASET, values))


def data_name(values: Mapping[str, Any]) -> str:
    """What results call the data that flags name."""
    asked = recorded_arguments(DATASET, values).get("by_superclass")
    fixed = any(name in FLAGS and FLAGS[name].value for name in _FIXED)
    return f"{values[DATASET.flag]}{' by superclass' if asked and not fixed else ''}"


def differing_data(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """How the data of two runs differ, as "--name was x in A and y in B"."""
    left, right = _of_data(a), _of_data(b)
    return [
        f"--{name} was {left.get(name)} in A and {right.get(name)} in B"
        for name in dict.fromkeys([*left, *right])
        if left.get(name) != right.get(name)
    ]


def _of_data(values: Mapping[str, Any]) -> dict[str, Any]:
    arguments = recorded_arguments(DATASET, values)
    # Which words are known, and how many are read, does not change the tasks.
    apart = {*ANEW, "skip_broken", "vocabulary", "length", "buckets", "prefixes"}
    told = {
        DATASET.renamed.get(k, k): v for k, v in arguments.items() if k not in apart
    }
    return {DATASET.flag: values[DATASET.flag], **told}
