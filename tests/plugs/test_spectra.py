"""Spectra of generated images: the azimuthal spectrum, its regulariser and the generators, against closed forms, numpy and
scipy.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.linalg
import torch
import torch.nn.functional as F
from torch import nn

from assay.data.batch import Batch, TensorSplit, TensorWorld
from assay.errors import StudyError
from assay.metrics.azimuthal_spectrum import azimuthal_spectrum, log_power
from assay.metrics.frechet_distance import frechet_distance
from assay.models.discriminator import Discriminator
from assay.models.generator import Generator
from assay.models.mlp import MLP
from assay.objectives.gan import GAN, centred
from assay.objectives.spectral_gan import SpectralGAN, spectral_loss
from assay.protocols.spectra import detection, spectra
from assay.training.network import Network


def noise(*shape, seed=0):
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


# The spectrum


@pytest.mark.vouches("metrics/azimuthal_spectrum", paper="P466")
@pytest.mark.parametrize("channels", [1, 3])
def test_the_spectrum_is_the_ring_mean_of_numpys_log_power(channels):
    images = noise(3, channels, 8, 8)
    weights = [1.0] if channels == 1 else [0.299, 0.587, 0.114]
    expected = np.zeros((3, 7))
    for row, image in enumerate(images.numpy()):
        grey = sum(weight * plane for weight, plane in zip(weights, image, strict=True))
        shifted = np.fft.fftshift(np.fft.fft2(grey))
        rings = [[] for _ in range(7)]
        for i in range(8):
            for j in range(8):
                rings[round(np.hypot(i - 4, j - 4))].append(np.log(abs(shifted[i, j]) ** 2 + 1e-8))
        expected[row] = [np.mean(ring) for ring in rings]
    np.testing.assert_allclose(log_power(images), expected)
    low, high = expected.min(1, keepdims=True), expected.max(1, keepdims=True)
    np.testing.assert_allclose(azimuthal_spectrum(images), (expected - low) / (high - low))


@pytest.mark.vouches("metrics/azimuthal_spectrum", paper="P466")
@pytest.mark.parametrize(("down", "across"), [(3, 0), (0, 5), (3, 4), (6, 6)])
def test_a_wave_shows_at_its_radius_whatever_its_direction(down, across):
    rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    wave = (2 * torch.pi * (down * rows + across * columns) / 16).cos()[None, None].double()
    curve = log_power(wave)[0]
    assert curve.argmax() == round((down**2 + across**2) ** 0.5)


@pytest.mark.vouches("metrics/azimuthal_spectrum", paper="P466")
def test_turning_mirroring_and_moving_an_image_changes_nothing():
    images = noise(4, 1, 16, 16)
    expected = azimuthal_spectrum(images)
    for moved in (images.rot90(1, (2, 3)), images.flip(3), images.transpose(2, 3), images.roll((3, 5), (2, 3)), -images):
        torch.testing.assert_close(azimuthal_spectrum(moved), expected)


@pytest.mark.vouches("metrics/azimuthal_spectrum", paper="P466")
def test_zeros_between_pixels_repeat_the_spectrum_as_the_paper_derives():
    """Up-sampling by zeros repeats the spectrum in both directions, which puts what lay at 0 onto the highest frequencies."""
    image = noise(1, 1, 8, 8)
    enlarged = torch.zeros(1, 1, 16, 16, dtype=torch.float64)
    enlarged[..., ::2, ::2] = image
    repeated = np.log(np.abs(np.tile(np.fft.fft2(image[0, 0].numpy()), (2, 2))) ** 2 + 1e-8)
    frequency = np.fft.fftfreq(16, 1 / 16)
    radius = np.hypot(frequency[:, None], frequency[None]).round()
    np.testing.assert_allclose(log_power(enlarged)[0], [repeated[radius == k].mean() for k in range(12)])
    assert repeated[8, 8] == repeated.max()


# The regulariser


@pytest.mark.vouches("objectives/spectral_gan", paper="P466")
def test_the_spectral_loss_is_the_papers_formula():
    images, target = noise(5, 1, 16, 16), noise(12, seed=1)
    s = azimuthal_spectrum(images.float()).double().clamp(1e-3, 1 - 1e-3).numpy()
    t = target.numpy()
    expected = -(t * np.log(s) + (1 - t) * np.log(1 - s)).mean()
    assert float(spectral_loss(images, target)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.vouches("objectives/spectral_gan", paper="P466")
def test_no_images_have_a_smaller_spectral_loss_than_those_with_the_wanted_spectrum():
    """Gibbs' inequality: the cross-entropy is least, and then the entropy, where both spectra agree."""
    images = smooth(20, 0)
    targets = azimuthal_spectrum(images).clamp(1e-3, 1 - 1e-3)
    losses = torch.stack([torch.stack([spectral_loss(image[None], target) for image in images]) for target in targets])
    assert (losses.argmin(1) == torch.arange(20)).all()
    entropy = -(targets * targets.log() + (1 - targets) * (1 - targets).log()).mean(1)
    torch.testing.assert_close(losses.diagonal(), entropy)


