"""Transfer from CIFAR-10 to CIFAR-100, at few and at many examples a class.

    python benchmarks/transfer.py --data_dir=DIR --cifar10=cifar10_10k.npz --runs=RUNS

Three nets are pretrained: a classifier of CIFAR-10, an autoencoder of its pictures, and
by contrast of two views of CIFAR-100's training pictures without their labels. Each is
the start of classifiers of CIFAR-100's 100 classes with 5, 20 and 100 training examples
of each class: all weights trained (full), or all but the head frozen (frozen). From the
classifier it is also the first two blocks frozen (partial), and a start half the way
between its weights and fresh ones (half). The same net from scratch is beside them.

Every run is one of `scripts/train.py`, and --jobs of them run at a time; its last
weights are scored. Finished runs are not done again, so the program goes on where it
was stopped. It prints a table in Markdown of the accuracy on CIFAR-100's 10,000 test
pictures, the mean and the 95 % interval over seeds, and with --picture draws it.
"""

from __future__ import annotations

import concurrent.futures
import functools
import itertools
import json
import pathlib
import subprocess
import sys
import threading

import numpy as np
from absl import app, flags

from tfmeta.data import Part, load
from tfmeta.evaluation import evaluate
from tfmeta.evaluation.student_t import half_width
from tfmeta.json_files import write_json
from tfmeta.training import RunFolder

FLAGS = flags.FLAGS
flags.DEFINE_string("data_dir", None, "Where TFDS keeps CIFAR-100.", required=True)
flags.DEFINE_string("cifar10", None, "An .npz file of CIFAR-10.", required=True)
flags.DEFINE_string("runs", None, "The folder that keeps the runs.", required=True)
flags.DEFINE_list("sizes", ["5", "20", "100"], "Training examples of each class.")
flags.DEFINE_list("variants", None, "Which rows; left out: all.")
flags.DEFINE_integer("seeds", 3, "Runs of each.", lower_bound=2)
flags.DEFINE_integer("jobs", 2, "Runs at a time.", lower_bound=1)
flags.DEFINE_string("picture", None, "Draw the table into this PNG.")

TRAIN = pathlib.Path(__file__).resolve().parents[1] / "scripts" / "train.py"
SCORING = threading.Lock()
NET = [
    *("--net=conv4", "--filters=32", "--strided", "--augment=flips_and_shifts"),
    *("--batch_size=64", "--outer_lr=0.01", "--decay_to_zero"),
    *("--disjoint=examples", "--checkpoint_every=1000"),
]
FIRST = ["block1", "block2_conv", "block2_norm"]
ALL = [*FIRST, "block3_conv", "block3_norm", "block4_conv", "block4_norm"]
# The steps by the examples of each class, and those of a source.
STEPS = {"5": 300, "20": 800, "100": 3000}
SOURCE_STEPS = 4000
SOURCES = {
    "classifier": ["--learner=supervised"],
    "autoencoder": ["--learner=linearprobe", "--objective=reconstruct"],
    "contrast": [
        *("--learner=linearprobe", "--objective=contrast", "--batch_size=128"),
        "--augment=crops_and_colours",
    ],
}
WAYS = {
    "full": [],
    "partial": [f"--freeze={','.join(FIRST)}"],
    "frozen": [f"--freeze={','.join(ALL)}"],
    "half": ["--init_share=0.5"],
}
VARIANTS = (
    *("scratch", "classifier full", "classifier partial", "classifier frozen"),
    *("classifier half", "autoencoder full", "autoencoder frozen"),
    *("contrast full", "contrast frozen"),
)


def main(_) -> None:
    """Trains what is not trained yet, and prints the table."""
    variants = FLAGS.variants or VARIANTS
    sources = sorted({each.split()[0] for each in variants} & set(SOURCES))
    runs = list(itertools.product(variants, FLAGS.sizes, range(FLAGS.seeds)))
    with concurrent.futures.ThreadPoolExecutor(FLAGS.jobs) as pool:
        list(pool.map(pretrain, sources))
        scores = list(pool.map(lambda run: score(*run), runs))
    found: dict[tuple[str, str], list[float]] = {}
    for (variant, size, _seed), each in zip(runs, scores, strict=True):
        found.setdefault((variant, size), []).append(each)
    print(table(variants, found))
    if FLAGS.picture:
        draw(variants, found)


