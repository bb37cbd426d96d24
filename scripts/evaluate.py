"""Scores a trained run on frozen test episodes, with 95 % confidence intervals.

    python scripts/evaluate.py --run_dir=runs/first --way=5 --shot=1 --baselines

Any way and shot the learner allows. Without --run_dir it scores a learner that needs
no training: --learner=nearestneighbour --dataset=glyphs.
"""

from door import run_app

if __name__ == "__main__":
    run_app("evaluate")
