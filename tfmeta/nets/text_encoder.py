"""Small nets for texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from tfmeta.layers import Bag, LayerNorm, Positions

Tensor = Any
_SPREAD = 0.1  # Of the first numbers of a token's vector.
_LEAST = 1e-6  # What the sum of weights counts as in a text without tokens.
_SLIGHT = 0.01  # The spread of the first numbers of what a bag's tokens have in common.
KINDS = ("mean", "bag", "conv", "transformer")


def text_encoder(
    *,
    way: int | None = None,
    vocabulary: int,
    length: int,
    kind: Literal["mean", "bag", "conv", "transformer"] = "mean",
    width: int = 128,
    weighted: bool = True,
    radius: float = 1.0,
    windows: Sequence[int] = (3, 4, 5),
    blocks: int = 2,
    heads: int = 4,
    dropout: float = 0.0,
    idf: Sequence[float] | np.ndarray | None = None,
) -> keras.Model:
    """Builds a net for texts, given as ids of tokens; see `tfmeta.data.Tokens`.

    Each token gets a vector; then the vectors of a text become one. Id 0 is padding: a
    text has the same output, however much padding follows it. A text without tokens is
    answered too.

    Args:
        way: The size of a linear layer "head" on top; None gives the embedding.
        vocabulary: The number of ids.
        length: The number of tokens of a text, padding included.
        kind: "mean" averages the vectors; "bag" gives each token a dimension of its
            own, and adds `width` dimensions that tokens share; "conv" takes the maximum
            over a text of convolutions over neighbouring tokens; "transformer" lets
            tokens attend to each other, and averages them.
        width: The size of a token's vector, and of the embedding (for "conv" of the
            convolutions of one window).
        weighted: For "mean" and "bag": whether each token has a learned weight above
            0. It starts at its `idf`, for "bag" at `(idf - 1) ** 2`; without `idf` at
            1.
        radius: For "bag": the Euclidean length of the first `vocabulary` numbers of an
            embedding. Where products of embeddings are logits, as in MAML with a head
            from class means, 1 is too short to become sure; at 3 the products are
            cosines times 9.
        windows: For "conv": the numbers of tokens that convolutions see.
        blocks: For "transformer": the number of its blocks.
        heads: For "transformer": the number of heads of an attention.
        dropout: The share of tokens whose vectors are left out in training, in 0..1.
        idf: The first weight of each token, `(vocabulary,)`; None for 1.

    Returns:
        A functional model from `(examples, length)` int32 to `(examples, way)` or to
        the embedding, whose size is `width`, for "conv" `len(windows) * width`, and
        for "bag" `vocabulary + width`.

    Raises:
        ValueError: If there is no such kind, a size is not positive, `heads` does not
            divide `width`, `dropout` is not below 1, `radius` is not above 0, or `idf`
            is of another length.

    Reference:
        "conv": Y. Kim, "Convolutional Neural Networks for Sentence Classification",
        EMNLP 2014. "transformer": A. Vaswani et al., "Attention Is All You Need",
        NeurIPS 2017. Differs from the papers: the vectors are not pretrained; dropout
        leaves out whole tokens, before all else; transformer blocks normalise before
        each of their two parts.

    Example:
        >>> net = text_encoder(vocabulary=100, length=8)
        >>> net(np.int32([[5, 9, 2, 0, 0, 0, 0, 0]])).shape
        TensorShape([1, 128])
    """
    sizes = {"vocabulary": vocabulary, "length": length, "width": width}
    sizes |= {"blocks": blocks, "heads": heads, "windows": min(windows, default=0)}
    _check(sizes if way is None else {**sizes, "way": way}, kind)
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be in 0..1, below 1. Received: {dropout}.")
    if not radius > 0:
        raise ValueError(f"radius must be above 0. Received: {radius}.")
    ids = keras.Input((length,), dtype="int32", name="inputs")
    real = ops.not_equal(ids, 0)
    if kind == "bag":
        z = _bag(ids, vocabulary, width, dropout, idf, weighted, radius)
    elif kind == "mean":
        weights = _weights(ids, vocabulary, idf) if weighted else None
        z = _mean(_vectors(ids, vocabulary, width, dropout), real, weights)
    elif kind == "conv":
        z = _convolved(_vectors(ids, vocabulary, width, dropout), real, windows)
    else:
        vectors = _vectors(ids, vocabulary, width, dropout)
        z = _attended(vectors, real, blocks, heads)
    if way is not None:
        z = keras.layers.Dense(way, name="head")(z)
    return keras.Model(ids, z, name="text_encoder")


def _check(sizes: dict[str, int], kind: str) -> None:
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}. Received: {kind!r}.")
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1. Received: {size}.")
    if kind == "transformer" and sizes["width"] % sizes["heads"]:
        raise ValueError(
            f"heads must divide width={sizes['width']}. Received: "
            f"heads={sizes['heads']}."
        )


def _vectors(ids: Tensor, vocabulary: int, width: int, dropout: float) -> Tensor:
    """A vector for each token, `(examples, length, width)`."""
    vectors = keras.layers.Embedding(
        vocabulary,
        width,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=_SPREAD),
        name="embedding",
    )(ids)
    whole = (None, ids.shape[1], 1)
    return (
        keras.layers.Dropout(dropout, noise_shape=whole)(vectors)
        if dropout
        else vectors
    )


def _bag(
    ids: Tensor,
    vocabulary: int,
    width: int,
    dropout: float,
    idf: Any,
    weighted: bool,
    radius: float,
) -> Tensor:
    """The tokens' weights, of one length together, and sums of what tokens share."""
    first: Any = "zeros"
    if weighted and idf is not None:
        first = LogWeights(np.maximum(np.array(idf) - 1, _LEAST) ** 2)
    bag = Bag(vocabulary, initializer=first, name="weights")
    bag.trainable = weighted
    weights = bag(ids)
    if dropout:
        weights = keras.layers.Dropout(dropout)(weights)
    # UnitNormalization's second derivative is NaN where a text has no token.
    squares = ops.sum(ops.square(weights), axis=-1, keepdims=True)
    weights = weights * (radius * ops.rsqrt(ops.maximum(squares, _LEAST)))
    shared = keras.layers.Dense(
        width,
        use_bias=False,
        kernel_initializer=keras.initializers.RandomNormal(stddev=_SLIGHT),
        name="shared",
    )(weights)
    return ops.concatenate([weights, shared], axis=-1)


