"""The README.md of a SavedModel, and the request it shows."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.core import Labels, Targets
from tfmeta.export.signatures import ADAPT, BOTH, DEFAULT, PREDICT
from tfmeta.learners import Learner

REQUEST = "request.json"
ARRAYS = "request.npz"
_NORMALISATIONS = {
    "none": "none: the net keeps no statistics.",
    "support": "support: the support set's statistics; a query's answer depends on no "
    "other query.",
    "running": "running: moving averages from training; a query's answer depends on "
    "no other query.",
    "task": "task: each call's own batch. Transductive: a query's answer depends on "
    "the other queries of its request.",
}
_WHAT = {
    ("labels", False): "This SavedModel learns to classify from a few labelled "
    "examples, in the graph, and answers queries. It needs TensorFlow alone.",
    ("labels", True): "This SavedModel classifies; it has learned its classes and "
    "learns no others. It needs TensorFlow alone.",
    ("values", False): "This SavedModel learns to predict values from a few examples "
    "with known ones, in the graph, and answers queries. It needs TensorFlow alone.",
    ("values", True): "This SavedModel predicts the values of one task that it has "
    "learned. It needs TensorFlow alone.",
}
_SNIPPET = """\
import json, tensorflow as tf
model = tf.saved_model.load(".")
request = json.load(open("request.json"))
ask = model.signatures[request["signature_name"]]
answer = ask(**{k: tf.constant(v) for k, v in request["inputs"].items()})
print({name: value.numpy().tolist() for name, value in answer.items()})"""

_ASK = """\
## Ask

`request.json` is a request in the columnar form of TensorFlow Serving's REST interface,
here shortened:

```
{{"signature_name": "{default}",
 "inputs": {{
{inputs}}}}}
```

To a server:

```
curl -d @request.json http://localhost:8501/v1/models/{name}:predict
```

In Python, in this folder:

```python
{snippet}
```

This request was run when the model was saved. The answer:

```
{answer}
```

From the command line, in this folder:

