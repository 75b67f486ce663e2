"""ImageNet (ILSVRC 2012): 1.28 million photographs in 1,000 classes, streamed from disk; its variants are further splits.

Every image is read as the network is evaluated that sees it: for published weights as timm has it for them, else with the shorter
side resized to size / 0.875 pixels and the centre of size x size cut out (256 and 224). Training crops and flips are left to
augmentation, which sees this centre; training as in He et al. (2016) crops from the whole photograph. Test images are the 50,000
validation images.
"""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt

from assay.data.seeds import Draw
from assay.data.world import World
from assay.datasets import retrieved
from assay.worlds._collection import CROPPED_SHARE, pictures, world_of
from assay.worlds._imagenet import View, classes_of, streamed

DATASETS = ("imagenet", "imagenet-{variants}")
FACTORS = ("clean_label", "source")
MOST = {"train": 1281167, "test": 50000}


def imagenet(
    draw: Draw,
    *,
    size: Annotated[int, Ge(8)] = 224,
    train: Annotated[int, Ge(1)] = 1281167,
    test: Annotated[int, Ge(1)] = 50000,
    variants: list[Literal["v2", "a", "r", "sketch"]] = (),
    label_noise: Annotated[float, Ge(0), Lt(1)] = 0.0,
    noise_kind: Literal["uniform", "class"] = "uniform",
    crop_pct: Annotated[float, Gt(0)] = CROPPED_SHARE,
    interpolation: Literal["bilinear", "bicubic"] = "bilinear",
    crop_mode: Literal["center", "squash"] = "center",
) -> World:
    """variants: ImageNet-V2, -A, -R and -Sketch as further splits of these names, at most `test` images each. Their labels
    are those of the 1,000 classes; -A and -R have images of 200 of them. crop_pct, interpolation, crop_mode: how photographs are
    read, see `assay.worlds._imagenet.View`. Factors: clean_label, source (row of the split).

    Raises DataError when a data set is not there, StudyError when train or test exceeds it.
    """
    data = retrieved("imagenet")
    files = pictures(data)
    folders = {folder: [file for file in files if file.startswith(f"{folder}/")] for folder in ("train", "val")}
    classes = classes_of(data, folders)
    view = View(size, crop_pct, interpolation, crop_mode)
    splits = [
        streamed("imagenet", draw, part, data, folders[folder], classes, count, view)
        for part, folder, count in (("train", "train", train), ("test", "val", test))
    ]
    world = world_of("imagenet", draw, *splits, classes, label_noise, noise_kind)
    for variant in variants:
        other = retrieved(f"imagenet-{variant}")
        files = pictures(other)
        world.extra[variant] = streamed("imagenet", draw, variant, other, files, classes, min(test, len(files)), view)
    return world
