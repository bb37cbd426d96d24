"""Episodes whose classes are all of one superclass."""

from __future__ import annotations

from tfmeta.data.source import Source
from tfmeta.data.split import Split

_TURNS = ("rot90", "rot180", "rot270")


def by_superclass(source: Source) -> Source:
    """Makes the episodes of a source harder: their classes are of one superclass.

    The superclass of a class is what its name has before the first "/": Omniglot's
    characters are named Korean/character01, CIFAR-100's classes fish/shark. Turned
    pictures form superclasses of their own: Korean/rot90.

    Args:
        source: A source of classes.

    Returns:
        The source with the same examples. Each of its episodes draws a superclass that
        has enough classes, then its classes from there.

    Raises:
        ValueError: If the source has tasks of values.

    Example:
        >>> from tfmeta.data import glyphs
        >>> part = by_superclass(glyphs()).test
        >>> x, _, _, _ = part.sampler(way=5, shot=1, seed=0).ids(0)
        >>> len({part.class_names[part.y[i]].split("/")[0] for i in x.numpy()})
        1
    """
    parts = {name: getattr(source, name) for name in ("train", "val", "test")}
    for name, part in parts.items():
        if not isinstance(part, Split):
            raise ValueError(
                f"by_superclass is for classes, but the {name} part of source "
                f"{source.name!r} has tasks of values. Leave it out."
            )
        parts[name] = Split(
            part.name,
            part.store,
            part.y,
            part.class_names,
            rows=part.rows,
            prepare=part.prepare,
            disjoint=part.disjoint,
            superclasses=[superclass(each) for each in part.class_names],
        )
    return Source(source.name, **parts)


def superclass(name: str) -> str:
    """The superclass of a class.

    Example:
        >>> superclass("Korean/character01"), superclass("Korean/character01/rot90")
        ('Korean', 'Korean/rot90')
    """
    first, *others = name.split("/")
    turned = [each for each in others[-1:] if each in _TURNS]
    return "/".join([first, *turned])
