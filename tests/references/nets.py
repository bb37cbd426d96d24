"""The nets of the table in NumPy: functions of weights and examples.

Each takes the weights in the order of its layers, and for each normalisation layer a
mean and a variance; None stands for those of the batch itself. It returns the outputs
and the means and variances of the batch. Weights may be complex, for derivatives.
"""

from __future__ import annotations

import numpy as np

EPSILON, MOMENTUM = 1e-3, 0.99


def softplus(x):
    return np.log(1 + np.exp(x))


def relu(x):
    return np.where(x.real > 0, x, 0)


def dense(x, kernel, bias):
    return x @ kernel + bias


def batch_norm(x, gamma, beta, given):
    """Standardises each channel by the given statistics, or those of all rows."""
    rows = x.reshape(-1, x.shape[-1])
    mean = sum(rows) / len(rows)
    own = mean, sum((rows - mean) ** 2) / len(rows)
    mean, variance = own if given is None else given
    return (x - mean) / np.sqrt(variance + EPSILON) * gamma + beta, own


def averages(moving):
    """The statistics that moving sums stand for."""
    return [(mean / weight, variance / weight) for mean, variance, weight in moving]


def averaged_in(moving, batch):
    """The moving sums after one more batch, which weighs 1 - MOMENTUM."""
    return [
        tuple(
            MOMENTUM * old + (1 - MOMENTUM) * new
            for old, new in zip(sums, (*of_batch, 1.0), strict=True)
        )
        for sums, of_batch in zip(moving, batch, strict=True)
    ]


def normed(params, x, given=None):
    """Dense, normalisation, softplus; and a head if there are weights for it."""
    kernel, gamma, beta, *head = params
    z, own = batch_norm(x @ kernel, gamma, beta, given and given[0])
    z = softplus(z)
    return (dense(z, *head) if head else z), [own]


def plain(params, x, given=None):
    """Two layers of tanh; and a head if there are weights for it."""
    z = np.tanh(dense(np.tanh(dense(x, *params[:2])), *params[2:4]))
    return (dense(z, *params[4:]) if params[4:] else z), []


def dropped(params, x, given=None):
    """A layer of tanh and a head; no unit is dropped when served."""
    return dense(np.tanh(dense(x, *params[:2])), *params[2:]), []


def twice_normed(params, x, given=None):
    """Dense, normalisation, softplus, twice, and a head."""
    z, owns = x, []
    for layer in (0, 1):
        kernel, gamma, beta = params[3 * layer : 3 * layer + 3]
        z, own = batch_norm(z @ kernel, gamma, beta, given and given[layer])
        z = softplus(z)
        owns.append(own)
    return dense(z, *params[6:]), owns


def two_inputs(params, x, given=None):
    """A layer of tanh for each input, their sum normalised, and a head."""
    left = np.tanh(dense(x["left"], *params[:2]))
    right = np.tanh(dense(x["right"], *params[2:4]))
    z, own = batch_norm(left + right, *params[4:6], given and given[0])
    return dense(z, *params[6:]), [own]


def own_class(params, x, given=None):
    """Dense, softplus, normalisation and a head."""
    z = softplus(dense(x, *params[:2]))
    z, own = batch_norm(z, *params[2:4], given and given[0])
    return dense(z, *params[4:]), [own]


def convolved(x, kernel, stride=2):
    """A 3x3 convolution whose output has a position for each `stride` pixels."""
    examples, height, width, _ = x.shape
    rows, columns = -(-height // stride), -(-width // stride)
    # What is lacking is filled with zeros, on the far side first.
    lacks = [stride * (rows - 1) + 3 - height, stride * (columns - 1) + 3 - width]
    sides = [(max(lack, 0) // 2, max(lack, 0) - max(lack, 0) // 2) for lack in lacks]
    x = np.pad(x, [(0, 0), *sides, (0, 0)])
    found = np.zeros((examples, rows, columns, kernel.shape[-1]), kernel.dtype)
    found = found + 0 * x[0, 0, 0, 0]  # Complex if the examples are.
    for row in range(rows):
        for column in range(columns):
            seen = x[:, stride * row :, stride * column :][:, :3, :3]
            found[:, row, column] = np.tensordot(seen, kernel, 3)
    return found


def conv4(params, x, given=None):
    """Four blocks of strided convolution, normalisation and ReLU; the positions' mean;
    and a head if there are weights for it."""
    z, owns = x, []
    for block in range(4):
        kernel, gamma, beta = params[3 * block : 3 * block + 3]
        z = convolved(z, kernel)
        z, own = batch_norm(z, gamma, beta, given and given[block])
        z = relu(z)
        owns.append(own)
    z = z.mean((1, 2))
    return (dense(z, *params[12:]) if params[12:] else z), owns
