"""The notebooks, executed from their first cell to their last with few steps."""

from __future__ import annotations

import pathlib

import pytest

DOCS = pathlib.Path(__file__).resolve().parents[1] / "docs"
FEW = "steps = 30\nepisodes = 10"
LAST_WORDS = {"pictures": "exported/1", "your_arrays": "[b'lathe' b'mill' b'press']"}


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
    assert LAST_WORDS[name] in printed[-1], printed
    drawn = [o for c in cells for o in c.outputs if "image/png" in o.get("data", {})]
    assert drawn
    assert not [o for c in cells for o in c.outputs if o.get("name") == "stderr"]
