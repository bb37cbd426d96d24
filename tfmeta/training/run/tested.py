"""How often a run was scored on test classes."""

from __future__ import annotations

from tfmeta.json_files import read_json, write_json
from tfmeta.training.run.run_folder import RunFolder

_FILE = "tested.json"  # In a run folder.


def count_test(run: RunFolder, split: str) -> int:
    """Counts a scoring of a run, if it is one on test classes.

    Args:
        run: The run.
        split: The name of the part that was scored.

    Returns:
        How often the run has been scored on test classes, this time included.
    """
    count = tested(run)
    if split == "test":
        count += 1
        write_json(run.path / _FILE, {"tested": count})
        if run.results_file.exists():
            known = read_json(run.results_file)
            write_json(run.results_file, {**known, "tested": count})
    return count


def tested(run: RunFolder) -> int:
    """How often a run has been scored on test classes, as far as it is known.

    Args:
        run: The run. Versions that did not count left at most one result.
    """
    path = run.path / _FILE
    if path.exists():
        return int(read_json(path)["tested"])
    known = read_json(run.results_file) if run.results_file.exists() else {}
    return int(known.get("split") == "test")
