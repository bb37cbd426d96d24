"""Small runtimes beside the SavedModel: the same answers, and how fast, from how much.

    python benchmarks/portable.py --data_dir=DIR equal
    python benchmarks/portable.py --data_dir=DIR int8
    python benchmarks/portable.py speed

`equal` exports nets that ship, asks each format on the same 1,000 test episodes, and
counts those where a probability or value differs by more than 1e-4, and the answers
that changed although they were clear. `int8` does so with weights of eight bits, on 600
episodes. `speed` times `adapt_and_predict` of a strided conv4 with 64 filters on random
drawings, one thread each; "off" is how far its answer is from the SavedModel's. Each
format is asked in a process of its own, which imports its runtime and NumPy alone;
--python names another Python for them, such as one of an environment that has nothing
else. `web` is the page's WebAssembly, run by Node.js.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np
import tensorflow as tf
from absl import app, flags

import tfmeta
from tfmeta import export, learners
from tfmeta.evaluation.student_t import half_width
from tfmeta.nets import conv4

FLAGS = flags.FLAGS
flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data.")
flags.DEFINE_integer("episodes", 1000, "The episodes of `equal`.")
flags.DEFINE_integer("calls", 50, "The calls of `speed` that are timed.")
flags.DEFINE_string("python", sys.executable, "The Python that asks small runtimes.")

FORMATS = ("savedmodel", "litert", "onnx")
TIMED = (*FORMATS, "web")
WARM = 5
# What asks a format: its folder, requests in an .npz file, and where answers go.
ASK = """
import os, sys, time
import numpy as np

form, folder, requests, answers, count, often = sys.argv[1:]
if form == "savedmodel":
    import tensorflow as tf
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    model = tf.saved_model.load(folder).signatures["adapt_and_predict"]
    def ask(request):
        sent = {k: tf.constant(v) for k, v in request.items()}
        return {k: v.numpy() for k, v in model(**sent).items()}
elif form == "litert":
    from ai_edge_litert.interpreter import Interpreter
    runner = Interpreter(folder + "/model.tflite", num_threads=1)
    runner = runner.get_signature_runner("adapt_and_predict")
    ask = lambda request: runner(**request)
else:
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder + "/adapt_and_predict.onnx", options)
    names = [output.name for output in session.get_outputs()]
    ask = lambda request: dict(zip(names, session.run(names, request)))
held = np.load(requests)
found, times = {}, []
for i in range(int(count)):
    request = {k.split("/")[1]: held[k] for k in held.files if k.startswith(f"{i}/")}
    for turn in range(int(often)):
        start = time.perf_counter()
        answer = ask(request)
        times.append(time.perf_counter() - start)
    output = "values" if "values" in answer else "probabilities"
    found[str(i)] = np.array(answer[output])
