"""The notebooks, executed from their first cell to their last with few steps."""

from __future__ import annotations

import pathlib
import re

import pytest

DOCS = pathlib.Path(__file__).resolve().parents[1] / "docs"
FEW = "steps = 30\nepisodes = 10"
LAST_WORDS = {
    "pictures": r"exported/1'",
    "your_arrays": r"\[(b'(lathe|mill|press)' ?){3}\]",
}


@pytest.mark.parametrize("name", LAST_WORDS)
def test_a_notebook_runs(name: str, tmp_path, monkeypatch) -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    book = nbformat.read(DOCS / f"{name}.ipynb", as_version=4)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    settings = [c for c in cells if "parameters" in c.metadata.get("tags", [])]
    assert len(settings) == 1
    settings[0].source = FEW
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(book, timeout=300, resources=place).execute()
    printed = [
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for cell in cells
        for output in cell.outputs
    ]
    assert re.search(LAST_WORDS[name], printed[-1]), printed
    scores = re.findall(r"ProtoNet Result\(accuracy (0\.\d+)", "".join(printed))
    assert len(scores) == 1 and float(scores[0]) > 0.35  # By chance: 0.2.
    outputs = [output for cell in cells for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    told = [each.text for each in outputs if each.get("name") == "stderr"]
    assert not re.search(r"Warning|WARNING:\w", "".join(told)), told
