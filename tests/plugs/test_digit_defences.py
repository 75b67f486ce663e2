"""Defences tried on corrupted digits: few grey levels, and noise in training."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from scipy import stats

from assay.attacks.pgd import pgd
from assay.augment.noise import noise
from assay.data.batch import Batch
from assay.models.convnet import ConvNet
from assay.models.squeezed import Squeezed, squeeze


@pytest.mark.vouches("models/squeezed", paper="P090")
@pytest.mark.parametrize("bits", [1, 2, 3])
def test_grey_levels_are_those_of_pils_posterisation_spread_over_the_range(bits):
    """PIL keeps the first bits of a byte, which is the level below; levels here are the nearest of evenly spread ones."""
    images = (torch.arange(256) / 255).reshape(1, 1, 16, 16)
    found = squeeze(images, bits)
    levels = 2**bits
    assert found.unique().numpy() == pytest.approx(np.linspace(0, 1, levels))
    assert (found - images).abs().max() <= 0.5 / (levels - 1) + 1e-6
    # As many levels as PIL leaves; an image that has only these levels stays as it is.
    posterised = np.asarray(ImageOps.posterize(Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)), bits))
    assert len(np.unique(posterised)) == levels
    torch.testing.assert_close(squeeze(found, bits), found)


@pytest.mark.vouches("models/squeezed", paper="P090")
def test_a_squeezed_network_answers_by_levels_alone_but_shows_its_gradient():
    torch.manual_seed(0)
    model = Squeezed(1, 10, 16, of=ConvNet).eval()
    images = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    black_and_white = (images > 0.5).float()
    with torch.no_grad():
        torch.testing.assert_close(model(images), model.inner(black_and_white - 0.5))
    attacked = pgd(model, images, torch.zeros(4, dtype=torch.long), torch.Generator().manual_seed(0), eps=0.2, random_start=False)
    assert (attacked - images).abs().flatten(1).amax(1).min() > 0.1
    mean, spread = model.start_pretrained()
    assert (mean.tolist(), spread.tolist()) == ([0.0], [1.0])


def test_noise_is_normal_with_a_strength_for_each_image():
    images = torch.full((400, 1, 16, 16), 0.5)
    labels = torch.zeros(400, dtype=torch.long)
    batch = Batch(images, labels, torch.ones(400, 1), torch.arange(400), images)
    noisy = noise(batch, torch.Generator().manual_seed(0), deviation=0.1).images - 0.5
    strengths = noisy.flatten(1).std(1).numpy()
    assert stats.kstest(strengths, stats.uniform(0, 0.1).cdf).pvalue > 1e-3
    scaled = noisy.flatten(1).numpy() / strengths[:, None]
    assert stats.kstest(scaled.flatten()[::7], "norm").pvalue > 1e-3
    loud = noise(batch, torch.Generator().manual_seed(0), deviation=1.0).images
    assert loud.min() == 0
    assert loud.max() == 1