peak = [l for l in open("/proc/self/status") if l.startswith("VmHWM")][0].split()[1]
np.savez(answers, times=np.array(times), peak=int(peak) / 1024, **found)
"""
# The same by Node.js: its module's name tells it that the page's runtime is a module.
ASK_WEB = """
import fs from "node:fs";
const [folder, requests, answers, often] = process.argv.slice(2);
fs.copyFileSync(`${folder}/ort/ort.js`, `${folder}/ort/ort.mjs`);
const ort = await import(`${folder}/ort/ort.mjs`);
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmBinary = fs.readFileSync(`${folder}/ort/ort.wasm`);
const model = fs.readFileSync(`${folder}/adapt_and_predict.onnx`);
const session = await ort.InferenceSession.create(model);
const made = { float32: Float32Array, int32: Int32Array };
const times = [], found = [];
for (const request of JSON.parse(fs.readFileSync(requests))) {
  const sent = {};
  for (const [name, { type, dims, data }] of Object.entries(request))
    sent[name] = new ort.Tensor(type, made[type].from(data), dims);
  let answer;
  for (let turn = 0; turn < Number(often); turn++) {
    const start = performance.now();
    answer = await session.run(sent);
    times.push((performance.now() - start) / 1000);
  }
  const { dims, data } = answer.values ?? answer.probabilities;
  found.push({ dims, data: Array.from(data) });
}
const peak = process.resourceUsage().maxRSS / 1024;
fs.writeFileSync(answers, JSON.stringify({ times, peak, found }));
"""


def main(argv: list[str]) -> None:
    """Runs what is named."""
    known = {"equal": equal, "int8": int8, "speed": speed}
    for name in argv[1:] or known:
        known[name]()


def asked(
    form: str, folder: pathlib.Path, requests: list[dict], *, often: int = 1
) -> Any:
    """The answers to requests, the times and the peak of memory in MB."""
    if form == "web":
        return asked_by_node(folder, requests, often)
    with tempfile.TemporaryDirectory() as place:
        sent, got = f"{place}/requests.npz", f"{place}/answers.npz"
        rows = {
            f"{i}/{k}": v for i, each in enumerate(requests) for k, v in each.items()
        }
        np.savez(sent, **rows)
        python = sys.executable if form == "savedmodel" else FLAGS.python
        count = str(len(requests))
        command = [python, "-I", "-c", ASK, form, str(folder), sent, got, count]
        subprocess.run([*command, str(often)], check=True, stderr=subprocess.DEVNULL)
        with np.load(got) as file:
            return {name: file[name] for name in file.files}


def asked_by_node(folder: pathlib.Path, requests: list[dict], often: int) -> Any:
    """As `asked`, of a page's WebAssembly."""
    with tempfile.TemporaryDirectory() as place:
        here = pathlib.Path(place)
        rows = [
            {
                name: {
                    "type": str(value.dtype),
                    "dims": value.shape,
                    "data": value.reshape(-1).tolist(),
                }
                for name, value in request.items()
            }
            for request in requests
        ]
        (here / "ask.mjs").write_text(ASK_WEB)
        (here / "requests.json").write_text(json.dumps(rows))
        names = (here / name for name in ("ask.mjs", "requests.json", "answers.json"))
        script, sent, got = map(str, names)
        command = ["node", script, str(folder.resolve()), sent, got, str(often)]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        told = json.loads((here / "answers.json").read_text())
    values = [np.reshape(each["data"], each["dims"]) for each in told.pop("found")]
    told["times"] = np.array(told["times"])
    return {**told, **{str(i): value for i, value in enumerate(values)}}


def test_requests(source: Any, **sizes: int) -> tuple[list[dict], list]:
    """Requests of the episodes of a test part, and what is true."""
    requests, truths = [], []
    for x, y in tfmeta.data.episodes(source.test, seed=1, **sizes):
        support, query = (x[f"{part}_x"][0].numpy() for part in ("support", "query"))
        scale = 255 if support.dtype == np.uint8 else 1
        request = {
            "support_x": (support / scale).astype(np.float32),
            "support_y": x["support_y"][0].numpy(),
            "query_x": (query / scale).astype(np.float32),
        }
        requests.append(request)
        truths.append(y[0].numpy())
    return requests, truths


def equal() -> None:
    """Compares the formats on test episodes of nets that ship."""
    for name in ("omniglot_maml", "cifar_fs_protonet", "sinusoid_maml"):
        compare(name, FLAGS.episodes)


def int8() -> None:
    """Compares weights of eight bits with the SavedModel's."""
    for name in ("omniglot_protonet", "cifar_fs_protonet"):
        compare(name, 600, precision="int8")


def compare(name: str, count: int, **options: Any) -> None:
    """Compares a net's formats on `count` test episodes of its data."""
    sizes = {"way": 5, "shot": 1, "query": 15}
    if name.startswith("omniglot"):
        source = load("tfds:omniglot", split="vinyals", rotations=True)
    elif name.startswith("cifar_fs"):
        source = load("tfds:cifar100", split="cifar_fs")
    else:
        source, sizes = load("sinusoid"), {"shot": 5, "query": 100}
    requests, truths = test_requests(source, count=count, **sizes)
    answers = {}
    with tempfile.TemporaryDirectory() as place:
        for form in FORMATS:
            small = {} if form == "savedmodel" else options
            net = tfmeta.zoo.load(name)
            folder = export.save(net, f"{place}/{form}", format=form, **small)
            answers[form] = asked(form, folder, requests)
    for form in FORMATS:
        tell(name, form, answers, truths)


