"""Maximum softmax probability: how sure the network is of its answer. High means in-distribution.

"A Baseline for Detecting Misclassified and Out-of-Distribution Examples in Neural Networks", Hendrycks and Gimpel 2017; the
baseline of "Enhancing The Reliability of Out-of-distribution Image Detection in Neural Networks" (P196).
"""

from torch import Tensor

from assay.measuring.evaluate import predict
from assay.training.network import Samples


def msp(samples: Samples) -> Tensor:
    """max_k p_k for each sample, shape (N,), double precision, between 1 / K and 1."""
    return predict(samples.network, samples.images).double().softmax(1).amax(1)