```
saved_model_cli run --dir . --tag_set serve --signature_def {default} \\
    --inputs '{arrays}'
```"""


@dataclass(frozen=True)
class Facts:
    """The facts about a learner that its README says.

    Attributes:
        learner: The learner's class name.
        targets: The kind of `y`.
        steps: The number of inner steps when served; None if the learner takes none.
        max_way: The most classes that can be served; None for any number.
        normalisation: The normalisation mode.
        names: The class names of an adapted classifier; None for any other model.
        reject_below: A query is answered if its largest class probability is at least
            this number; None if all queries are answered.
        adapted: Whether the model is adapted to one task, so that it only predicts.
    """

    learner: str
    targets: Targets
    steps: int | None
    max_way: int | None
    normalisation: str
    names: Sequence[str] | None
    reject_below: float | None
    adapted: bool

    @classmethod
    def of(
        cls,
        learner: Learner,
        targets: Targets,
        steps: int | None,
        names: Sequence[str] | None = None,
        reject_below: float | None = None,
        *,
        adapted: bool = False,
    ) -> Facts:
        """Collects the facts; the arguments after `learner` are attributes."""
        return cls(
            type(learner).__name__,
            targets,
            steps,
            learner.max_way,
            learner.mode,
            names,
            reject_below,
            adapted or names is not None,
        )


def write_readme(
    folder: pathlib.Path, signatures: dict[str, Any], facts: Facts, served_name: str
) -> None:
    """Writes README.md, request.json and request.npz beside a SavedModel.

    The request is run on the model as it was saved; the answer goes into README.md.

    Args:
        folder: The folder of the SavedModel.
        signatures: The concrete functions that the model was saved with, by name.
        facts: The facts about the learner.
        served_name: The model's name at a server.
    """
    inputs = _sample(_inputs(signatures[DEFAULT]))
    request = {
        "signature_name": DEFAULT,
        "inputs": {name: value.tolist() for name, value in inputs.items()},
    }
    (folder / REQUEST).write_text(json.dumps(request) + "\n", encoding="utf-8")
    tensors = _tensors(request)
    np.savez(folder / ARRAYS, **{name: t.numpy() for name, t in tensors.items()})
    served = tf.saved_model.load(str(folder))
    answer = served.signatures[DEFAULT](**tensors)
    text = "\n".join(
        [
            *_about(facts, served_name),
            *_how_to_ask(request, answer, served_name),
            *_tables(signatures),
        ]
    )
    (folder / "README.md").write_text(text + "\n", encoding="utf-8")


def _tensors(request: dict[str, Any]) -> dict[str, tf.Tensor]:
    # TensorFlow makes lists of numbers float32 or int32, as in the README's snippet.
    return {name: tf.constant(value) for name, value in request["inputs"].items()}


def _sample(specs: dict[str, tf.TensorSpec]) -> dict[str, np.ndarray]:
    """A tiny request: three support examples and one query, or only two queries."""
    draws = np.random.default_rng(0)
    adapts = "support_y" in specs
    values: dict[str, np.ndarray] = {}
    for name, spec in specs.items():
        if name == "support_y" and spec.dtype.is_integer:
            values[name] = np.array([0, 1, 1], np.int32)
            continue
        asked = 1 if adapts else 2
        shape = (3 if name.startswith("support") else asked, *spec.shape[1:])
        if spec.dtype.is_integer:
            values[name] = draws.integers(2, size=shape).astype(np.int32)
        else:
            values[name] = draws.random(shape).round(2)
    return values


def _about(facts: Facts, served_name: str) -> list[str]:
    steps = "" if facts.steps is None else f", {facts.steps} inner steps"
    labels = isinstance(facts.targets, Labels)
    rejected = ""
    if facts.reject_below is not None:
        rejected = (
            f" A query whose largest probability is below {facts.reject_below:.4g} "
            'gets the label -1 and the name "".'
        )
    return [
        f"# {served_name}",
        "",
        _WHAT[facts.targets.name, facts.adapted],
        "",
        f"* Method: {facts.learner}{steps}.",
        *([f"* Classes: {_classes(facts)}.{rejected}"] if labels else []),
        f"* Normalisation: {_NORMALISATIONS[facts.normalisation]}",
        "* Inputs: scaled as in training, images float32 in 0..1.",
        "* Refused with a sentence: other shapes than those below, NaN or infinite "
        "values, no support examples"
        f"{', labels out of range' if labels else ''}.",
        f"* Written with TensorFlow {tf.__version__}.",
        "",
    ]


def _classes(facts: Facts) -> str:
    if facts.names is not None:
        return ", ".join(facts.names)
    most = "any number" if facts.max_way is None else f"up to {facts.max_way}"
    return f"{most}, labelled 0, 1, 2, ...; examples per class may differ"


def _tables(signatures: dict[str, Any]) -> list[str]:
    default = BOTH if BOTH in signatures else PREDICT
    lines = ["", "## Signatures", "", f"`{DEFAULT}` is `{default}`. `?` is any number."]
    for name, function in signatures.items():
        if name == DEFAULT:
            continue
        rows = [_row("input", n, s) for n, s in _inputs(function).items()]
        if name == PREDICT and ADAPT in signatures:
            rows = [row for row in rows if "`query_x" in row]
            rows.append(f"| input | all that `{ADAPT}` gives | | |")
        rows += [_row("output", n, s) for n, s in function.structured_outputs.items()]
        lines += [
            "",
            f"| `{name}` | name | dtype | shape |",
            "|---|---|---|---|",
            *rows,
        ]
    return lines


def _row(way: str, name: str, spec: tf.TensorSpec) -> str:
    shape = ", ".join("?" if n is None else str(n) for n in spec.shape)
    return f"| {way} | `{name}` | {spec.dtype.name} | ({shape}) |"


def _how_to_ask(request: dict, answer: dict, served_name: str) -> list[str]:
    inputs = [f'    "{k}": {_short(v)}' for k, v in request["inputs"].items()]
    text = _ASK.format(
        default=DEFAULT,
        inputs=",\n".join(inputs),
        name=served_name,
        snippet=_SNIPPET,
        answer={name: value.numpy().tolist() for name, value in answer.items()},
        arrays=";".join(f"{name}={ARRAYS}[{name}]" for name in request["inputs"]),
    )
    return text.splitlines()


def _inputs(function: Any) -> dict[str, tf.TensorSpec]:
    args, kwargs = function.structured_input_signature
    specs = {**{spec.name: spec for spec in args}, **kwargs}
    order = sorted(specs, key=lambda name: (not name.startswith("support"), name))
    return {name: specs[name] for name in order}


def _short(value: Any, length: int = 60) -> str:
    text = json.dumps(value)
    return text if len(text) <= length else text[:length] + " ..."
