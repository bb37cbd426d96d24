"""The two nouns every part of tfmeta speaks of."""

from __future__ import annotations

from typing import Any, NamedTuple

Tensor = Any
Nest = Any


class Examples(NamedTuple):
    """A set of examples; the leading axis counts them.

    Attributes:
        x: `(examples, ...)`, the inputs.
        y: `(examples,)` int32 labels in `0..way-1`, or `(examples, ...)` float
            targets.
    """

    x: Tensor
    y: Tensor


class Episode(NamedTuple):
    """One draw from a task: learn from `support`, be judged on `query`.

    In a batch every tensor has one more leading axis, that of the tasks.

    Attributes:
        support: The `Examples` a learner adapts to.
        query: The `Examples` it is judged on; none of them is in `support`.
    """

    support: Examples
    query: Examples

    @classmethod
    def from_batch(cls, x: dict[str, Tensor], y: Tensor) -> Episode:
        """Reads the Keras example that `tfmeta.data.episodes` yields.

        Args:
            x: `support_x`, `support_y` and `query_x`, as `(tasks, examples, ...)`.
            y: `(tasks, queries)`, the labels or targets of the queries.

        Returns:
            The batch as an `Episode`.

        Raises:
            ValueError: If one of the three inputs is missing.
        """
        missing = sorted({"support_x", "support_y", "query_x"} - set(x))
        if missing:
            raise ValueError(
                "An episode needs the inputs support_x, support_y and query_x, as "
                f"tfmeta.data.episodes yields them. Received: {sorted(x)}; "
                f"missing: {missing}."
            )
        return cls(Examples(x["support_x"], x["support_y"]), Examples(x["query_x"], y))

    @staticmethod
    def counts(x: dict[str, Tensor]) -> Episode | None:
        """Reads how much of a batch is real, where its tasks differ in size.

        Args:
            x: A Keras example; `support_count` and `query_count`, `(tasks,)` int32, say
                how many of each task's examples are real. Padding comes after them.

        Returns:
            For each tensor of the batch as `Episode` its count; None where all is real.

        Raises:
            ValueError: If only one of the two counts is there.
        """
        support, query = x.get("support_count"), x.get("query_count")
        if support is None and query is None:
            return None
        if support is None or query is None:
            raise ValueError(
                "A padded batch needs both support_count and query_count. Received: "
                f"{sorted(x)}."
            )
        return Episode(Examples(support, support), Examples(query, query))
