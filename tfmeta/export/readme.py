"""The README.md of an export, and the request it shows."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.core import Labels
from tfmeta.export.facts import Facts
from tfmeta.export.formats.base import Arrays, Format
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
    ("labels", False): "learns to classify from a few labelled examples, in the graph, "
    "and answers queries",
    ("labels", True): "classifies; it has learned its classes and learns no others",
    ("values", False): "learns to predict values from a few examples with known ones, "
    "in the graph, and answers queries",
    ("values", True): "predicts the values of one task that it has learned",
}
_REFUSED = {
    "raise": "Refused with a sentence: other shapes than those below,",
    "flag": "Answered with `valid` 0, labels -1, probabilities 0 and values NaN:",
}


def write_readme(
    folder: pathlib.Path,
    signatures: dict[str, Any],
    facts: Facts,
    served_name: str,
    form: Format,
) -> None:
    """Writes README.md, export.json, request.json and request.npz beside an export.

    The request is run on the export as it was written; the answer goes into README.md.
    The facts go into export.json too, for programs.

    Args:
        folder: The folder of the export.
        signatures: The concrete functions that were written, by name.
        facts: The facts about the learner.
        served_name: The export's name at a server.
        form: The format.
    """
    told = {**facts.as_json(), "format": form.name, "signatures": sorted(signatures)}
    (folder / FACTS).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    asked = next(name for name in (DEFAULT, BOTH, PREDICT) if name in signatures)
    inputs = sample(inputs_of(signatures[asked]))
    request: dict[str, Any] = {
        "signature_name": asked,
        "inputs": {name: value.tolist() for name, value in inputs.items()},
    }
    (folder / REQUEST).write_text(json.dumps(request) + "\n", encoding="utf-8")
    # TensorFlow makes lists of numbers float32 or int32, as in the README's snippet.
    arrays = {n: tf.constant(v).numpy() for n, v in request["inputs"].items()}
    np.savez(folder / ARRAYS, **arrays)
    shown = form.how_to_ask(
        asked,
        ",\n".join(f'    "{k}": {_short(v)}' for k, v in request["inputs"].items()),
        ";".join(f"{name}={ARRAYS}[{name}]" for name in inputs),
        "\n".join(_answer(form, folder, asked, arrays, facts)),
        served_name,
    )
    text = "\n".join([*_about(facts, served_name, form), shown, *_tables(signatures)])
    (folder / "README.md").write_text(text + "\n", encoding="utf-8")


def _answer(
    form: Format, folder: pathlib.Path, asked: str, request: Arrays, facts: Facts
) -> list[str]:
    """What the export answers, in lines of README.md."""
    try:
        answer = form.answer(folder, asked, request)
    except tf.errors.InvalidArgumentError:
        if not facts.refuse_outside:
            raise
        return [
            "The numbers of this request are made up. When the model was saved, it",
            "refused them, because they are far outside those of meta-training. Put",
            "examples of yours in their place.",
        ]
    return [
        "This request was run when the model was saved. The answer:",
        "",
        "```",
        str({name: value.tolist() for name, value in answer.items()}),
        "```",
    ]


def sample(specs: dict[str, tf.TensorSpec]) -> dict[str, np.ndarray]:
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


def _about(facts: Facts, served_name: str, form: Format) -> list[str]:
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
        f"This {form.noun} {_WHAT[facts.targets.name, facts.adapted]}. It needs "
        f"{form.needs}.",
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
    alias = f"`{DEFAULT}` is `{default}`. " if DEFAULT in signatures else ""
    lines = ["", "## Signatures", "", f"{alias}`?` is any number."]
    if any(_takes(function, "_images") for function in signatures.values()):
        lines += [
            "An image is the content of a JPEG, PNG, GIF or BMP file; in JSON it is "
            '`{"b64": "..."}`.'
        ]
    for name, function in signatures.items():
        if name == DEFAULT:
            continue
        inputs, state = inputs_of(function), _state_of(name, signatures)
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
    return any(part in name for name in inputs_of(function))


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


def inputs_of(function: Any) -> dict[str, tf.TensorSpec]:
    """The inputs of a signature by name, those of support sets first."""
    args, kwargs = function.structured_input_signature
    specs = {**{spec.name: spec for spec in args}, **kwargs}
    order = sorted(specs, key=lambda name: (not name.startswith("support"), name))
    return {name: specs[name] for name in order}


def _short(value: Any, length: int = 60) -> str:
    text = json.dumps(value)
    return text if len(text) <= length else text[:length] + " ..."