def score(variant: str, size: str, seed: int) -> float:
    """The test accuracy of one run; its seed draws its examples too."""
    source, _, way = variant.partition(" ")
    start = [f"--init_from={run_folder(source)}", *WAYS[way]] if way else []
    run = RunFolder(f"{FLAGS.runs}/{variant.replace(' ', '_')}_{size}_seed{seed}")
    if not run.results_file.exists():
        train(
            *("--learner=supervised", *cifar100(), *NET, *start),
            *(f"--per_class={size}", f"--steps={STEPS[size]}"),
            *(f"--validate_every={STEPS[size]}", f"--data_seed={seed}"),
            *(f"--seed={seed}", f"--run_dir={run.path}"),
        )
        with SCORING:  # One at a time: Keras names layers by a count for all threads.
            result = evaluate(run.load_model("last"), test_pictures())
        write_json(run.results_file, result.record())
    return float(json.loads(run.results_file.read_text())["mean"])


@functools.cache
def test_pictures() -> Part:
    """The test part of CIFAR-100, the same for all runs."""
    return load(
        "tfds:cifar100",
        data_dir=FLAGS.data_dir,
        split=(0.98, 0.02, 0),
        disjoint="examples",
    ).test


def pretrain(source: str) -> None:
    """Trains a source, if it is not trained yet."""
    data = [f"--dataset=npz:{FLAGS.cifar10}", "--split=0.8,0.1,0.1"]
    train(
        *(*(cifar100() if source == "contrast" else data), *NET, *SOURCES[source]),
        *(f"--steps={SOURCE_STEPS}", f"--validate_every={SOURCE_STEPS // 4}"),
        f"--run_dir={run_folder(source)}",
    )


def cifar100() -> list[str]:
    """The flags of the target's data: a fiftieth of it validates."""
    return [
        *("--dataset=tfds:cifar100", f"--data_dir={FLAGS.data_dir}"),
        "--split=0.98,0.02,0",
    ]


def run_folder(source: str) -> str:
    """The folder of the run in which a source is pretrained."""
    return f"{FLAGS.runs}/source_{source}"


def train(*arguments: str) -> None:
    """Trains by the script, which does nothing if the run is finished."""
    run = arguments[-1].removeprefix("--run_dir=")
    with pathlib.Path(f"{run}.log").open("a") as file:
        subprocess.run(
            [sys.executable, str(TRAIN), *arguments],
            check=True,
            stdout=file,
            stderr=file,
        )


def table(variants: list[str], found: dict[tuple[str, str], list[float]]) -> str:
    """The accuracies, a row a variant, in Markdown."""
    rows = [
        f"| begins with | {' | '.join(f'{n} a class' for n in FLAGS.sizes)} |",
        "|---" * (1 + len(FLAGS.sizes)) + "|",
    ]
    for variant in variants:
        cells = [
            f"{100 * np.mean(scores):.2f} ± {100 * half_width(np.array(scores)):.2f} %"
            for scores in (found[variant, size] for size in FLAGS.sizes)
        ]
        rows.append(f"| {variant} | {' | '.join(cells)} |")
    return "\n".join(rows)


def draw(variants: list[str], found: dict[tuple[str, str], list[float]]) -> None:
    """Draws the accuracy of the fully trained nets over the examples a class."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 4), layout="constrained")
    sizes = [int(size) for size in FLAGS.sizes]
    for variant in variants:
        source, _, way = variant.partition(" ")
        if way not in ("", "full"):
            continue
        scores = np.array([found[variant, size] for size in FLAGS.sizes])
        halves = [100 * half_width(each) for each in scores]
        style = {"linestyle": "--", "color": "black"} if source == "scratch" else {}
        axes.errorbar(
            sizes,
            100 * scores.mean(1),
            halves,
            marker="o",
            capsize=3,
            label=source,
            **style,
        )
    axes.set_xscale("log")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("training examples of each of 100 classes")
    axes.set_ylabel("test accuracy, %")
    axes.set_title("CIFAR-100 from weights that were pretrained")
    axes.legend(title="begins with", frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(FLAGS.picture, dpi=144)


if __name__ == "__main__":
    app.run(main)
