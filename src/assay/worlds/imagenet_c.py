"""ImageNet with its corrupted validation images as further splits (ImageNet-C, Hendrycks and Dietterich, 2019), streamed.

The corrupted images are stored at 224 x 224 pixels, already cut out; at another size they are resized.
"""

from pathlib import PurePosixPath
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval, Lt

from assay.corruptions._imagenet_c import IMAGENET_C, ONE_OF_EACH_KIND
from assay.data.seeds import Draw
from assay.data.world import World
from assay.datasets import retrieved
from assay.errors import DataError
from assay.worlds._collection import CROPPED_SHARE, pictures
from assay.worlds._imagenet import View, streamed
from assay.worlds.imagenet import imagenet

DATASETS = ("imagenet", "imagenet-c")
FACTORS = ("clean_label", "source")
MOST = {"train": 1281167, "test": 50000}


def imagenet_c(
    draw: Draw,
    *,
    corruptions: list[Literal[IMAGENET_C]] = ONE_OF_EACH_KIND,
    severities: list[Annotated[int, Interval(ge=1, le=5)]] = (3,),
    size: Annotated[int, Ge(8)] = 224,
    train: Annotated[int, Ge(1)] = 1281167,
    test: Annotated[int, Ge(1)] = 50000,
    label_noise: Annotated[float, Ge(0), Lt(1)] = 0.0,
    noise_kind: Literal["uniform", "class"] = "uniform",
    crop_pct: Annotated[float, Gt(0)] = CROPPED_SHARE,
    interpolation: Literal["bilinear", "bicubic"] = "bilinear",
    crop_mode: Literal["center", "squash"] = "center",
) -> World:
    """Further splits "fog-3", ...: one a corruption and severity, of the same photographs. Factors as in imagenet.

    Raises DataError when a data set is not there, StudyError when train or test exceeds it.
    """
    seen = {"size": size, "crop_pct": crop_pct, "interpolation": interpolation, "crop_mode": crop_mode}
    world = imagenet(draw, train=train, test=test, label_noise=label_noise, noise_kind=noise_kind, **seen)
    data = retrieved("imagenet-c")
    images = pictures(data)
    for corruption in corruptions:
        for severity in severities:
            files = [file for file in images if f"{corruption}/{severity}/" in file]
            name = f"{corruption}-{severity}"
            # The same names as in the validation split, in the same order, so that the same rows are drawn.
            split = streamed("imagenet_c", draw, "test", data, files, world.classes, min(test, len(files)), View(**seen))
            if [_name(file) for file in split.images.files] != [_name(file) for file in world.test.images.files]:
                raise DataError(f"{data.root}: {name} is not of the photographs in imagenet/val; retrieve both data sets again")
            world.extra[name] = split
    return world


def _name(file: str) -> str:
    return PurePosixPath(file).name
