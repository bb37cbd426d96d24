"""Every row of the table, exported, answers as the row's reference does."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from learner_cases import CASES, Case
from learner_tasks import GAPPED, episode, numbers, state_of

from tfmeta import Options, export
from tfmeta.export.formats.by_name import format_of

TOLERANCE = 1e-4  # Of probabilities and values in float32, after up to 100 steps.


def named(name: str, x) -> dict[str, tf.Tensor]:
    """The inputs of a request for one set of examples."""
    if isinstance(x, dict):
        return {f"{name}_{part}": values for part, values in x.items()}
    return {name: x}


def expected(case: Case, learner, task) -> np.ndarray:
    outputs = case.reference(state_of(learner), numbers(task)).outputs
    if case.targets:
        return outputs
    shares = np.exp(outputs - outputs.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def close(got, wanted) -> None:
    np.testing.assert_allclose(got, wanted, rtol=TOLERANCE, atol=TOLERANCE)


FORMATS = {"litert": "ai_edge_litert", "onnx": "tf2onnx"}
# Where a format has no form for a row's net: what the sentence names.
REFUSED = {
    ("matching_net_full_context", "onnx"): "TensorListReserve of lstm",
}
ADAPTIVE = [case for case in CASES if case.adapts]


@pytest.mark.parametrize("case", ADAPTIVE, ids=lambda case: case.name)
def test_it_answers_as_its_reference(case: Case, tmp_path) -> None:
    learner, task = case.make(), episode(case, GAPPED)
    folder = export.save(
        learner,
        tmp_path,
        allow_transductive=learner.mode == "task",
        example_shape=case.shape if learner.net is None else None,
    )
    wanted = expected(case, learner, task)
    served = tf.saved_model.load(str(folder)).signatures
    support = {**named("support_x", task.support.x), "support_y": task.support.y}
    query = named("query_x", task.query.x)
    output = "values" if case.targets else "probabilities"

    def asked(rows: slice) -> tf.Tensor:
        chosen = {name: values[rows] for name, values in query.items()}
        return served["predict"](**chosen, **adapted)[output]

    both = served["serving_default"](**support, **query)
    close(both[output], wanted)
    if not case.targets:
        assert (both[output].numpy()[:, wanted[0] == 0] == 0).all()
        np.testing.assert_array_equal(both["labels"], wanted.argmax(-1))
    adapted = served["adapt"](**support)
    close(asked(slice(None)), wanted)
    assert asked(slice(0)).shape[0] == 0
    if learner.mode == "task":  # Transductive: that is what the flag is for.
        assert np.abs(asked(slice(1)) - wanted[:1]).max() > 1e-3
    else:
        close(asked(slice(1)), wanted[:1])


@pytest.mark.parametrize("name", ["maml_prototypes", "protonet", "maml_regression"])
def test_an_adapted_task_answers_as_its_reference(name: str, tmp_path) -> None:
    (case,) = (case for case in CASES if case.name == name)
    learner, task = case.make(), episode(case, GAPPED)
    adapted = learner.adapt(task.support, Options())
    if case.targets:
        folder = export.save_regressor(learner, adapted, tmp_path)
    else:
        folder = export.save_classifier(learner, adapted, "abcd", tmp_path)
    served = tf.saved_model.load(str(folder)).signatures["serving_default"]
    answer, wanted = served(query_x=task.query.x), expected(case, learner, task)
    close(answer["values" if case.targets else "probabilities"], wanted)
    if not case.targets:
        told = [b"abcd"[i : i + 1] for i in wanted.argmax(-1)]
        assert answer["names"].numpy().tolist() == told


def arrays(tensors: dict) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in tensors.items()}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", ADAPTIVE, ids=lambda case: case.name)
def test_in_other_formats_it_answers_as_its_reference(
    case: Case, form: str, tmp_path
) -> None:
    pytest.importorskip(FORMATS[form], reason="needs the extra 'device'")
    learner, task = case.make(), episode(case, GAPPED)
    options = {
        "format": form,
        "allow_transductive": learner.mode == "task",
        "example_shape": case.shape if learner.net is None else None,
    }
    if (case.name, form) in REFUSED:
        with pytest.raises(ValueError, match=REFUSED[case.name, form]):
            export.save(learner, tmp_path / "none", **options)
        assert not list(tmp_path.iterdir())
        return
    folder = export.save(learner, tmp_path, **options)
    wanted = expected(case, learner, task)
    support = {**named("support_x", task.support.x), "support_y": task.support.y}
    support, query = arrays(support), arrays(named("query_x", task.query.x))
    output = "values" if case.targets else "probabilities"
    runtime = format_of(form)
    both = runtime.answer(folder, "adapt_and_predict", {**support, **query})
    assert both["valid"] == 1
    close(both[output], wanted)
    if not case.targets:
        np.testing.assert_array_equal(both["labels"], wanted.argmax(-1))
    state = runtime.answer(folder, "adapt", support)
    told = runtime.answer(folder, "predict", {**query, **state})
    close(told[output], wanted)
