"""Find a network's linear classifier, which objectives and surgeries that act on it alone need."""

from torch import nn

from assay.errors import StudyError


def classifier(model: nn.Module) -> nn.Linear:
    """The last linear layer: timm's `get_classifier()` or the attribute `fc`. StudyError if the model ends otherwise."""
    layer = model.get_classifier() if hasattr(model, "get_classifier") else getattr(model, "fc", None)
    if not isinstance(layer, nn.Linear):
        raise StudyError(
            f"model {type(model).__name__}: has no linear classifier 'fc'; use a model that ends in one, such as resnet"
        )
    return layer
