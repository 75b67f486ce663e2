"""Arms: what a protocol sees of a study, and what the arms of a measurement share."""

import hashlib
from collections.abc import Callable, Hashable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from assay.data.batch import TensorWorld, to_tensors
from assay.data.seeds import Draw, seed_of
from assay.language.recipes import Recipe
from assay.networks.store import NetworkStore
from assay.training.beginnings import make_world
from assay.training.binding import identity
from assay.training.network import Network, Trained

if TYPE_CHECKING:
    from assay.language.study import Cell, Study

T = TypeVar("T")


class Session:
    """Networks and worlds of one study's measurement, each loaded or drawn once a repetition, and the arrays it keeps."""

    def __init__(self, study: "Study", store: NetworkStore):
        self.study, self.store = study, store
        self.arrays: dict[str, np.ndarray] = {}
        self._networks: dict[tuple[Recipe, int], Trained] = {}
        self._worlds: dict[tuple[str, int], TensorWorld] = {}
        self._shared: dict[Hashable, tuple[tuple, Any]] = {}

    def trained(self, recipe: Recipe, seed: int) -> Trained:
        key = (recipe, seed)
        if key not in self._networks:
            self._networks[key] = self.store.load(recipe, seed)
        return self._networks[key]

    def snapshots(self, recipe: Recipe, seed: int) -> Iterator[tuple[float, Network]]:
        return self.store.snapshots(recipe, seed)

    def world(self, recipe: Recipe, seed: int) -> TensorWorld:
        key = (recipe.world, seed)
        if key not in self._worlds:
            self._worlds[key] = to_tensors(make_world(recipe, seed, lambda r: self.trained(r, seed)), self.store.device)
        return self._worlds[key]

    def shared(self, key: Hashable, arguments: tuple, make: Callable[[], Any]) -> Any:
        """What `make` gave when first asked for by this key; arguments that the key names by their address stay alive with it."""
        if key not in self._shared:
            self._shared[key] = (arguments, make())
        return self._shared[key][1]

    def forget_shared(self) -> None:
        self._shared.clear()

    def data_digests(self) -> dict[str, str]:
        """A hash of the training images and labels of every world drawn, by its spec's hash and repetition."""
        return {
            f"{hashlib.sha256(spec.encode()).hexdigest()[:8]}/{seed}": world.train.digest()
            for (spec, seed), world in sorted(self._worlds.items())
        }


class Arm:
    """One measurement as its protocol sees it: an arm of the study at one repetition and one value of the sweep (x)."""

    def __init__(self, session: Session, cell: "Cell", seed: int):
        self._session, self._cell, self.seed = session, cell, seed
        self.name, self.x = cell.arm, cell.x
        self.device = session.store.device

    @property
    def precision(self) -> str:
        """What protocols train in that train networks inside."""
        return self._session.store.precision

    @property
    def recipe(self) -> dict:
        """The arm's recipe as canonical data."""
        return self._cell.recipe.data

    @cached_property
    def trained(self) -> Trained:
        """The arm's trained network with what was recorded while it trained."""
        return self._session.trained(self._cell.recipe, self.seed)

    @property
    def network(self) -> Network:
        return self.trained.network

    def snapshots(self) -> Iterator[tuple[float, Network]]:
        """The arm's network as it was on the way, with the share of its training that was done; StudyError unless its recipe
        says record: [snapshots]."""
        return self._session.snapshots(self._cell.recipe, self.seed)

    @cached_property
    def world(self) -> TensorWorld:
        """The arm's world, the very draw its network was trained on."""
        return self._session.world(self._cell.recipe, self.seed)

    def make(self, world: Callable) -> TensorWorld:
        """The draw, for this repetition, of a world given as a protocol parameter."""
        return self.once(_drawn, world)

    def once(self, function: Callable[..., T], *arguments: Any) -> T:
        """function(arm, *arguments), computed for the first arm that asks in a repetition and shared with the others.

        Bound plugs are the same argument if their parameters are equal, tensors and networks if they are the same object. Of the
        arm itself the function may use no more than what all arms share: seed, device and generators.
        """
        key = (self.seed, function, identity(arguments))
        return self._session.shared(key, arguments, lambda: function(self, *arguments))

    def generator(self, *names: object) -> torch.Generator:
        """A generator that depends on the study, the repetition and the names, not on the arm: compared arms share draws."""
        seed = seed_of("measure", self._session.study.name, self.seed, *names)
        return torch.Generator(self.device).manual_seed(seed)

    def load(self, recipe: dict) -> Trained:
        """The trained network of a parent recipe at this repetition, for protocols that train inside."""
        return self._session.trained(Recipe(recipe), self.seed)

    def keep(self, name: str, array: Tensor | np.ndarray) -> None:
        """Keep an array for the figures, under "<arm>/<name>" (the first repetition that keeps it wins)."""
        values = array.detach().cpu().numpy() if isinstance(array, Tensor) else np.asarray(array)
        self._session.arrays.setdefault(f"{self._cell.label}/{name}", values)


def _drawn(arm: Arm, world: Callable) -> TensorWorld:
    return to_tensors(world(Draw("world", 0, arm.seed)), arm.device)
