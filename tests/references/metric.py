"""Methods that compare embeddings."""

from __future__ import annotations

import numpy as np

from references.nets import averaged_in, averages
from references.task import Answer, Reference, State, Task, loss_of, present, way_of


def protonet(net, *, distance="euclidean", scale=10.0, mode="running") -> Reference:
    """Snell et al. 2017: the squared distance to the mean of each class, or the cosine
    (of scale 10 as in Gidaris and Komodakis 2018)."""

    def reference(state: State, task: Task, training: bool = False) -> Answer:
        support, query, moving = _embedded(net, state, task, mode, training)
        logits = np.full((len(query), way_of(task.support_y)), -np.inf)
        for c in present(task.support_y):
            members = [
                z for z, y in zip(support, task.support_y, strict=True) if y == c
            ]
            mean = sum(members) / len(members)
            for row, z in enumerate(query):
                if distance == "euclidean":
                    logits[row, c] = -sum((z - mean) ** 2)
                else:
                    logits[row, c] = scale * _cosine(z, mean)
        return _answer(logits, task, moving)

    return reference


def matching_net(
    net, *, scale=30.0, mode="running", full_context=False, reads=5
) -> Reference:
    """Vinyals et al. 2016: attention over the support set by a softmax of cosines."""

    def reference(state: State, task: Task, training: bool = False) -> Answer:
        support, query, moving = _embedded(net, state, task, mode, training)
        if full_context:
            support = _support_in_context(state, support)
            query = [_query_in_context(state, z, support, reads) for z in query]
        probabilities = np.zeros((len(query), way_of(task.support_y)))
        for row, z in enumerate(query):
            attention = np.exp([scale * _cosine(z, s) for s in support])
            attention = attention / sum(attention)
            for share, y in zip(attention, task.support_y, strict=True):
                probabilities[row, y] += share
        with np.errstate(divide="ignore"):
            return _answer(np.log(probabilities), task, moving)

    return reference


def nearest_neighbour() -> Reference:
    """Cover and Hart 1967, by raw inputs."""

    def reference(state: State, task: Task, training: bool = False) -> Answer:
        queries = len(task.query_x)
        logits = np.full((queries, way_of(task.support_y)), -np.inf)
        for row in range(queries):
            for x, y in zip(task.support_x, task.support_y, strict=True):
                away = np.sum((task.query_x[row] - x) ** 2)
                logits[row, y] = max(logits[row, y], -away)
        return _answer(logits, task, None)

    return reference


def supervised(net) -> Reference:
    """A classifier whose answer is its net's, whatever the support set."""

    def reference(state: State, task: Task, training: bool = False) -> Answer:
        _, logits, moving = _embedded(net, state, task, "running", training)
        every_class = np.arange(logits.shape[-1])  # Not those of the support set alone.
        return Answer(logits, loss_of(logits, task.query_y, every_class), moving)

    return reference


def _embedded(net, state, task, mode, training):
    """Support and query embeddings, and the moving statistics that training keeps."""
    if mode == "running" and not training:
        given = averages(state.moving)
        support, _ = net(state.params, task.support_x, given)
        return support, net(state.params, task.query_x, given)[0], None
    support, batch = net(state.params, task.support_x)
    given = batch if mode == "support" else None
    query, _ = net(state.params, task.query_x, given)
    return (
        support,
        query,
        averaged_in(state.moving, batch) if mode == "running" else None,
    )


def _answer(logits, task, moving) -> Answer:
    return Answer(logits, loss_of(logits, task.query_y, task.support_y), moving)


def _cosine(a, b):
    return a @ b / np.sqrt((a @ a) * (b @ b))


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _lstm(weights, x, hidden, cell):
    """One step of a recurrent net with input, forget and output gates."""
    kernel, recurrent, bias = weights
    gates = x @ kernel + hidden @ recurrent + bias
    enter, forget, new, out = np.split(gates, 4)
    cell = _sigmoid(forget) * cell + _sigmoid(enter) * np.tanh(new)
    return _sigmoid(out) * np.tanh(cell), cell


def _hidden(weights, rows):
    hidden, cell, found = np.zeros_like(rows[0]), np.zeros_like(rows[0]), []
    for row in rows:
        hidden, cell = _lstm(weights, row, hidden, cell)
        found.append(hidden)
    return np.array(found)


def _support_in_context(state, z):
    """A bidirectional recurrent net over the support set, added to its embeddings."""
    ahead = _hidden(state.others["forwards"], z)
    back = _hidden(state.others["backwards"], z[::-1])[::-1]
    return ahead + back + z


def _query_in_context(state, z, support, reads):
    """Reads the support set by attention, `reads` times (appendix A of the paper)."""
    hidden = cell = np.zeros_like(z)
    for _ in range(reads):
        attention = np.exp(support @ hidden)
        read = attention / sum(attention) @ support
        inputs = np.concatenate([z, read])
        out, cell = _lstm(state.others["reader"], inputs, hidden, cell)
        hidden = out + z
    return hidden
