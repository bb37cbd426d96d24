"""Meta-trains a learner and keeps everything in a run folder.

    python scripts/train.py --learner=protonet --dataset=glyphs --run_dir=runs/first

The same command continues a stopped run. TensorBoard reads the run folder. For
regression: --dataset=sinusoid --learner=maml --net=mlp --shot=10 --inner_lr=0.01.
finetune and linearprobe are baselines: their net is trained, without episodes, to tell
all training classes apart; finetune's also on functions, all alike.
"""

from door import run_app

if __name__ == "__main__":
    run_app("train")
