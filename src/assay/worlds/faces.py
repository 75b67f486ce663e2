"""One hundred faces and one hundred patches without a face, 25 x 25 grey, from Labeled Faces in the Wild as
scikit-image ships them.
"""

from typing import Annotated

import numpy as np
from annotated_types import Ge

from assay.data.seeds import Draw
from assay.data.world import Split, World
from assay.worlds._sources import arrays, resize
from assay.worlds._split import check_counts, refuse

FACTORS = ("clean_label", "source")
MOST = {"train + test": 200}
INPUTS = ("faces.npz",)


def faces(
    draw: Draw,
    *,
    size: Annotated[int, Ge(8)] = 25,
    train: Annotated[int, Ge(1)] = 120,
    test: Annotated[int, Ge(1)] = 80,
) -> World:
    """Labels 0 other, 1 face; a size other than 25 is interpolated. Factors: clean_label, source (row of the collection).

    Which patches are drawn depends on the draw; both splits are balanced. Raises StudyError when train + test exceeds 200.
    """
    images = arrays("faces.npz")["images"].astype(np.float32)
    check_counts("faces", 2, train=train, test=test)
    if train + test > len(images):
        raise refuse("faces", "train + test", train + test, f"at most {len(images)} patches", "lower train or test")
    half = len(images) // 2
    pairs = np.stack([draw("face").permutation(half), half + draw("other").permutation(half)], axis=1).reshape(-1)

    def split(rows: np.ndarray) -> Split:
        labels = (rows < half).astype(np.int64)
        return Split(resize(images[rows], size)[:, None], labels, {"clean_label": labels, "source": rows})

    return World(split(pairs[len(pairs) - train :]), split(pairs[:test]), ("other", "face"))
