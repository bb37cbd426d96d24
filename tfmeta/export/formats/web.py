"""A page that learns what its visitor draws, in the browser."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import io
import json
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.data.part import Part
from tfmeta.export.facts import Facts
from tfmeta.export.formats.base import FLOAT, check_portable
from tfmeta.export.formats.onnx import Onnx
from tfmeta.export.signatures import ADAPT, BOTH, PREDICT

RUNTIME = "onnxruntime-web"
VERSION = "1.30.0"
_SHA512 = (
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02V"
    "b7QmRMDs1SigqR4CXAfKYQ=="
)
# What the page needs of npm's package, and what it calls it.
_FILES = {
    "package/dist/ort.wasm.bundle.min.mjs": "ort.js",
    "package/dist/ort-wasm-simd-threaded.wasm": "ort.wasm",
}
_ASSETS = "page"  # The folder beside this file that has the page itself.
_PEN = 0.026  # The pen's width of Omniglot's drawings, as a share of the picture.
_WAY, _SHOT, _QUERY, _EPISODES = 5, 1, 5, 100
_MINUTES = 10  # That npm may take.
_ASK = """\
## Look

Any server of plain files serves this folder:

```
python -m http.server --bind 127.0.0.1 8000
```

Then open http://localhost:8000. A visitor draws a few signs and names them; the net
learns them in the browser, by ONNX Runtime's WebAssembly, and reads the next drawing.
Nothing is sent: the page allows no requests but for its own files. After a first visit
it opens without a network too. `window.tfmeta.selftest()` in the browser's console
runs the episodes of episodes.json, if it is there.

The net itself is in `adapt.onnx`, `predict.onnx` and `adapt_and_predict.onnx`. A
request is in `request.npz`, with these inputs, here shortened:

```
{inputs}
```

