"""What objectives share that compare the projections of two views of each image."""

from torch import Tensor, nn

from assay.data.batch import Batch
from assay.errors import StudyError
from assay.training.objective import Objective


class TwoViews(Objective):
    """Base: `prepare` creates the projector of the network's features."""

    def embed(self, network: nn.Module, images: Tensor) -> Tensor:
        """Projections z (B, d), the output whose spread shows a collapse."""
        return self.projector(network.features(images))

    def embedded(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Projections of the first and of the second view; StudyError if the batch has not two views."""
        if len(batch.views) != 2:
            name = type(self).__name__.lower()
            raise StudyError(f"objective {name}: the batch has {len(batch.views)} views; add augment views with count: 2")
        first, second = (self.embed(network, view) for view in batch.views)
        return first, second