def _weights(ids: Tensor, vocabulary: int, idf: Any) -> Tensor:
    """A weight above 0 for each token, `(examples, length, 1)`."""
    first = keras.initializers.Zeros() if idf is None else LogWeights(idf)
    logs = keras.layers.Embedding(
        vocabulary, 1, embeddings_initializer=first, name="weights"
    )(ids)
    return ops.exp(logs)


def _column(real: Tensor, dtype: str) -> Tensor:
    """1 for tokens and 0 for padding, `(examples, length, 1)`."""
    return ops.expand_dims(ops.cast(real, dtype), -1)


def _mean(vectors: Tensor, real: Tensor, weights: Tensor | None = None) -> Tensor:
    """The weighted mean of the vectors of a text, zeros without tokens."""
    shares = _column(real, vectors.dtype)
    shares = shares if weights is None else shares * weights
    total = ops.maximum(ops.sum(shares, axis=1), _LEAST)
    return ops.sum(shares * vectors, axis=1) / total


def _convolved(vectors: Tensor, real: Tensor, windows: Sequence[int]) -> Tensor:
    """The maxima of convolutions; none is below 0, so padding may count as 0."""
    shown = _column(real, vectors.dtype)
    width = vectors.shape[-1]
    found = []
    for size in windows:
        seen = keras.layers.Conv1D(
            width, size, padding="same", activation="relu", name=f"window{size}"
        )(vectors * shown)
        found.append(ops.max(seen * shown, axis=1))
    return found[0] if len(found) == 1 else ops.concatenate(found, axis=-1)


def _attended(vectors: Tensor, real: Tensor, blocks: int, heads: int) -> Tensor:
    """The mean of the vectors after blocks of a transformer."""
    width = vectors.shape[-1]
    seen = ops.expand_dims(real, 1)  # The same for each token that looks.
    x = Positions(name="positions")(vectors)
    for i in range(1, blocks + 1):
        shown = LayerNorm(name=f"norm{i}a")(x)
        attention = keras.layers.MultiHeadAttention(
            heads, width // heads, name=f"attention{i}"
        )
        x = x + attention(shown, shown, attention_mask=seen)
        inner = LayerNorm(name=f"norm{i}b")(x)
        inner = keras.layers.Dense(2 * width, activation="relu", name=f"wide{i}")(inner)
        x = x + keras.layers.Dense(width, name=f"narrow{i}")(inner)
    return _mean(LayerNorm(name="norm")(x), real)


@keras.saving.register_keras_serializable("tfmeta")
class LogWeights(keras.initializers.Initializer):
    """The logarithms of given weights; 0 for a weight that is not above 0.

    Args:
        weights: `(tokens,)` numbers, of which five digits are kept; or a text of these
            with blanks between, as `get_config` has it.
    """

    def __init__(self, weights: Sequence[float] | np.ndarray | str):
        numbers = weights.split() if isinstance(weights, str) else weights
        self.weights = [float(f"{float(number):.5g}") for number in numbers]

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """Makes the logarithms.

        Args:
            shape: `(tokens, 1)`.
            dtype: The dtype.

        Returns:
            The logarithms, of that shape.

        Raises:
            ValueError: If there are more or fewer weights.
        """
        if tuple(shape) != (len(self.weights), 1):
            raise ValueError(
                f"idf must have a number for each of the {shape[0]} tokens. Received: "
                f"{len(self.weights)} numbers."
            )
        weights = np.array(self.weights)
        logs = np.log(np.where(weights > 0, weights, 1.0))
        return ops.convert_to_tensor(logs[:, np.newaxis], dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this initializer again; one line, however many."""
        return {"weights": " ".join(f"{weight:.5g}" for weight in self.weights)}
