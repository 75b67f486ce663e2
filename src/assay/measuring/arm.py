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
from assay.errors import StudyError
from assay.language.recipes import Recipe
from assay.networks.store import NetworkStore
from assay.training.beginnings import make_world
from assay.training.binding import identity
from assay.training.network import Network, Trained

if TYPE_CHECKING:
    from assay.language.study import Cell, Study

T = TypeVar("T")


class Shared:
    """What arms that are measured together share: the arrays they keep, and what the first that asks for it computes."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._shared: dict[Hashable, tuple[tuple, Any]] = {}

    def shared(self, key: Hashable, arguments: tuple, make: Callable[[], Any]) -> Any:
        """What `make` gave when first asked for by this key; arguments that the key names by their address stay alive with it."""
        if key not in self._shared:
            self._shared[key] = (arguments, make())
        return self._shared[key][1]

    def forget_shared(self) -> None:
        self._shared.clear()


class Session(Shared):
    """Networks and worlds of one study's measurement, each loaded or drawn once a repetition, and what its arms share."""

    def __init__(self, study: "Study", store: NetworkStore):
        super().__init__()
        self.study, self.store = study, store
        self._networks: dict[tuple[Recipe, int], Trained] = {}
        self._worlds: dict[tuple[str, int], TensorWorld] = {}

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

    def data_digests(self) -> dict[str, str]:
        """A hash of the training images and labels of every world drawn, by its spec's hash and repetition."""
        return {
            f"{hashlib.sha256(spec.encode()).hexdigest()[:8]}/{seed}": world.train.digest()
            for (spec, seed), world in sorted(self._worlds.items())
        }


class Arm:
    """One measurement as its protocol sees it: a network with the world it is measured on, and draws of its own.

    Whoever makes one gives `trained`, the network with what was recorded while it trained, and `world`. A network is asked as
    `assay.training.network.Network` says, whether it was trained here or not.
    """

    trained: Trained
    world: TensorWorld

    def __init__(self, shared: Shared, root: str, label: str, name: str, seed: int, device: torch.device, x: Any = None):
        """root: what draws are named after; label: what kept arrays are; x: the value of a sweep."""
        self._shared, self._root, self._label = shared, root, label
        self.name, self.seed, self.device, self.x = name, seed, device, x

    @property
    def network(self) -> Network:
        return self.trained.network

    @property
    def recipe(self) -> dict:
        """How the arm's network comes to be; StudyError where nobody here knows."""
        raise self._foreign("a recipe")

    @property
    def precision(self) -> str:
        """What protocols train in that train networks inside."""
        raise self._foreign("a precision to train in")

    def load(self, recipe: dict) -> Trained:
        """The trained network of a parent recipe at this repetition, for protocols that train inside."""
        raise self._foreign("parents")

    def snapshots(self) -> Iterator[tuple[float, Network]]:
        """The arm's network as it was on the way, with the share of its training that was done; StudyError unless its recipe
        says record: [snapshots]."""
        raise self._foreign("snapshots")

    def _foreign(self, what: str) -> StudyError:
        return StudyError(f"arm '{self.name}': its network was not trained here, so it has not {what}; use another protocol")

    def make(self, world: Callable) -> TensorWorld:
        """The draw, for this repetition, of a world given as a protocol parameter."""
        return self.once(_drawn, world)

    def once(self, function: Callable[..., T], *arguments: Any) -> T:
        """function(arm, *arguments), computed for the first arm that asks in a repetition and shared with the others.

        Bound plugs are the same argument if their parameters are equal, tensors and networks if they are the same object. Of the
        arm itself the function may use no more than what all arms share: seed, device and generators.
        """
        key = (self.seed, function, identity(arguments))
        return self._shared.shared(key, arguments, lambda: function(self, *arguments))

    def generator(self, *names: object) -> torch.Generator:
        """A generator that depends on the study, the repetition and the names, not on the arm: compared arms share draws."""
        seed = seed_of("measure", self._root, self.seed, *names)
        return torch.Generator(self.device).manual_seed(seed)

    def keep(self, name: str, array: Tensor | np.ndarray) -> None:
        """Keep an array for the figures, under "<arm>/<name>" (the first repetition that keeps it wins)."""
        values = array.detach().cpu().numpy() if isinstance(array, Tensor) else np.asarray(array)
        self._shared.arrays.setdefault(f"{self._label}/{name}", values)


class CellArm(Arm):
    """An arm of a study at one repetition and one value of its sweep."""

    def __init__(self, session: Session, cell: "Cell", seed: int):
        super().__init__(session, session.study.name, cell.label, cell.arm, seed, session.store.device, cell.x)
        self._session, self._cell = session, cell

    @cached_property
    def trained(self) -> Trained:
        return self._session.trained(self._cell.recipe, self.seed)

    @cached_property
    def world(self) -> TensorWorld:
        """The very draw that the arm's network was trained on."""
        return self._session.world(self._cell.recipe, self.seed)

    @property
    def recipe(self) -> dict:
        """The arm's recipe as canonical data."""
        return self._cell.recipe.data

    @property
    def precision(self) -> str:
        return self._session.store.precision

    def load(self, recipe: dict) -> Trained:
        return self._session.trained(Recipe(recipe), self.seed)

    def snapshots(self) -> Iterator[tuple[float, Network]]:
        return self._session.snapshots(self._cell.recipe, self.seed)


def _drawn(arm: Arm, world: Callable) -> TensorWorld:
    return to_tensors(world(Draw("world", 0, arm.seed)), arm.device)
