"""The flags that say which data, which net and which learner, and what they make."""

from __future__ import annotations

from typing import Any

import keras
from absl import flags

import tfmeta
from tfmeta.data import Source
from tfmeta.training import RunFolder
from tfmeta.training.run_folder import read_json

FLAGS = flags.FLAGS


def define_data_flags() -> None:
    """Where tasks come from."""
    flags.DEFINE_string(
        "dataset",
        "glyphs",
        "Where the classes come from: glyphs (drawn by a program, nothing to "
        "download), tfds:NAME (such as tfds:omniglot) or npz:PATH.",
    )
    flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data.")
    flags.DEFINE_bool("download", False, "Let TFDS download what is missing.")
    flags.DEFINE_string(
        "split",
        None,
        "Which classes are for training, validation and test: a shipped list "
        "(vinyals, cifar_fs, fc100), a JSON file of class names, or three fractions "
        "such as 0.64,0.16,0.2. Left out: the source's own.",
    )
    flags.DEFINE_bool(
        "rotations", False, "Count images turned by 90, 180, 270 degrees as classes."
    )
    flags.DEFINE_integer(
        "data_seed", 0, "Which classes fractions take, and which glyphs are drawn."
    )
    flags.DEFINE_integer("image_size", None, "Resize images to this height and width.")
    flags.DEFINE_integer("channels", None, "Turn images into 1 (grey) or 3 (colour).")


def define_episode_flags() -> None:
    """What an episode is made of."""
    flags.DEFINE_integer("way", 5, "Classes in an episode.", lower_bound=1)
    flags.DEFINE_integer("shot", 1, "Support examples per class.", lower_bound=1)
    flags.DEFINE_integer("query", 15, "Queries per class.", lower_bound=1)


def define_learner_flags() -> None:
    """Which method, around which net."""
    flags.DEFINE_string(
        "learner", "protonet", f"The method: {', '.join(sorted(learners()))}."
    )
    flags.DEFINE_enum("net", "conv4", ["conv4", "mlp"], "The net it trains.")
    flags.DEFINE_integer("filters", 64, "Channels of conv4.", lower_bound=1)
    flags.DEFINE_bool(
        "strided", False, "Whether conv4 halves by stride (faster) or by max-pooling."
    )
    flags.DEFINE_string(
        "normalisation",
        None,
        "Where batch normalisation takes its statistics from: support (the support "
        "set), task (each batch, transductive) or running (moving averages). Left "
        "out: the learner's own.",
    )
    flags.DEFINE_integer("inner_steps", 1, "maml: inner steps in training.")
    flags.DEFINE_integer("eval_steps", None, "maml: inner steps when evaluated.")
    flags.DEFINE_float("inner_lr", 0.4, "maml: size of an inner step.")
    flags.DEFINE_bool("first_order", False, "maml: drop second derivatives.")
    flags.DEFINE_bool(
        "prototype_head",
        False,
        "maml: make the last layer from each task's class means, for any way.",
    )
    flags.DEFINE_enum(
        "distance", "euclidean", ["euclidean", "cosine"], "protonet: how far is far."
    )


def values() -> dict[str, Any]:
    """The values of this project's flags, by name; absl's own left out."""
    return {
        name: FLAGS[name].value
        for name in FLAGS
        if not FLAGS.find_module_defining_flag(name).startswith("absl")
    }


def values_of_run(run: RunFolder) -> dict[str, Any]:
    """The flags of a run; where its data lies may be said anew.

    Args:
        run: The run's folder.

    Returns:
        The values by name.
    """
    values = dict(read_json(run.config_file)["flags"])
    for name in ("data_dir", "download"):
        if name in FLAGS and FLAGS[name].present:
            values[name] = FLAGS[name].value
    return values


def learners() -> dict[str, type[tfmeta.learners.Learner]]:
    """The learners by their name on the command line: the class name in lower case."""
    module = tfmeta.learners
    return {n.lower(): getattr(module, n) for n in module.__all__ if n != "Learner"}


def load_source(values: dict[str, Any]) -> Source:
    """The source that data flags name.

    Args:
        values: The flags, by name: FLAGS', or those a run has written down.

    Returns:
        Its three splits.
    """
    options = ("data_dir", "download", "split", "rotations", "image_size", "channels")
    return tfmeta.data.load(
        values["dataset"], seed=values["data_seed"], **{k: values[k] for k in options}
    )


def make_learner(example_shape: tuple[int, ...]) -> tfmeta.learners.Learner:
    """The learner that FLAGS name, around a net with weights from `--seed`.

    Args:
        example_shape: The shape of one input.

    Returns:
        A new learner.

    Raises:
        ValueError: If there is no such learner.
    """
    name = FLAGS.learner
    if name not in learners():
        raise ValueError(
            f"There is no learner {name!r}. --learner is one of: "
            f"{', '.join(sorted(learners()))}."
        )
    options: dict[str, Any] = {}
    if name == "nearestneighbour":
        return learners()[name]()
    if FLAGS.normalisation:
        options["normalisation"] = FLAGS.normalisation
    headed = name == "fromscratch" or (name == "maml" and not FLAGS.prototype_head)
    if name == "maml":
        options |= {
            "inner_steps": FLAGS.inner_steps,
            "inner_lr": FLAGS.inner_lr,
            "eval_steps": FLAGS.eval_steps,
            "first_order": FLAGS.first_order,
        }
    if name == "protonet":
        options["distance"] = FLAGS.distance
    net = make_net(example_shape, FLAGS.way if headed else None)
    return learners()[name](net, **options)


def make_net(example_shape: tuple[int, ...], way: int | None) -> keras.Model:
    """The net that FLAGS name.

    Args:
        example_shape: The shape of one input.
        way: Outputs of its head, or None for a net without one.

    Returns:
        A built net whose weights come from `--seed`.
    """
    if FLAGS.net == "conv4":
        net = tfmeta.nets.conv4(
            way=way,
            filters=FLAGS.filters,
            strided=FLAGS.strided,
            input_shape=example_shape,
        )
    else:
        net = tfmeta.nets.mlp(outputs=way, input_shape=example_shape)
    return tfmeta.nets.fresh(net, seed=FLAGS.seed)
