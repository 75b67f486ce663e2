"""What a representation learned without labels is worth, and whether it has collapsed.

The measures of "Exploring Simple Siamese Representation Learning" (P232), figure 2: accuracy of a nearest-neighbour classifier
on the encoder's features, the spread of the l2-normalised outputs, and the training loss.
"""

from collections.abc import Callable, Iterator
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from assay.measuring.arm import Arm
from assay.measuring.evaluate import batched
from assay.metrics.knn import knn
from assay.metrics.output_std import output_std
from assay.training.binding import bind

METRICS = {
    "knn": "Nearest-neighbour accuracy [0 to 1, higher is better]: accuracy on test images of nearest training images in the "
    "encoder's features",
    "output_std": "Spread of a channel [unit sphere, higher is better]: standard deviation of the channels of the "
    "l2-normalised output on test images, mean over the d channels",
    "spread": "Spread over the sphere [evenly spread is 1, higher is better]: output_std times sqrt(d): 0 collapsed, 1 spread "
    "evenly over the sphere",
    "train_loss": "Training loss [objective's unit, neither is better]: mean training loss of the last epoch, in the "
    "objective's unit (absent if nothing was trained)",
}


@torch.no_grad()
def self_supervised(arm: Arm, *, neighbours: Annotated[int, Ge(1)] = 20) -> Iterator[tuple[str, float]]:
    """Outputs are the projections of objectives that have them, else the encoder's features."""
    train, test = arm.world.train, arm.world.test
    bank, features = (batched(arm.network.features, split.images) for split in (train, test))
    outputs = batched(_output(arm), test.images)
    spread = output_std(outputs)
    yield "knn", knn(bank, train.labels, features, test.labels, neighbours=neighbours)
    yield "output_std", spread
    yield "spread", spread * outputs.shape[1] ** 0.5
    if len(arm.trained.records.get("loss", ())):
        yield "train_loss", arm.trained.records["loss"][-1].item()


def _output(arm: Arm) -> Callable[[Tensor], Tensor]:
    """Images to the objective's projections, rebuilt with the weights it was trained to, or to features where there are none."""
    if not arm.trained.recipe:
        return arm.network.features
    objective = bind(arm.recipe["objective"], lambda recipe: arm.load(recipe.data))
    made = objective() if isinstance(objective.func, type) and issubclass(objective.func, nn.Module) else None
    if not hasattr(made, "embed"):
        return arm.network.features
    made.prepare(arm.network, arm.world)
    made.to(arm.device).load_state_dict(arm.trained.objective)
    made.eval()
    return lambda images: made.embed(arm.network, images)
