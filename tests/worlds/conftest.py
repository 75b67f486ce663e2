"""Worlds at test size."""

from functools import partial

import pytest

from assay.data.seeds import Draw
from assay.language.plugs import describe, load

# Parameters that make a world small, and those it cannot do without.
SMALL = {
    "digits": {"train": 100, "test": 60},
    "faces": {"train": 60, "test": 40},
    "dead_leaves": {"train": 64, "test": 32, "size": 16, "leaves": 40},
    "photos": {"train": 64, "test": 32, "size": 16},
    "imagenet": {"train": 64, "test": 32, "size": 16},
    "imagenet_c": {"train": 64, "test": 32, "size": 16},
    "folder": {"train": 64, "test": 32, "size": 16},
}


@pytest.fixture
def make(tiny_datasets):
    """make(name, seed=0, **parameters): a world of that name, small unless told otherwise.

    A world made from another is made from `shapes`, which gets the parameters the first does not have.
    """

    def build(name, /, seed=0, **parameters):
        declared = describe("worlds", name).parameters
        if "of" in declared:
            own = {key: parameters.pop(key) for key in list(parameters) if key in declared}
            inner = partial(load("worlds", "shapes"), **{"train": 64, "test": 32, **parameters})
            return load("worlds", name)(Draw("world", 0, seed), of=inner, **own)
        if name == "folder":  # photographs in train/ and val/
            parameters.setdefault("path", str(tiny_datasets / "imagenet"))
        return load("worlds", name)(Draw("world", 0, seed), **{**SMALL.get(name, {"train": 64, "test": 32}), **parameters})

    return build