@pytest.mark.vouches("objectives/spectral_gan", paper="P466")
def test_a_step_down_the_spectral_loss_gives_blurred_images_what_they_lack():
    """Images too smooth for the wanted spectrum gain power at high frequencies when they descend the loss."""
    wanted = azimuthal_spectrum(smooth(200, 1)).mean(0)
    images = F.avg_pool2d(smooth(50, 2), 3, stride=1, padding=1).requires_grad_()
    spectral_loss(images, wanted).backward()
    assert torch.isfinite(images.grad).all()
    stepped = (images - images.grad).detach()
    before, after = (azimuthal_spectrum(each).mean(0)[6:] for each in (images.detach(), stepped))
    assert (before - wanted[6:]).mean() < 0
    assert after.mean() > before.mean()


def adversaries(objective):
    torch.manual_seed(0)
    network = Network(Generator(1, 1, 8, width=4, latents=6), torch.zeros(1), torch.ones(1))
    split = TensorSplit(torch.rand(16, 1, 8, 8), torch.zeros(16, dtype=torch.long), {})
    objective.prepare(network, TensorWorld(split, split, ("all",), {}))
    return network, Batch(split.images, split.labels, torch.ones(16, 1), torch.arange(16), split.images)


@pytest.mark.vouches("objectives/spectral_gan", paper="P466")
def test_the_generators_loss_gains_weight_times_the_regulariser():
    objective = SpectralGAN(weight=3.0, discriminator=Discriminator)
    network, batch = adversaries(objective)
    torch.testing.assert_close(objective.real, azimuthal_spectrum(batch.images).mean(0))
    torch.manual_seed(5)
    found = objective.generator_loss(network, batch)
    torch.manual_seed(5)
    made = objective.sample(network, batch)
    torch.testing.assert_close(found, objective.deception(made) + 3.0 * spectral_loss(made, objective.real))


@pytest.mark.vouches("objectives/gan")
def test_both_players_minimise_the_binary_cross_entropies_of_the_game_and_move_only_their_own_weights():
    objective = GAN(discriminator=Discriminator)
    network, batch = adversaries(objective)
    first, second = objective.players(network)
    torch.manual_seed(3)
    found = first.loss(network, batch)
    torch.manual_seed(3)
    made = objective.sample(network, batch).detach()
    real, fake = objective.discriminator(centred(batch.images)), objective.discriminator(centred(made))
    assert real.shape == (16, 1)
    ones, zeros = torch.ones_like(real), torch.zeros_like(fake)
    expected = F.binary_cross_entropy_with_logits(real, ones) + F.binary_cross_entropy_with_logits(fake, zeros)
    torch.testing.assert_close(found, expected)
    found.backward()
    assert all(p.grad is None for p in network.parameters())
    torch.manual_seed(3)
    loss = second.loss(network, batch)
    torch.manual_seed(3)
    fooled = objective.discriminator(centred(objective.sample(network, batch)))
    torch.testing.assert_close(loss, F.binary_cross_entropy_with_logits(fooled, ones))
    loss.backward()
    assert all(p.grad is not None for p in network.parameters())
    assert second.modules == (network,)


def test_the_discriminator_sees_images_about_zero():
    assert centred(torch.tensor([0.0, 0.25, 1.0])).tolist() == [-1, -0.5, 1]
    asked = []
    objective = GAN(discriminator=lambda *shape: lambda images: asked.append(images) or images.mean((1, 2, 3)))
    network, batch = adversaries(objective)
    objective.discriminator_loss(network, batch)
    assert torch.equal(asked[0], 2 * batch.images - 1)


def test_a_network_that_takes_images_is_no_generator():
    with pytest.raises(StudyError, match="model: generator"):
        GAN().prepare(Network(MLP(1, 2, 8), torch.zeros(1), torch.ones(1)), None)


# Generators


