"""The README.md of a SavedModel, and the request it shows."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.core import Labels
from tfmeta.export.facts import Facts
from tfmeta.export.signatures import ADAPT, BOTH, DEFAULT, EXTEND, PREDICT

FACTS = "export.json"
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
_REFUSED = {
    "raise": "Refused with a sentence: other shapes than those below,",
    "flag": "Answered with `valid` 0, labels -1, probabilities 0 and values NaN:",
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

{answer}

From the command line, in this folder:

```
saved_model_cli run --dir . --tag_set serve --signature_def {default} \\
    --inputs '{arrays}'
```"""


def write_readme(
    folder: pathlib.Path, signatures: dict[str, Any], facts: Facts, served_name: str
) -> None:
    """Writes README.md, export.json, request.json and request.npz beside a SavedModel.

    The request is run on the model as it was saved; the answer goes into README.md. The
    facts go into export.json too, for programs.

    Args:
        folder: The folder of the SavedModel.
        signatures: The concrete functions that the model was saved with, by name.
        facts: The facts about the learner.
        served_name: The model's name at a server.
    """
    told = {**facts.as_json(), "signatures": sorted(signatures)}
    (folder / FACTS).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    inputs = _sample(_inputs(signatures[DEFAULT]))
    request = {
        "signature_name": DEFAULT,
        "inputs": {name: value.tolist() for name, value in inputs.items()},
    }
    (folder / REQUEST).write_text(json.dumps(request) + "\n", encoding="utf-8")
    tensors = _tensors(request)
    np.savez(folder / ARRAYS, **{name: t.numpy() for name, t in tensors.items()})
    answer = _answer(folder, tensors, facts)
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


def _answer(
    folder: pathlib.Path, request: dict[str, tf.Tensor], facts: Facts
) -> list[str]:
    """What the saved model answers, in lines of README.md."""
    served = tf.saved_model.load(str(folder))
    try:
        answer = served.signatures[DEFAULT](**request)
    except tf.errors.InvalidArgumentError:
        if not facts.refuse_outside:
            raise
        return [
            "The numbers of this request are made up. When the model was saved, it",
            "refused them, because they are far outside those of meta-training. Put",
            "examples of yours in their place.",
        ]
    told = {name: value.numpy().tolist() for name, value in answer.items()}
    return [
        "This request was run when the model was saved. The answer:",
        "",
        "```",
        str(told),
        "```",
    ]


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
        if spec.dtype == tf.string:
            values[name] = np.array(["a", "b"])[draws.integers(2, size=shape)]
        elif spec.dtype.is_integer:
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
    warmth = facts.temperature
    softened = [] if warmth is None else [f"* Logits are divided by {warmth:.4g}."]
    return [
        f"# {served_name}",
        "",
        _WHAT[facts.targets.name, facts.adapted],
        "",
        f"* Method: {facts.learner}{steps}.",
        *([f"* Classes: {_classes(facts)}.{rejected}"] if labels else []),
        *softened,
        f"* Normalisation: {_NORMALISATIONS[facts.normalisation]}",
        f"* Inputs: {_how_prepared(facts)}",
        f"* {_REFUSED[facts.on_bad_input]} NaN or infinite values, no support examples"
        f"{', labels out of range' if labels else ''}"
        f"{', values far outside those of training' if facts.refuse_outside else ''}.",
        f"* Written with TensorFlow {tf.__version__}.",
        "",
    ]


def _how_prepared(facts: Facts) -> str:
    if facts.prepare is None:
        return "scaled as in training, images float32 in 0..1."
    return f"raw, as in training; the graph prepares them by {facts.prepare}."


def _classes(facts: Facts) -> str:
    if facts.names is not None:
        return ", ".join(facts.names)
    most = "any number" if facts.max_way is None else f"up to {facts.max_way}"
    return f"{most}, labelled 0, 1, 2, ...; examples per class may differ"


def _tables(signatures: dict[str, Any]) -> list[str]:
    default = BOTH if BOTH in signatures else PREDICT
    lines = ["", "## Signatures", "", f"`{DEFAULT}` is `{default}`. `?` is any number."]
    if any(_takes(function, "_images") for function in signatures.values()):
        lines += [
            "An image is the content of a JPEG, PNG, GIF or BMP file; in JSON it is "
            '`{"b64": "..."}`.'
        ]
    for name, function in signatures.items():
        if name == DEFAULT:
            continue
        inputs, state = _inputs(function), _state_of(name, signatures)
        rows = [_row("input", n, s) for n, s in inputs.items() if n not in state]
        if state:
            rows.append(f"| input | all that `{ADAPT}{_ending(name)}` gives | | |")
        rows += [_row("output", n, s) for n, s in function.structured_outputs.items()]
        lines += [
            "",
            f"| `{name}` | name | dtype | shape |",
            "|---|---|---|---|",
            *rows,
        ]
    return lines


def _takes(function: Any, part: str) -> bool:
    return any(part in name for name in _inputs(function))


def _ending(name: str) -> str:
    """What follows the verb in the name of a signature."""
    for verb in (BOTH, EXTEND, PREDICT, ADAPT):
        if name.startswith(verb):
            return name.removeprefix(verb)
    return ""


def _state_of(name: str, signatures: dict[str, Any]) -> set[str]:
    """The inputs of a signature that are outputs of its `adapt`."""
    adapt = signatures.get(ADAPT + _ending(name))
    if adapt is None or not name.startswith((PREDICT, EXTEND)):
        return set()
    return set(adapt.structured_outputs)


def _row(way: str, name: str, spec: tf.TensorSpec) -> str:
    shape = ", ".join("?" if n is None else str(n) for n in spec.shape)
    return f"| {way} | `{name}` | {spec.dtype.name} | ({shape}) |"


def _how_to_ask(request: dict, answer: list[str], served_name: str) -> list[str]:
    inputs = [f'    "{k}": {_short(v)}' for k, v in request["inputs"].items()]
    text = _ASK.format(
        default=DEFAULT,
        inputs=",\n".join(inputs),
        name=served_name,
        snippet=_SNIPPET,
        answer="\n".join(answer),
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
