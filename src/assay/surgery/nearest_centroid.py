"""Replace the classifier by the nearest centroid: an image belongs to the class whose mean training features are closest.

The reference of "A Boundary Tilting Persepective on the Phenomenon of Adversarial Examples" (P029), there on pixels: of two
classes, its boundary is the bisector of the means. As ||x - c||^2 differs between classes by c . x - ||c||^2 / 2 alone, it is
linear.
"""

from assay.surgery._heads import training_features, without_classifier
from assay.training.network import Bench, Network


def nearest_centroid(network: Network, bench: Bench) -> Network:
    """A copy of the network whose logits are c_k . features - ||c_k||^2 / 2, c_k the mean features of class k.

    Raises StudyError when the network has no linear classifier.
    """
    labels, features = bench.world.train.labels, training_features(network, bench)
    result, head = without_classifier(network)
    for label in labels.unique():
        centroid = features[labels == label].double().mean(0)
        head.weight.data[label] = centroid.to(head.weight)
        head.bias.data[label] = -0.5 * centroid.square().sum()
    return result
