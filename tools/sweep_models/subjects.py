"""The networks of a sweep, by name."""

import fnmatch
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

COLLECTIONS = ("families", "torchvision", "timm")


@dataclass(frozen=True)
class Subject:
    """A network that can be built.

    `build` makes it, `inputs` what it reads from the size of the batch, and `heads` gives those of
    its modules that make its outputs.
    """

    build: Callable[[], Any]
    inputs: Callable[[int], tuple]
    heads: Callable[[Any], list]


def names_of(collection):
    """The names that a collection selects."""
    if collection == "families":
        from .families import FAMILIES
        return [f"families/{name}" for name in FAMILIES]
    if collection == "torchvision":
        from . import torchvision_zoo
        return [f"torchvision/{name}" for name in torchvision_zoo.names()]
    from . import timm_zoo
    return [f"timm/{name}" for name in timm_zoo.NAMES]


def select(patterns, fixtures=False):
    """The names that any of the patterns selects, in order: a collection, a full name as
    `timm/NAME`, which need not be in the list, or a glob of names with or without the collection.
    Only families are fixtures, and not all of them."""
    selected = {}
    for pattern in patterns:
        if pattern in COLLECTIONS:
            found = names_of(pattern)
        else:
            parts = pattern.split("/", 1)
            collections = [parts[0]] if len(parts) == 2 else COLLECTIONS
            found = [name for collection in collections for name in names_of(collection)
                     if fnmatch.fnmatch(name.split("/")[1], parts[-1])]
            if not found and len(parts) == 2 and not set("*?[") & set(pattern):
                found = [pattern]
        if not found:
            raise ValueError(f"no network is called '{pattern}'")
        selected.update(dict.fromkeys(found))
    return [name for name in selected if not fixtures or _is_fixture(name)]


def _is_fixture(name):
    from .families import FAMILIES
    collection, name = name.split("/", 1)
    return collection == "families" and FAMILIES[name].fixture_width is not None


def subject(name, fixture=False):
    """A network by its full name; a family in its smaller form for a fixture."""
    collection, name = name.split("/", 1)
    if collection == "families":
        from .families import FAMILIES
        family = FAMILIES[name]
        width = family.fixture_width if fixture else family.width
        return Subject(
            lambda: family.build(width), family.inputs, lambda network: [network.head])
    if collection == "torchvision":
        from . import torchvision_zoo
        return torchvision_zoo.subject(name)
    from . import timm_zoo
    return timm_zoo.subject(name)