def load(name: str, **options: Any) -> Any:
    """A source, from where TFDS keeps its data."""
    return tfmeta.data.load(name, data_dir=FLAGS.data_dir, **options)


def tell(name: str, form: str, answers: dict, truths: list) -> None:
    """Prints how a format's answers compare with the SavedModel's."""
    base, mine = answers["savedmodel"], answers[form]
    far, changed, scores = [], 0, []
    for i, truth in enumerate(truths):
        a, b = base[str(i)], mine[str(i)]
        if np.abs(a - b).max() > 1e-4:
            far.append(i)
        if truth.ndim == 1:
            first, second = np.sort(a, -1)[:, -1], np.sort(a, -1)[:, -2]
            clear = first - second > 1e-3
            changed += int((clear & (a.argmax(-1) != b.argmax(-1))).sum())
            scores.append(float(np.mean(b.argmax(-1) == truth)))
        else:
            scores.append(float(np.mean((b - truth) ** 2)))
    half = half_width(np.array(scores))
    told = {
        "net": name,
        "format": form,
        "mean": round(float(np.mean(scores)), 5),
        "ci95": round(float(half), 5),
        "within 1e-4": f"{len(truths) - len(far)} of {len(truths)}",
        "others": far[:20],
        "clear answers changed": changed,
    }
    print(json.dumps(told), flush=True)


def speed() -> None:
    """Times the formats on one request each."""
    shape = (28, 28, 1)

    def maml(steps: int) -> learners.Learner:
        net = conv4(way=5, strided=True, input_shape=shape)
        return learners.MAML(net, inner_steps=steps, normalisation="support")

    cases = {
        "MAML, 1 step": lambda: maml(1),
        "MAML, 5 steps": lambda: maml(5),
        "ProtoNet": lambda: learners.ProtoNet(conv4(strided=True, input_shape=shape)),
    }
    draws = np.random.default_rng(0)
    for name, make in cases.items():
        learner = make()
        for shot in (1, 5):
            wanted = None  # What the SavedModel answers.
            request = {
                "support_x": draws.random((5 * shot, *shape), np.float32),
                "support_y": np.repeat(np.arange(5, dtype=np.int32), shot),
                "query_x": draws.random((5, *shape), np.float32),
            }
            for form in TIMED:
                with tempfile.TemporaryDirectory() as place:
                    folder = export.save(learner, place, format=form)
                    found = asked(form, folder, [request], often=WARM + FLAGS.calls)
                    size = sum(f.stat().st_size for f in weights(folder))
                times = 1000 * found["times"][WARM:]
                wanted = found["0"] if wanted is None else wanted
                told = {
                    "learner": name,
                    "shot": shot,
                    "format": form,
                    "p50_ms": round(float(np.median(times)), 2),
                    "p90_ms": round(float(np.quantile(times, 0.9)), 2),
                    "peak_mb": round(float(found["peak"])),
                    "kb": round(size / 1000),
                    "off": float(f"{np.abs(found['0'] - wanted).max():.1e}"),
                }
                print(json.dumps(told), flush=True)


def weights(folder: pathlib.Path) -> list[pathlib.Path]:
    """The files that a runtime needs to adapt and predict in one."""
    names = {"model.tflite", "adapt_and_predict.onnx", "saved_model.pb"}
    return [
        path
        for path in folder.rglob("*")
        if path.name in names or path.name.startswith("variables.")
    ]


if __name__ == "__main__":
    tf.config.threading.set_intra_op_parallelism_threads(2)
    app.run(main)