{answer}"""


class Web(Onnx):
    """A folder that is a page: the net as ONNX files, its runtime, and what shows it.

    Args:
        selftest: The part whose episodes the page can test itself on; None for none.
        precision: As in `Onnx`.
    """

    name = "web"
    noun = "page"
    needs = "a browser alone"
    options = frozenset({"selftest", "precision"})

    def __init__(self, selftest: Part | None = None, precision: str = FLOAT):
        super().__init__(precision)
        self.selftest = selftest

    def check_installed(self) -> None:
        """Raises ValueError if npm or a library is missing; see `Format`."""
        super().check_installed()
        if shutil.which("npm") is None:
            raise ValueError(
                f"The format web needs npm, which brings {RUNTIME} {VERSION} into the "
                "page. Install Node.js, or use format='onnx'."
            )

    def write(
        self,
        module: tf.Module,
        signatures: Mapping[str, Any],
        folder: pathlib.Path,
        facts: Facts,
    ) -> dict[str, Any]:
        """Writes the page; see `Format.write`."""
        height, width = _sides(signatures, facts)
        check_portable(self.name, signatures)
        kept = {n: f for n, f in signatures.items() if n in (ADAPT, PREDICT, BOTH)}
        super().write(module, kept, folder, facts)
        page = {
            "height": height,
            "width": width,
            "pen": _PEN,
            "max_way": facts.max_way,
            "about": _about(facts),
        }
        (folder / "page.json").write_text(json.dumps(page) + "\n", encoding="utf-8")
        assets = importlib.resources.files("tfmeta.export.formats") / _ASSETS
        for asset in assets.iterdir():
            (folder / asset.name).write_bytes(asset.read_bytes())
        if self.selftest is not None:
            told = json.dumps(_episodes(self.selftest, (height, width), facts.max_way))
            (folder / "episodes.json").write_text(told + "\n", encoding="utf-8")
        _fetch_runtime(folder / "ort")
        _mark_offline(folder)
        return kept

    def how_to_ask(
        self, signature: str, inputs: str, arrays: str, answer: str, served_name: str
    ) -> str:
        """By a browser; see `Format.how_to_ask`."""
        return _ASK.format(inputs=inputs, answer=answer)


def _sides(signatures: Mapping[str, Any], facts: Facts) -> tuple[int, int]:
    """Height and width of the drawings that the net takes."""
    if facts.prepare is not None:
        raise ValueError(
            "The format web draws pictures of ink 1 on a ground of 0, but this model "
            f"takes raw examples, which {facts.prepare} prepares. Use format='onnx'."
        )
    specs = signatures[PREDICT].structured_input_signature[1]
    shape = specs["query_x"].shape if "query_x" in specs else tf.TensorShape(None)
    labels = ADAPT in signatures and "labels" in signatures[PREDICT].structured_outputs
    if not labels or shape.rank != 4 or shape[3] != 1 or None in shape[1:3]:
        what = shape[1:] if shape.rank else "something else"
        raise ValueError(
            "The format web shows a learner of classes whose examples are drawings, "
            f"(height, width, 1). Received: a learner of examples {what}. Use "
            "format='onnx'."
        )
    return int(shape[1]), int(shape[2])


def _about(facts: Facts) -> str:
    most = "any number of" if facts.max_way is None else f"up to {facts.max_way}"
    steps = "" if facts.steps is None else f", {facts.steps} inner steps"
    return f"The method is {facts.learner}{steps}; it learns {most} signs."


def _episodes(part: Part, sides: tuple[int, int], most: int | None) -> dict[str, Any]:
    """Test episodes of bytes, for JSON."""
    if part.example_shape != (*sides, 1) or part.dtype != np.uint8:
        raise ValueError(
            f"selftest must have pictures of bytes, {(*sides, 1)}. Received: "
            f"{part.dtype}, {part.example_shape}."
        )
    way = _WAY if most is None else min(_WAY, most)
    sampler: Any = part.sampler(way=way, shot=_SHOT, query=_QUERY, seed=1)
    found = []
    for number in range(_EPISODES):
        indices = tf.constant([number], tf.int64)
        x, query_y = sampler.batch(indices, tf.constant(number, tf.int64))
        found.append(
            {
                "support": _packed(x["support_x"]),
                "support_y": x["support_y"][0].numpy().tolist(),
                "query": _packed(x["query_x"]),
                "query_y": query_y[0].numpy().tolist(),
            }
        )
    return {"way": way, "shot": _SHOT, "query": _QUERY, "seed": 1, "episodes": found}


def _packed(pictures: Any) -> str:
    return base64.b64encode(pictures[0].numpy().tobytes()).decode()


def _fetch_runtime(folder: pathlib.Path) -> None:
    """Puts ONNX Runtime's WebAssembly into a folder, from npm.

    Raises:
        ValueError: If npm cannot bring it, or brings something else.
    """
    folder.mkdir()
    with tempfile.TemporaryDirectory() as place:
        archive = _packed_runtime(place)
        if base64.b64encode(hashlib.sha512(archive).digest()).decode() != _SHA512:
            raise ValueError(
                f"npm brought another {RUNTIME} {VERSION} than the one that is known. "
                "Look at npm's registry setting, or use format='onnx'."
            )
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            for inside, name in _FILES.items():
                content: Any = files.extractfile(inside)
                (folder / name).write_bytes(content.read())


def _packed_runtime(place: str) -> bytes:
    """Npm's package, fetched in an empty folder, whose settings are nobody's."""
    command = [shutil.which("npm") or "npm", "pack", f"{RUNTIME}@{VERSION}"]
    try:
        done = subprocess.run(
            command, cwd=place, capture_output=True, text=True, timeout=60 * _MINUTES
        )
        failed = [] if done.returncode == 0 else done.stderr.splitlines()[:2] or ["?"]
    except (OSError, subprocess.TimeoutExpired) as error:
        failed = [str(error)]
    found = list(pathlib.Path(place).glob("*.tgz"))
    if failed or len(found) != 1:
        raise ValueError(
            f"npm could not bring {RUNTIME} {VERSION}: {' '.join(failed)}. Try again "
            "with a network, or use format='onnx'."
        )
    return found[0].read_bytes()


def _mark_offline(folder: pathlib.Path) -> None:
    """Names the files of this very page, which a browser keeps together."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    script = folder / "offline.js"
    text = script.read_text(encoding="utf-8")
    script.write_text(text.replace("VERSION", digest.hexdigest()[:16]), "utf-8")
