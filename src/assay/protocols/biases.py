"""Whether networks' biases tell how well they generalise: rank correlations over networks trained by different recipes.

The question of "Can Biases in ImageNet Models Explain Generalization?" (P153). For each network of a pool of one architecture are
taken: shape bias (Geirhos et al. 2019, as in protocols/cue_conflict); the low- and the high-frequency bias, which are the shares
of its accuracy that are left without high, or without low frequencies; and the critical band (Subramanian et al. 2023, after
Solomon and Pelli 1994): noise of a narrow band of frequencies is made as strong as it takes to halve the network's accuracy, a
Gaussian over log frequency is fitted to the sensitivity, one over the noise's power, and its centre, width and height are the
biases. They are correlated over the pool with accuracies on clean, corrupted, attacked and restyled images.

`joint` asks all biases together: a linear regression on their ranks predicts the rank of the accuracy of a network left out, and
its correlation with the truth is given. `reference` correlates with the accuracy on other images of the same kind, which shows
that the networks differ enough for a good predictor to be seen.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Gt, Le, MinLen
from scipy.optimize import least_squares
from scipy.stats import rankdata
from torch import Tensor

from assay.data.batch import TensorSplit
from assay.language.plugs import Parent, Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import batched, predict
from assay.metrics.rank_correlation import rank_correlation
from assay.metrics.top1 import top1
from assay.protocols._corrupted import corrupted_images
from assay.protocols._filters import band_pass, high_pass, low_pass
from assay.protocols.cue_conflict import check_splits, shape_bias
from assay.training.network import Network, Trained

FACTORS = ("shape", "texture")
METRICS = {
    "shape_bias": "Correlation of shape bias [-1 to 1, neither is better]: rank correlation over the pool of shape bias with "
    "the accuracy x (clean, corrupted, ...)",
    "low_frequency": "Correlation of low-frequency bias [-1 to 1, neither is better]: rank correlation of the share of "
    "accuracy kept without high frequencies",
    "high_frequency": "Correlation of high-frequency bias [-1 to 1, neither is better]: rank correlation of the share of "
    "accuracy kept without low frequencies",
    "band_centre": "Correlation of the band's centre [-1 to 1, neither is better]: rank correlation of the critical band's "
    "centre",
    "band_width": "Correlation of the band's width [-1 to 1, neither is better]: rank correlation of the critical band's width",
    "band_height": "Correlation of the band's height [-1 to 1, neither is better]: rank correlation of the critical band's "
    "height, the peak sensitivity to noise",
    "joint": "Correlation of all biases' prediction [-1 to 1, higher is better]: rank correlation of what all biases predict "
    "for a network left out with its accuracy",
    "reference": "Correlation of accuracies [-1 to 1, higher is better]: rank correlation of the accuracy on one half of the "
    "images with that on the other",
    "consistency": "Consistency of a bias [-1 to 1, higher is better]: the weakest of a bias's (x) correlations with the four "
    "accuracies, 0 to 1; below 0 if their signs differ",
    "spread": "Spread over the pool [unit of x, neither is better]: standard deviation over the pool of the accuracy x, or of "
    "a bias x, in its unit",
    "average": "Mean over the pool [unit of x, neither is better]: mean over the pool of the accuracy x, or of a bias x, in "
    "its unit",
}
BIASES = ("shape_bias", "low_frequency", "high_frequency", "band_centre", "band_width", "band_height")
AXES = ("clean", "corrupted", "attacked", "restyled")
HALF = 0.5  # of the clean accuracy: what noise at threshold leaves
CONTRASTS = np.geomspace(0.03, 0.6, 6)  # deviations of the noise, in units of the pixel range
BANDS_AN_OCTAVE = 2
TINY = 1e-6  # puts a frequency on an edge into the band below


def biases(
    arm: Arm,
    *,
    pool: Annotated[list[Annotated[Trained, Parent()]], MinLen(4)],
    restyled: Annotated[Callable, Plug("worlds")],
    corruptions: Annotated[list[Annotated[Callable, Plug("corruptions")]], MinLen(1)] = (
        "gaussian_noise",
        "defocus_blur",
        "fog",
        "contrast",
        "pixelate",
    ),
    severity: Annotated[int, Ge(1), Le(5)] = 3,
    attack: Annotated[Callable, Plug("attacks")] = "pgd",
    low_cutoff: Annotated[float, Gt(0)] = 3.0,
    high_cutoff: Annotated[float, Gt(0)] = 2.0,
    images: Annotated[int, Ge(4)] = 192,
) -> Iterator[tuple]:
    """Measure the pool on the arm's world, cue_conflict; the arm's own network is not asked.

    restyled: a world whose test images are the arm's in another style. low_cutoff, high_cutoff: in cycles an image. images: how
    many test images are corrupted, attacked, restyled and covered with noise. StudyError if the world lacks the splits.
    """
    world = arm.world
    check_splits(world)
    some = TensorSplit(world.test.images[:images], world.test.labels[:images], {})
    shown = {
        "corrupted": [corrupted_images(arm, corruption, some.images, severity) for corruption in corruptions],
        "restyled": [arm.make(restyled).test.images[:images]],
    }
    noise = band_noise(some.images, arm.generator("noise"))
    found = {name: [] for name in (*BIASES, *AXES)}
    halves = {axis: [] for axis in AXES}
    for network in (member.network for member in pool):
        attacked = batched(partial(attack, network, generator=arm.generator("attack")), some.images, some.labels)
        right = {axis: _correct(network, given, some.labels) for axis, given in {**shown, "attacked": [attacked]}.items()}
        right["clean"] = _correct(network, [world.test.images], world.test.labels)
        for axis, correct in right.items():
            found[axis].append(float(correct.mean()))
            halves[axis].append((float(correct[::2].mean()), float(correct[1::2].mean())))
        splits = world.test, world.extra["conflict"], some
        measured = biases_of(network, found["clean"][-1], *splits, noise, low_cutoff, high_cutoff)
        for name, value in measured.items():
            found[name].append(value)
    table = {name: np.array(values) for name, values in found.items()}
    for axis in AXES:
        for bias in BIASES:
            yield bias, axis, spearman(table[bias], table[axis])
        yield "joint", axis, spearman(left_out([table[bias] for bias in BIASES], table[axis]), table[axis])
        yield "reference", axis, spearman(*np.array(halves[axis]).T)
    for bias in BIASES:
        yield "consistency", bias, consistency([spearman(table[bias], table[axis]) for axis in AXES])
    for name, values in table.items():
        yield "spread", name, float(values.std())
        yield "average", name, float(values.mean())
    arm.keep("table", np.stack(list(table.values()), 1))


def biases_of(
    network: Network,
    clean: float,
    test: TensorSplit,
    conflict: TensorSplit,
    some: TensorSplit,
    noise: Tensor,
    low_cutoff: float,
    high_cutoff: float,
) -> dict[str, float]:
    """A network's biases by name. clean: its accuracy on the test images.

    band_centre and band_width are in octaves, the former above one cycle an image, band_height is log2 of one over the power.
    """
    clean = max(clean, TINY)
    answers = predict(network, conflict.images).argmax(1)
    sensitivity = -2 * np.log2([threshold(network, some, band, HALF * clean) for band in noise])
    centre, width, height = gaussian_fit(sensitivity)
    return {
        "shape_bias": shape_bias(answers, conflict.factors["shape"], conflict.factors["texture"]),
        "low_frequency": top1(predict(network, low_pass(test.images, low_cutoff)), test.labels) / clean,
        "high_frequency": top1(predict(network, high_pass(test.images, high_cutoff)), test.labels) / clean,
        "band_centre": centre,
        "band_width": width,
        "band_height": height,
    }


def band_noise(images: Tensor, generator: torch.Generator) -> Tensor:
    """(bands, B, 1, H, H) grey normal noise, mean 0 and deviation 1 in each image, of half an octave each.

    The first band begins at one cycle an image, the last ends at the highest frequency along an axis.
    """
    size = images.shape[-1]
    count = int(BANDS_AN_OCTAVE * np.log2(size / 2))
    edges = 2 ** (np.arange(count + 1) / BANDS_AN_OCTAVE)
    white = torch.randn(count, len(images), 1, size, size, generator=generator, device=images.device)
    spans = zip(white, edges[:-1], edges[1:], strict=True)
    noise = torch.stack([band_pass(part, low + TINY * (low > 1), high + TINY) for part, low, high in spans])
    noise = noise - noise.mean((-1, -2), keepdim=True)
    return noise / noise.std((-1, -2), keepdim=True)


def threshold(network: Network, split: TensorSplit, noise: Tensor, wanted: float) -> float:
    """The deviation of noise (B, 1, H, H) that brings accuracy down to `wanted`."""
    seen = []
    for contrast in CONTRASTS.tolist():
        seen.append(top1(predict(network, split.images + contrast * noise), split.labels))
        if seen[-1] < wanted:
            break
    return crossing(CONTRASTS[: len(seen)], np.minimum.accumulate(seen), wanted)


def crossing(contrasts: np.ndarray, accuracy: np.ndarray, wanted: float) -> float:
    """Where accuracy, which never rises over the contrasts, reaches `wanted`: log-linear between them, cut at their ends."""
    return float(np.exp(np.interp(-wanted, -accuracy, np.log(contrasts))))


def gaussian_fit(sensitivity: np.ndarray) -> tuple[float, float, float]:
    """Centre and deviation, in octaves above the first band's lower edge, and peak of a Gaussian through the sensitivities.

    It stands on the smallest of them; least squares, centre within the bands, deviation from a quarter octave to all of them.
    """
    middles = (np.arange(len(sensitivity)) + 0.5) / BANDS_AN_OCTAVE
    octaves = len(sensitivity) / BANDS_AN_OCTAVE
    base, reach = float(sensitivity.min()), float(np.ptp(sensitivity))

    def misfit(given: np.ndarray) -> np.ndarray:
        centre, width, height = given
        return height * np.exp(-((middles - centre) ** 2) / (2 * width**2)) + base - sensitivity

    bounds = ([0.0, 0.25, 0.0], [octaves, octaves, 2 * reach + 1])
    centre, width, height = least_squares(misfit, (middles[sensitivity.argmax()], 1.0, reach), bounds=bounds).x
    return float(centre), float(width), float(height + base)


def left_out(predictors: list[np.ndarray], target: np.ndarray) -> np.ndarray:
    """(N,) ranks of the target predicted for each network from the others, by least squares on the predictors' ranks."""
    columns = np.stack([np.ones(len(target)), *(rankdata(values) for values in predictors)], 1)
    ranks = rankdata(target)
    predicted = np.empty(len(target))
    for row in range(len(target)):
        others = np.arange(len(target)) != row
        predicted[row] = columns[row] @ np.linalg.lstsq(columns[others], ranks[others], rcond=None)[0]
    return predicted


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Rank correlation of two series; 0 if one is constant."""
    return float(rank_correlation(np.asarray(first)[None], np.asarray(second)[None])[0])


def consistency(correlations: list[float]) -> float:
    """The smallest size of correlations that share a sign; where they do not, less than 0: how far from sharing one."""
    return max(min(correlations), min(-value for value in correlations))


def _correct(network: Network, pictures: list[Tensor], labels: Tensor) -> Tensor:
    """(N,) share of the versions (N, C, H, W) of each image that are classified correctly."""
    return torch.stack([predict(network, images).argmax(1) == labels for images in pictures]).double().mean(0)
