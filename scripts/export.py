"""Exports a trained run as a SavedModel that adapts where it is served.

    python scripts/export.py --run_dir=runs/first --out=exported

The folder's README.md shows a request that was run, and its answer. With --images and
--names there are further signatures, which take pictures as files and names of classes.
"""

from door import run_app

if __name__ == "__main__":
    run_app("export")
