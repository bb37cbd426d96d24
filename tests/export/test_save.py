"""Exported learners: alone they answer as Python does, and refuse with a sentence."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta import export, learners
from tfmeta.nets import conv4, mlp

ALONE = """
import io, json, os, sys
for name in ("tfmeta", "keras"):
    sys.modules[name] = None
from contextlib import redirect_stdout
import numpy as np
import tensorflow as tf
found = {}
for name, folder in json.loads(sys.argv[1]).items():
    model = tf.saved_model.load(folder)
    request = dict(np.load(sys.argv[2] + "/" + name + ".npz"))
    query = request.pop("query_x")
    both = model.signatures["adapt_and_predict"](query_x=query, **request)
    default = model.signatures["serving_default"](query_x=query, **request)
    adapted = model.signatures["adapt"](**request)
    split = model.signatures["predict"](query_x=query, **adapted)
    none = model.signatures["predict"](query_x=query[:0], **adapted)
    found[name + "/both"] = both["probabilities"]
    found[name + "/labels"] = both["labels"]
    found[name + "/default"] = default["probabilities"]
    found[name + "/split"] = split["probabilities"]
    found[name + "/none"] = none["labels"]
    if name not in sys.argv[3].split(","):
        continue
    os.chdir(folder)
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(open("README.md").read().split("```python\\n")[1].split("```")[0], {})
    found[name + "/readme"] = np.array(printed.getvalue())
