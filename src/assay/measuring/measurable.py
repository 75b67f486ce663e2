"""Any classifier, measured as a network of this project is.

Protocols, attacks, attributions and scores ask a `Network`: `network(images)` for logits of images in [0, 1], through which
gradients pass; `network.features(images)` for what the classifier sees; `evaluate.outputs` for what modules inside give.
`Measurable` gives a model from elsewhere this face, and `ModelArm` is what a protocol measures it by:

    model = Measurable(timm.create_model("resnet18"), shape=(3, 224, 224), classes=names, mean=..., std=...)
    rows = list(classify(ModelArm(model, world)))
"""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from assay.data.batch import TensorWorld
from assay.errors import StudyError
from assay.measuring.arm import Arm, Shared
from assay.training.network import Network, Trained


class Measurable(Network):
    """A copy of a classifier, in evaluation mode and with gradients off for its weights, behind its input normalisation.

    model: normalised images (B, C, H, W) to logits (B, K). shape: (C, H, W) of the images it is made for; how they are cut and
    scaled to this is the world's business. classes: names of the logits, in order. mean, std: (C,) of the normalisation, in
    the [0, 1] pixel range; not given, images are passed on as they are.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        shape: tuple[int, int, int],
        classes: Sequence[str],
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ):
        self_mean, self_std = (
            torch.full((shape[0],), neutral) if given is None else torch.as_tensor(given, dtype=torch.float32)
            for given, neutral in ((mean, 0.0), (std, 1.0))
        )
        for what, values in (("mean", self_mean), ("std", self_std)):
            if values.shape != (shape[0],):
                raise StudyError(
                    f"model {type(model).__name__}: {what} of shape {tuple(values.shape)} (wanted: {shape[0]} numbers)"
                )
        super().__init__(deepcopy(model), self_mean, self_std)
        self.shape, self.classes = tuple(shape), tuple(classes)
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, K). StudyError for what is no such tensor, or holds NaN."""
        logits = super().forward(images)
        if not isinstance(logits, Tensor):
            raise self._error(f"gives a {type(logits).__name__} instead of logits; wrap it so that it returns one tensor")
        if logits.shape != (len(images), len(self.classes)):
            raise self._error(f"gives {tuple(logits.shape)} for {len(images)} images and {len(self.classes)} classes")
        if logits.isnan().any():
            raise self._error("gives logits that are NaN; look at its weights and normalisation")
        return logits

    def features(self, images: Tensor) -> Tensor:
        """What the classifier sees (B, D): by timm's own split or, in a model without it, what the last linear layer is given."""
        if hasattr(self.model, "forward_head"):
            return super().features(images)
        given: list[Tensor] = []
        layers = [module for module in self.model.modules() if isinstance(module, nn.Linear)]
        handles = [layer.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0])) for layer in layers]
        try:
            self(images)
        finally:
            for handle in handles:
                handle.remove()
        if not given or given[-1].ndim != 2:
            raise self._error("has no linear layer that sees a row an image, so it has no features")
        return given[-1]

    def _error(self, text: str) -> StudyError:
        return StudyError(f"model {type(self.model).__name__}: {text}")


class ModelArm(Arm):
    """A model on a world whose images and classes are those it is made for; StudyError for another world.

    shared: given to arms that are to be compared, so that what does not depend on the model is computed once for all. Their draws
    are equal anyway.
    """

    def __init__(
        self, model: Measurable, world: TensorWorld, *, name: str = "model", seed: int = 0, shared: Shared | None = None
    ):
        super().__init__(shared or Shared(), "models", name, name, seed, world.test.labels.device)
        if tuple(world.test.images.shape[1:]) != model.shape:
            raise StudyError(f"arm '{name}': images of {tuple(world.test.images.shape[1:])} for a model of {model.shape}")
        if world.classes != model.classes:
            known = sum(one == other for one, other in zip(world.classes, model.classes, strict=False))
            raise StudyError(
                f"arm '{name}': {len(world.classes)} classes of the world and {len(model.classes)} of the model, of which {known}"
                " stand in the same place; give both in one order"
            )
        self.trained, self.world = Trained(model.to(self.device)), world
