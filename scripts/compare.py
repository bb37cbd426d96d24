"""Compares two trained runs on the same frozen episodes: which is better, if any.

    python scripts/compare.py --run_dir=runs/a --against=runs/b --way=5 --shot=1

The difference is taken episode by episode, so it is known better than two separate
intervals tell. --against=nearestneighbour or fromscratch compares with a baseline.
"""

from door import run_app

if __name__ == "__main__":
    run_app("compare")
