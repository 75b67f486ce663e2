"""What the features before a model's classifier are worth: to neighbours, to a linear classifier, and of how many dimensions."""

from collections.abc import Iterator

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from assay.scorecard.subject import Subject, plug
from assay.scorecard.values import Skipped, Value, mean

METRICS = {
    "knn": "Nearest-neighbour accuracy [0 to 1, higher is better]: accuracy on test images of the vote of 20 nearest training "
    "images by features",
    "linear_probe": "Linear probe [0 to 1, higher is better]: accuracy of logistic regression on training features",
    "intrinsic_dimension": "Intrinsic dimension [dimensions, neither is better]: TwoNN estimate over features of test images",
}
COMPARED = 1024  # images whose features are kept, to be compared with other models'


def representation(subject: Subject) -> Iterator[Value | Skipped]:
    """Features of the test images, judged by those of the training images where there are any."""
    features = subject.test.features
    if features is None:
        for name in METRICS:
            yield Skipped(name, "the model has no layer before a linear classifier that gives one row an image")
        return
    features, labels = features[: subject.count], subject.labels
    yield Value(
        "intrinsic_dimension", None, plug("metrics/intrinsic_dimension")(features.numpy(force=True)), images=len(features)
    )
    subject.pictures["features"] = features[:COMPARED].numpy(force=True)
    bank, bank_labels = subject.train.features, subject.world.train.labels
    if bank is None or len(bank_labels.unique()) < 2:
        for name in ("knn", "linear_probe"):
            yield Skipped(name, "the data have no training images of two classes; a folder needs train/ beside val/")
        return
    neighbours = plug("metrics/knn")
    rows = [neighbours(bank, bank_labels, features[[row]], labels[[row]]) for row in range(len(features))]
    yield mean("knn", np.array(rows))
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    probe.fit(bank.numpy(force=True), bank_labels.numpy(force=True))
    yield mean("linear_probe", (probe.predict(features.numpy(force=True)) == labels.numpy(force=True)).astype(float))