@pytest.mark.vouches("models/generator", paper="P466")
def test_transposed_convolution_is_zeros_between_pixels_and_a_convolution():
    """The paper's account of up-convolution: bed of nails, then a convolution, here with the flipped kernel."""
    layer = next(m for m in Generator(1, 1, 16, width=4).modules() if isinstance(m, nn.ConvTranspose2d))
    features = torch.randn(2, layer.in_channels, 4, 4)
    nails = torch.zeros(2, layer.in_channels, 7, 7)
    nails[..., ::2, ::2] = features
    expected = F.conv2d(nails, layer.weight.transpose(0, 1).flip(2, 3), padding=2)
    torch.testing.assert_close(layer(features), expected)


@pytest.mark.vouches("models/generator", paper="P466")
@pytest.mark.parametrize(("up", "sizes"), [("transposed", [8, 16]), ("nearest", [8, 16]), ("none", [16, 16])])
def test_maps_grow_where_the_generator_says(up, sizes):
    model = Generator(3, 1, 16, up=up, width=4, latents=6, extra=2)
    seen = []
    for module in model.body:
        if isinstance(module, nn.Sequential):
            module.register_forward_hook(lambda module, inputs, output: seen.append(output.shape[-1]))
    images = model(torch.randn(5, 6))
    assert images.shape == (5, 3, 16, 16)
    assert seen == sizes
    assert sum(isinstance(m, nn.Conv2d) and m.kernel_size == (5, 5) for m in model.modules()) == 2
    assert any(isinstance(m, nn.ConvTranspose2d | nn.Upsample) for m in model.modules()) == (up != "none")


def test_generators_refuse_sizes_they_cannot_reach():
    assert Generator(1, 1, 8)(torch.randn(2, 32)).shape == (2, 1, 8, 8)
    for size in (4, 12):
        with pytest.raises(StudyError, match="power of two of at least 8"):
            Generator(1, 1, size)


# Metrics and protocol


@pytest.mark.vouches("metrics/frechet_distance")
def test_frechet_distance_agrees_with_the_matrix_root_of_scipy():
    first, second = noise(60, 5) @ noise(5, 5, seed=2), noise(80, 5, seed=3) + 0.3
    one, two = np.cov(first.T.numpy()), np.cov(second.T.numpy())
    gap = ((first.mean(0) - second.mean(0)) ** 2).sum()
    expected = float(gap) + np.trace(one + two - 2 * scipy.linalg.sqrtm(one @ two).real)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-9)


@pytest.mark.vouches("protocols/spectra", paper="P466")
def test_detection_is_chance_for_one_distribution_and_certain_for_two_apart():
    generator = torch.Generator().manual_seed(0)
    same = [torch.randn(400, 6, generator=generator) for _ in range(2)]
    assert abs(detection(*same) - 0.5) < 0.08
    assert detection(same[0], same[1] + torch.tensor([9.0, 0, 0, 0, 0, 0])) == 1.0
    # One feature, two Gaussians a distance d apart: the best accuracy is Phi(d / 2), here Phi(1) = 0.841.
    apart = torch.randn(20000, 1, generator=generator), torch.randn(20000, 1, generator=generator) + 2
    assert detection(*apart) == pytest.approx(0.8413, abs=0.01)


@pytest.mark.vouches("protocols/spectra", paper="P466")
def test_enlarged_images_are_found_out_and_real_ones_are_not():
    split = [TensorSplit(smooth(300, seed), torch.zeros(300, dtype=torch.long), {}) for seed in (0, 1)]
    arm = SimpleNamespace(world=TensorWorld(*split, ("all",), {}), keep=lambda name, array: None)
    found = {source: {row[0]: row[-1] for row in spectra(arm, source=source)} for source in ("real", "resampled")}
    assert abs(found["real"]["detection"] - 0.5) < 0.1
    assert found["resampled"]["detection"] > 0.99
    assert found["real"]["spectral_distance"] < 0.02 < found["resampled"]["spectral_distance"]
    assert found["real"]["diversity"] == pytest.approx(1, abs=0.1)


def smooth(count, seed):
    """Noise with power that falls as the frequency's square, like that of photographs."""
    frequency = torch.fft.fftfreq(16, 1 / 16)
    radius = (frequency[:, None] ** 2 + frequency[None] ** 2).sqrt().clamp_min(1)
    white = torch.randn(count, 1, 16, 16, generator=torch.Generator().manual_seed(seed))
    return torch.fft.ifft2(torch.fft.fft2(white) / radius).real
