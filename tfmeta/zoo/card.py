"""What a trained net was trained on and how, and what it reached."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Score:
    """A result on test tasks, of the weights as they ship.

    Attributes:
        normalisation: The mode of normalisation; with "task", an answer depends on
            which other queries are asked.
        way: The classes of a task; None where the targets are values.
        shot: The examples of each class, or of a task where the targets are values.
        query: The queries of each class or task.
        episodes: The number of test episodes.
        seed: Their seed.
        metric: What was measured, such as "accuracy".
        mean: The mean over episodes.
        ci95: Half of its 95 % confidence interval.
        steps: The inner steps; None for learners without them.
        protocol: The published test that the tasks are of, such as "lake"; None for
            tasks of any test classes.
    """

    normalisation: str
    way: int | None
    shot: int
    query: int
    episodes: int
    seed: int
    metric: str
    mean: float
    ci95: float
    steps: int | None = None
    protocol: str | None = None

    def __str__(self) -> str:
        """Such as "5-way 1-shot, support: accuracy 0.984 ± 0.002 (600 episodes)"."""
        size = (
            f"{self.shot}-shot"
            if self.way is None
            else (f"{self.way}-way {self.shot}-shot")
        )
        drawn = f"protocol={self.protocol}, " if self.protocol else ""
        return (
            f"{size}, {self.normalisation}: {self.metric} {self.mean:.4f} ± "
            f"{self.ci95:.4f} ({drawn}{self.episodes} episodes of seed {self.seed})"
        )


@dataclasses.dataclass(frozen=True)
class Card:
    """What is known of a net of the zoo.

    Attributes:
        name: The name that `tfmeta.zoo.load` takes.
        about: What it does, in a sentence.
        data: The data that it was trained on, and their source.
        licence: The licence of the data.
        open: Whether the data's licence leaves the weights free for any use.
        use: What the data's licence means for the weights.
        classes: The classes of meta-train, and which the net has never seen.
        recipe: The recipe that trained it, a file of scripts/recipes.
        command: The command that trained it.
        commit: The commit of tfmeta whose code trained it.
        date: The day of the training.
        minutes: The minutes that the training took, on 2 cores.
        scored: How often trainings by this recipe were scored on test classes before
            this one was published, it included.
        scores: What it reached; the first one is of the mode that it ships with.
        sha256: The checksum of each of its files.
    """

    name: str
    about: str
    data: str
    licence: str
    open: bool
    use: str
    classes: str
    recipe: str
    command: str
    commit: str
    date: str
    minutes: float
    scored: int
    scores: tuple[Score, ...]
    sha256: dict[str, str]

    @classmethod
    def from_json(cls, name: str, content: dict[str, Any]) -> Card:
        """Makes a card of what `card.json` holds."""
        scores = tuple(Score(**each) for each in content["scores"])
        return cls(**{**content, "name": name, "scores": scores})

    def to_json(self) -> dict[str, Any]:
        """What `card.json` holds."""
        content = dataclasses.asdict(self)
        del content["name"]
        return content

    def __str__(self) -> str:
        """The card as a text of some lines."""
        rows = [
            ("data", f"{self.data} ({self.licence})"),
            ("use", self.use),
            ("classes", self.classes),
            ("trained", f"{self.date}, {self.minutes:g} minutes on 2 cores"),
            ("command", self.command),
            ("commit", self.commit),
            ("test", f"scored {self.scored} times on test classes"),
            *(("result", str(score)) for score in self.scores),
        ]
        return "\n".join(
            [f"{self.name}: {self.about}", *(f"  {a:8} {b}" for a, b in rows)]
        )