np.savez(sys.argv[2] + "/answers.npz", **found)
"""
NAMES = [
    "maml",
    "maml_first_order",
    "protonet",
    "nearest_neighbour",
    "from_scratch",
]
RUN = "maml,nearest_neighbour"  # Whose README's Python is run.


@pytest.fixture(scope="module")
def alone(exported, tmp_path_factory) -> dict[str, np.ndarray]:
    """The answers of a process that has neither tfmeta nor Keras."""
    folder = tmp_path_factory.mktemp("alone")
    for name, case in exported.items():
        np.savez(folder / f"{name}.npz", **case.request)
    places = {name: str(case.folder) for name, case in exported.items()}
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, json.dumps(places), str(folder), RUN],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(np.load(folder / "answers.npz"))


@pytest.mark.parametrize("name", NAMES)
def test_alone_it_answers_as_python_does(name, exported, alone):
    wanted = exported[name].probabilities
    for form in ("both", "default", "split"):
        np.testing.assert_allclose(alone[f"{name}/{form}"], wanted, atol=1e-5)
    np.testing.assert_array_equal(alone[f"{name}/labels"], wanted.argmax(-1))
    assert alone[f"{name}/labels"].dtype == np.int32
    assert alone[f"{name}/none"].shape == (0,)


@pytest.mark.parametrize("name", RUN.split(","))
def test_the_readme_shows_the_answer_it_gives(name, exported, alone):
    text = (exported[name].folder / "README.md").read_text(encoding="utf-8")
    shown = ast.literal_eval(re.search(r"^\{'.*\}$", text, re.M).group())
    given = ast.literal_eval(str(alone[f"{name}/readme"]))
    assert shown.keys() == given.keys() == {"probabilities", "labels"}
    for key in shown:
        np.testing.assert_allclose(given[key], shown[key], atol=1e-5)
    assert f"Normalisation: {exported[name].learner.mode}:" in text
    assert f"/v1/models/{name}:predict" in text


def test_the_readme_counts_the_inner_steps(exported):
    def text(name: str) -> str:
        return (exported[name].folder / "README.md").read_text(encoding="utf-8")

    assert "MAML, 2 inner steps." in text("maml")
    assert "MAML, 8 inner steps." in text("maml_first_order")
    assert "ProtoNet." in text("protonet")


def test_saved_model_cli_runs_the_readmes_command(exported):
    folder = exported["protonet"].folder
    text = (folder / "README.md").read_text(encoding="utf-8")
    command = re.search(r"^saved_model_cli .*?(?=^```)", text, re.M | re.S).group()
    # A folder's own script, whether or not the environment is active.
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = ast.literal_eval(re.search(r"^\{'.*\}$", text, re.M).group())
    assert f"Result for output key labels:\n{shown['labels']}" in done.stdout


def test_request_json_is_columnar_and_complete(exported):
    folder = exported["protonet"].folder
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    assert request["signature_name"] == "serving_default"
    assert np.shape(request["inputs"]["support_x"]) == (3, 8, 8, 1)
    assert request["inputs"]["support_y"] == [0, 1, 1]


def test_the_adapted_state_has_readable_names(exported):
    def outputs(name: str) -> set[str]:
        loaded = tf.saved_model.load(str(exported[name].folder))
        return set(loaded.signatures["adapt"].structured_outputs)

    assert outputs("protonet") == {"prototypes", "counts"}
    assert outputs("nearest_neighbour") == {"examples", "labels"}
    # Four blocks of convolution and normalisation; a head; mean, variance and count.
    weights = {f"params_{i:02}" for i in range(14)}
    statistics = {f"states_00_statistics_{i:02}" for i in range(12)}
    assert outputs("maml") == weights | statistics | {"present"}
    assert outputs("from_scratch") == {f"params_{i:02}" for i in range(4)} | {"present"}


def broken(request: dict, **changes) -> dict:
    return {**request, **changes}


REFUSALS = {
    "fewer labels": (
        lambda r: broken(r, support_y=r["support_y"][1:]),
        r"support_x has \d examples, but support_y has \d rows. Give one row",
    ),
    "no support": (
        lambda r: broken(r, support_x=r["support_x"][:0], support_y=r["support_y"][:0]),
        "The support set is empty",
    ),
    "negative label": (
        lambda r: broken(r, support_y=r["support_y"] - 1),
        "support_y has the label -1, but",
    ),
    "huge label": (
        lambda r: broken(r, support_y=np.full_like(r["support_y"], 2_000_000_000)),
        "support_y has the label 2000000000, but",
    ),
    "NaN in support": (
        lambda r: broken(r, support_x=r["support_x"] * np.float32("nan")),
        "support_x has a value that is NaN or infinite",
    ),
    "infinity in queries": (
        lambda r: broken(r, query_x=r["query_x"] / np.float32(0)),
        "query_x has a value that is NaN or infinite",
    ),
}


@pytest.mark.parametrize("output", ["probabilities", "labels"])
@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("name", ["maml", "protonet", "nearest_neighbour"])
def test_bad_content_is_refused_by_each_output(name, refusal, output, sessions):
    change, sentence = REFUSALS[refusal]
    with np.errstate(divide="ignore", invalid="ignore"):
        sessions(name, "serving_default", output, change, sentence)


@pytest.mark.parametrize("refusal", [r for r in REFUSALS if r != "infinity in queries"])
@pytest.mark.parametrize("output", ["counts", "prototypes"])
def test_adapt_refuses_bad_content_in_each_output(refusal, output, sessions):
    change, sentence = REFUSALS[refusal]
    sessions("protonet", "adapt", output, change, sentence)


@pytest.mark.parametrize(
    ("name", "label", "bound"), [("maml", 4, "0..3"), ("protonet", 6, "0..5")]
)
def test_the_first_label_out_of_range_is_refused(name, label, bound, sessions):
    def change(request):
        labels = request["support_y"].copy()
        labels[1] = label
        return broken(request, support_y=labels)

    sentence = f"has the label {label}, but .*{re.escape(bound)}"
    sessions(name, "serving_default", "labels", change, sentence)


@pytest.fixture(scope="module")
def sessions(exported):
    """Asks for ONE output, as a server may, and checks that it is refused."""
    opened: dict = {}

    def ask(name, signature, output, change, sentence):
        if name not in opened:
            session = tf.compat.v1.Session(graph=tf.Graph())
            with session.graph.as_default():
                meta = tf.compat.v1.saved_model.load(
                    session, ["serve"], str(exported[name].folder)
                )
            opened[name] = session, meta.signature_def
        session, signatures = opened[name]
        of = signatures[signature]

        def run(request):
            feeds = {of.inputs[k].name: v for k, v in request.items() if k in of.inputs}
            return session.run(of.outputs[output].name, feeds)

        request = exported[name].request
        run(request)
        with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
            run(change(request))

    yield ask
    for session, _ in opened.values():
        session.close()


def test_a_state_that_holds_nan_is_refused(exported):
    case = exported["protonet"]
    served = tf.saved_model.load(str(case.folder)).signatures
    support = {k: v for k, v in case.request.items() if k != "query_x"}
    state = served["adapt"](**{k: tf.constant(v) for k, v in support.items()})
    state["prototypes"] = state["prototypes"] * float("nan")
    with pytest.raises(tf.errors.InvalidArgumentError, match="prototypes has a value"):
        served["predict"](query_x=tf.constant(case.request["query_x"]), **state)


def test_probabilities_that_overflow_are_refused(exported):
    case = exported["maml_first_order"]
    served = tf.saved_model.load(str(case.folder)).signatures["serving_default"]
    request = {k: tf.constant(v) for k, v in case.request.items()}
    request["query_x"] = tf.constant([[3e38] * 3, [-3e38] * 3])
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="infinite value in its probabilities"
    ):
        served(**request)


def tiny(**options) -> learners.ProtoNet:
    return learners.ProtoNet(mlp(units=(2,), input_shape=(2,)), **options)


def test_a_meta_model_is_exported_as_its_learner(tmp_path):
    model = tfmeta.MetaModel(tiny())
    folder = export.save(model, tmp_path / "a")
    assert folder == tmp_path / "a" / "1"
    assert (folder / "saved_model.pb").is_file()


def test_transductive_normalisation_needs_the_flag(tmp_path):
    net = conv4(filters=2, strided=True, input_shape=(2, 2, 1))
    learner = learners.ProtoNet(net, normalisation="task")
    with pytest.raises(ValueError, match="allow_transductive=True"):
        export.save(learner, tmp_path / "a")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("learner", "options", "sentence"),
    [
        (tiny, {"steps": 3}, "ProtoNet takes none"),
        (tiny, {"example_shape": (3,)}, r"example_shape=\(3,\) does not fit"),
        (tiny, {"example_shape": {"a": (2,)}}, "does not fit the net"),
        (learners.NearestNeighbour, {}, "Pass example_shape"),
        (learners.NearestNeighbour, {"example_shape": (None, 2)}, "Pass example_shape"),
        (lambda: learners.MAML(mlp(outputs=1), targets="labels"), {}, "single output"),
        (lambda: learners.MAML(mlp(outputs=2)), {"steps": -1}, "at least 0"),
        (lambda: "a learner", {}, "Needs a tfmeta.MetaModel or .* Received: str"),
    ],
)
def test_what_cannot_be_served_is_refused(learner, options, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        export.save(learner(), tmp_path / "a", **options)
    assert not os.listdir(tmp_path)


def test_a_failure_on_the_way_leaves_nothing(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("tfmeta.export.readme._tables", fail)
    with pytest.raises(RuntimeError, match="the disk is full"):
        export.save(tiny(), tmp_path / "new" / "exported")
    assert not os.listdir(tmp_path)
