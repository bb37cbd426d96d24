"""Searches for the flags of a training that validate best, by Ray Tune with ASHA.

    python scripts/tune.py --search inner_lr=log:1e-3:1 --search filters=32,64
        --trials=12 --learner=maml --dataset=glyphs --steps=2000 --run_dir=runs/search

Every trial is a training by the flags of train.py. The same command goes on with a
search that was stopped. The flags of the best trial are left in best.flags.
"""

from door import run_app

if __name__ == "__main__":
    run_app("tune")
