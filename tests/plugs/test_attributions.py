"""Attributions against the worked examples of their papers, captum, and closed forms of linear networks."""

import numpy as np
import pytest
import torch
from captum.attr import GuidedGradCam, LayerGradCam
from scipy.stats import spearmanr
from torch import nn

from assay.attributions.cam import cam
from assay.attributions.deconvnet import deconvnet
from assay.attributions.deeplift import deeplift
from assay.attributions.grad_cam import grad_cam
from assay.attributions.gradient import gradient
from assay.attributions.gradient_x_input import gradient_x_input
from assay.attributions.guided_backprop import guided_backprop
from assay.attributions.guided_grad_cam import guided_grad_cam
from assay.attributions.integrated_gradients import integrated_gradients
from assay.attributions.lrp import lrp
from assay.attributions.occlusion import occlusion
from assay.attributions.random_map import random_map
from assay.errors import StudyError
from assay.metrics.box_overlap import box_overlap
from assay.metrics.deletion import deletion
from assay.metrics.insertion import insertion
from assay.metrics.pointing import pointing
from assay.metrics.rank_correlation import rank_correlation
from assay.models.allconv import AllConv
from assay.models.mlp import MLP
from assay.protocols._rewrites import chain, in_turn, reordered, saturated, split
from assay.protocols.axioms import completeness, violations
from assay.training import shim  # noqa: F401  (before timm)
from assay.training.network import Network

# isort: split
from timm import create_model
from timm.models.swin_transformer import SwinTransformer
from timm.models.vision_transformer import VisionTransformer

TARGET = torch.tensor([0])


def linear(weight, bias):
    layer = nn.Linear(len(weight[0]), len(weight)).double()
    layer.weight.data, layer.bias.data = torch.tensor(weight).double(), torch.tensor(bias).double()
    return layer


def first_network():
    """f(x) = ReLU(ReLU(x1) - 1 - ReLU(x2)), figure 7 of the Integrated Gradients paper."""
    return nn.Sequential(linear([[1, 0], [0, 1]], [0, 0]), nn.ReLU(), linear([[1, -1]], [-1]), nn.ReLU())


def second_network():
    """g(x) = ReLU(ReLU(x1 - 1) - ReLU(x2)), the same function."""
    return nn.Sequential(linear([[1, 0], [0, 1]], [-1, 0]), nn.ReLU(), linear([[1, -1]], [0]), nn.ReLU())


POINT = torch.tensor([[3.0, 1.0]]).double()


@pytest.mark.vouches("attributions/integrated_gradients", paper="P223")
@pytest.mark.vouches("attributions/deeplift", paper="P223")
@pytest.mark.vouches("attributions/lrp", paper="P223")
@pytest.mark.parametrize(
    ("attribution", "first", "second"),
    [
        (lambda *given: integrated_gradients(*given, steps=3000), [1.5, -0.5], [1.5, -0.5]),
        (deeplift, [1.5, -0.5], [2.0, -1.0]),
        (lrp, [1.5, -0.5], [2.0, -1.0]),
    ],
)
def test_figure_7_of_the_integrated_gradients_paper(attribution, first, second):
    for network, expected in ((first_network(), first), (second_network(), second)):
        torch.testing.assert_close(attribution(network, POINT, TARGET), torch.tensor([expected]).double(), atol=2e-3, rtol=0)


@pytest.mark.vouches("attributions/gradient", paper="P223")
@pytest.mark.vouches("attributions/gradient_x_input", paper="P223")
@pytest.mark.vouches("attributions/integrated_gradients", paper="P223")
def test_the_gradient_is_blind_behind_saturation_where_integrated_gradients_see_one():
    """Section 2.1: f(x) = 1 - ReLU(1 - x) from baseline 0 to input 2; the output changes by 1, the gradient at 2 is 0."""
    network = nn.Sequential(linear([[-1]], [1]), nn.ReLU(), linear([[-1]], [1]))
    two = torch.tensor([[2.0]]).double()
    assert gradient(network, two, TARGET).item() == 0
    assert gradient_x_input(network, two, TARGET).item() == 0
    assert integrated_gradients(network, two, TARGET, steps=1000).item() == pytest.approx(1, abs=2e-3)


@pytest.mark.vouches("attributions/integrated_gradients", paper="P223")
def test_the_sum_is_that_of_the_midpoints():
    """Of x^3 the sum of 3 (x (k - 1/2) / m)^2 x / m over k from 1 to m is x^3 (1 - 1 / (4 m^2)); of x^2 it is exact."""

    class Power(nn.Module):
        def __init__(self, exponent):
            super().__init__()
            self.exponent = exponent

        def forward(self, points):
            return points.pow(self.exponent).sum(1, keepdim=True)

    for steps in (2, 5):
        square, cube = (integrated_gradients(Power(n), torch.tensor([[3.0]]), TARGET, steps=steps).item() for n in (2, 3))
        assert square == pytest.approx(9)
        assert cube == pytest.approx(27 * (1 - 1 / (4 * steps**2)))


@pytest.mark.vouches("attributions/guided_backprop", paper="P223")
@pytest.mark.vouches("attributions/deconvnet", paper="P223")
@pytest.mark.vouches("attributions/guided_backprop", paper="P313")
def test_guided_backprop_and_deconvnet_ignore_what_only_inhibits():
    """Appendix B: with f = ReLU(ReLU(x1) - 1 - ReLU(x2)) the negative gradient is stopped at the ReLU of x2."""
    for attribution in (guided_backprop, deconvnet):
        assert attribution(first_network(), POINT, TARGET).tolist() == [[1.0, 0.0]]
    # At (1, 1) the output's ReLU is off: guided backprop stops there, deconvnet does not look whether a ReLU was on.
    off = torch.tensor([[1.0, 1.0]]).double()
    assert guided_backprop(first_network(), off, TARGET).tolist() == [[0.0, 0.0]]
    assert deconvnet(first_network(), off, TARGET).tolist() == [[1.0, 0.0]]


def allconv(norm=False, classes=4, seed=0):
    torch.manual_seed(seed)
    model = AllConv(3, classes, 12, width=4, norm=norm)
    for layer in model.stack:
        if isinstance(layer, nn.Conv2d) and layer.bias is not None:
            nn.init.normal_(layer.bias, std=0.3)
    network = Network(model, torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.3, 0.25])).double().eval()
    return network.requires_grad_(False), torch.rand(6, 3, 12, 12).double(), torch.randint(0, classes, (6,))


@pytest.mark.vouches("attributions/integrated_gradients", paper="P223")
@pytest.mark.vouches("attributions/deeplift", paper="P223")
@pytest.mark.parametrize("attribution", [lambda *given, **more: integrated_gradients(*given, **more, steps=2000), deeplift])
def test_completeness_against_any_baseline(attribution):
    network, images, targets = allconv()
    baseline = torch.rand(1, 3, 12, 12).double()
    heat = attribution(network, images, targets, baseline=baseline)
    change = (network(images) - network(baseline)).gather(1, targets[:, None]).squeeze(1)
    torch.testing.assert_close(heat.flatten(1).sum(1), change, rtol=1e-2, atol=1e-2)


@pytest.mark.vouches("attributions/lrp", paper="P223")
def test_lrp_conserves_relevance_and_equals_gradient_times_input_without_biases():
    """For a ReLU network without biases the basic rule is gradient times input (Ancona et al. 2018)."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 5, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(500, 4, bias=False)).double()
    images, targets = torch.rand(6, 3, 12, 12).double(), torch.arange(6) % 4
    heat = lrp(network, images, targets)
    torch.testing.assert_close(heat, gradient_x_input(network, images, targets))
    with_bias, images, targets = allconv()
    logits = with_bias(images).gather(1, targets[:, None]).squeeze(1)
    torch.testing.assert_close(lrp(with_bias, images, targets).flatten(1).sum(1), logits, rtol=1e-4, atol=1e-4)


def test_lrp_names_the_layer_without_a_rule():
    network, images, targets = allconv(norm=True)
    with pytest.raises(StudyError, match="no rule for layer BatchNorm2d"):
        lrp(network, images, targets)


def test_rewritten_networks_compute_the_same_function():
    network, images, _ = allconv()
    plain = chain(network)
    for rewritten in (plain, reordered(plain), in_turn(plain), split(plain)):
        torch.testing.assert_close(rewritten(images), network(images))
    torch.testing.assert_close(saturated(plain, 3, 0.5)(images), network((images / 0.5).clamp(max=1)))
    with pytest.raises(StudyError, match="no plain chain"):
        chain(Network(MLP(3, 4, 12), torch.zeros(3), torch.ones(3)))


def test_the_figure_7_rewriting_is_what_reordered_does():
    rewritten = reordered(first_network())
    torch.testing.assert_close(rewritten(POINT), second_network()(POINT))
    torch.testing.assert_close(deeplift(rewritten, POINT, TARGET), torch.tensor([[2.0, -1.0]]).double())


def test_deeplift_tells_two_orders_of_inhibition_apart_by_hand():
    """ReLU(p + q - n) from (1, 0, 2) to (3, 2, 2): one chord of 3/4, or 1/2 for p - n and n - p and 2/3 for what is left to q."""
    unit = nn.Sequential(linear(np.eye(3), np.zeros(3)), nn.ReLU(), linear([[1, 1, -1]], [0]), nn.ReLU())
    point, baseline = torch.tensor([[3.0, 2.0, 2.0]]).double(), torch.tensor([[1.0, 0.0, 2.0]]).double()
    halves = in_turn(unit)
    torch.testing.assert_close(halves(point), unit(point))
    torch.testing.assert_close(deeplift(unit, point, TARGET, baseline=baseline), torch.tensor([[1.5, 1.5, 0]]).double())
    torch.testing.assert_close(deeplift(halves, point, TARGET, baseline=baseline), torch.tensor([[5 / 3, 4 / 3, 0]]).double())


def test_violations_count_only_pairs_whose_output_changes():
    network = nn.Sequential(linear([[-1, 0]], [1]), nn.ReLU(), linear([[-1]], [1]))  # 1 - ReLU(1 - x1); x2 has no effect
    points = torch.tensor([[2.0, 5.0], [0.5, 5.0], [2.0, 5.0]]).double()

    def explain(network, images, targets, baseline):
        return gradient_x_input(network, images, targets, baseline=baseline)

    found = violations(explain, network, points, torch.zeros(3, dtype=torch.long), torch.tensor([0, 0, 1]), 0.0)
    assert found.tolist() == [True, False]


def test_completeness_residual_of_a_linear_network_is_zero_for_gradient_times_input():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).double()
    images, targets = torch.rand(5, 3, 2, 2).double(), torch.zeros(5, dtype=torch.long)
    heat = gradient_x_input(network, images, targets)
    assert completeness(network, images, targets, heat).max() < 1e-9
    assert completeness(network, images, targets, 2 * heat).min() > 0.99


@pytest.mark.vouches("attributions/grad_cam", paper="P313")
@pytest.mark.parametrize("norm", [True, False])
def test_grad_cam_agrees_with_captum(norm):
    network, images, targets = allconv(norm)
    expected = LayerGradCam(network, network.model.stack[-4]).attribute(images, targets, relu_attributions=True)
    expected = nn.functional.interpolate(expected, size=(12, 12), mode="bilinear", align_corners=False)
    torch.testing.assert_close(grad_cam(network, images, targets), expected.detach())


class Laid(nn.Module):
    """A model whose last features pass by as maps (B, C, h, w), for captum to look at."""

    def __init__(self, model, to_maps, back):
        super().__init__()
        self.model, self.maps, self.to_maps, self.back = model, nn.Identity(), to_maps, back

    def forward(self, images):
        last = self.model.forward_features(images)
        return self.model.forward_head(self.back(self.maps(self.to_maps(last)), last))


def in_timm(kind):
    """A small network of each layout, and how its last features are maps and back."""
    torch.manual_seed(0)
    if kind == "swin":
        model = SwinTransformer(32, 2, num_classes=4, embed_dim=8, depths=(1, 1), num_heads=(1, 2), window_size=4)
        return model, lambda last: last.permute(0, 3, 1, 2), lambda maps, last: maps.permute(0, 2, 3, 1)
    if kind == "mambaout":
        model = create_model("mambaout_femto", num_classes=4, depths=(1, 1, 1, 1), dims=(8, 8, 8, 16))
        return model, lambda last: last.permute(0, 3, 1, 2), lambda maps, last: maps.permute(0, 2, 3, 1)
    model = VisionTransformer(32, 8, num_classes=4, embed_dim=16, depth=1, num_heads=2, global_pool=kind, reg_tokens=2)
    return (
        model,
        lambda last: last[:, 3:].transpose(1, 2).unflatten(2, (4, 4)),
        lambda maps, last: torch.cat([last[:, :3], maps.flatten(2).transpose(1, 2)], 1),
    )


@pytest.mark.vouches("attributions/grad_cam", paper="P313")
@pytest.mark.parametrize("kind", ["swin", "mambaout", "avg"])
def test_grad_cam_reads_the_layout_from_the_model(kind):
    """Channels last and tokens: captum's on the maps that the model's last features are."""
    model, to_maps, back = in_timm(kind)
    network = Network(model, torch.zeros(3), torch.ones(3)).eval().requires_grad_(False)
    images, targets = torch.rand(3, 3, 32, 32), torch.tensor([0, 3, 1])
    laid = Laid(model, to_maps, back)
    expected = LayerGradCam(laid, laid.maps).attribute(images.requires_grad_(True), targets, relu_attributions=True)
    expected = nn.functional.interpolate(expected, size=(32, 32), mode="bilinear", align_corners=False)
    torch.testing.assert_close(grad_cam(network, images.detach(), targets), expected.detach())
    assert grad_cam(network, images.detach(), targets, rectify=False).abs().sum() > 0


@pytest.mark.vouches("attributions/cam", paper="P313")
def test_cam_of_maps_with_channels_last_is_grad_cam_times_the_places():
    model, *_ = in_timm("swin")
    network = Network(model, torch.zeros(3), torch.ones(3)).eval().requires_grad_(False)
    images, targets = torch.rand(3, 3, 32, 32), torch.tensor([0, 3, 1])
    torch.testing.assert_close(64 * grad_cam(network, images, targets, rectify=False), cam(network, images, targets))


def test_networks_without_maps_are_refused_in_a_line():
    images, targets = torch.rand(2, 3, 32, 32), torch.tensor([0, 1])

    def wrapped(model):
        return Network(model, torch.zeros(3), torch.ones(3)).eval().requires_grad_(False)

    with pytest.raises(StudyError, match="grad_cam: VisionTransformer's classifier reads a class token alone"):
        grad_cam(wrapped(in_timm("token")[0]), images, targets)
    hidden, *_ = in_timm("avg")
    hidden.patch_embed.grid_size = None
    for attribution in (cam, grad_cam):
        with pytest.raises(StudyError, match=f"{attribution.__name__}: VisionTransformer makes 19 tokens and does not say where"):
            attribution(wrapped(hidden), images, targets)
    with pytest.raises(StudyError, match="grad_cam: MLP has no maps before its classifier"):
        grad_cam(Network(MLP(3, 4, 12), torch.zeros(3), torch.ones(3)), torch.rand(2, 3, 12, 12), targets)
    with pytest.raises(StudyError, match="no linear classifier on averaged maps"):
        cam(wrapped(create_model("test_convnext", num_classes=4)), images, targets)


@pytest.mark.vouches("attributions/grad_cam", paper="P313")
@pytest.mark.vouches("attributions/cam", paper="P313")
def test_grad_cam_is_cam_on_networks_with_global_average_pooling():
    """Section 3.1: the weights are the classifier's divided by the number of places, here 6 x 6."""
    network, images, targets = allconv(norm=True)
    torch.testing.assert_close(36 * grad_cam(network, images, targets, rectify=False), cam(network, images, targets))


@pytest.mark.vouches("attributions/cam", paper="P313")
def test_cam_averages_to_the_logit():
    """The mean of the map over places, before it is enlarged, is the logit less the bias (12 to 6 px keeps the mean)."""
    network, images, targets = allconv(norm=True)
    logits = network(images).gather(1, targets[:, None]).squeeze(1)
    maps = nn.functional.avg_pool2d(cam(network, images, targets), 2)
    bias = network.model.stack[-1].bias[targets]
    torch.testing.assert_close(maps.mean((1, 2, 3)), logits - bias, atol=0.2, rtol=0.1)
    with pytest.raises(StudyError, match="no maps before its classifier"):
        cam(Network(MLP(3, 4, 12), torch.zeros(3), torch.ones(3)), images.float(), targets)


@pytest.mark.vouches("attributions/guided_grad_cam", paper="P313")
def test_guided_grad_cam_is_the_product_of_captums_two_maps():
    network, images, targets = allconv()
    expected = GuidedGradCam(network, network.model.stack[-4]).attribute(images, targets, interpolate_mode="bilinear")
    torch.testing.assert_close(guided_grad_cam(network, images, targets), expected.detach())


@pytest.mark.vouches("attributions/occlusion", paper="P313")
def test_occlusion_of_a_linear_network_is_the_sum_of_its_weights_under_the_patch():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))
    images = torch.rand(4, 3, 8, 8)
    heat = occlusion(network, images, torch.ones(4, dtype=torch.long), window=4, stride=4, fill=0.5)
    share = network[1].weight[1].reshape(3, 8, 8) * (images - 0.5)
    expected = nn.functional.avg_pool2d(share.sum(1, keepdim=True), 4) * 16
    torch.testing.assert_close(heat, nn.functional.interpolate(expected, scale_factor=4).detach())


def test_methods_leave_the_network_as_it_was():
    network, images, targets = allconv()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    plain = gradient(network, images, targets)
    for attribution in (guided_backprop, deconvnet, deeplift, lrp, grad_cam, occlusion, random_map):
        attribution(network, images, targets)
    assert all(value.equal(before[name]) for name, value in network.state_dict().items())
    assert gradient(network, images, targets).equal(plain)
    assert not any(parameter.requires_grad for parameter in network.parameters())


class Brightness(nn.Module):
    """Two classes; the logit of the second is the sum of the pixels in the left column."""

    def forward(self, images):
        total = images[..., 0].sum((1, 2))
        return torch.stack([torch.zeros_like(total), total], 1)


@pytest.mark.vouches("metrics/deletion", paper="P223")
@pytest.mark.vouches("metrics/insertion", paper="P223")
def test_deletion_and_insertion_of_four_pixels_by_hand():
    images, targets = torch.ones(1, 1, 2, 2), torch.tensor([1])
    heat = torch.tensor([[[[4.0, 2.0], [3.0, 1.0]]]])  # the left column first
    p0, p1, p2 = (1 / (1 + np.exp(-total)) for total in (0, 1, 2))
    expected = ((p2 + p1) / 2 + (p1 + p0) / 2 + p0 + p0) / 4
    assert deletion(Brightness(), images, targets, heat, steps=4) == pytest.approx(expected)
    expected = ((p0 + p1) / 2 + (p1 + p2) / 2 + p2 + p2) / 4
    assert insertion(Brightness(), images, targets, heat, steps=4, fill=0.0) == pytest.approx(expected)


@pytest.mark.vouches("metrics/pointing", paper="P313")
@pytest.mark.vouches("metrics/box_overlap", paper="P313")
def test_pointing_and_box_by_hand():
    heat = torch.zeros(2, 4, 4)
    heat[0, 1, 1:3], heat[0, 3, 3] = torch.tensor([1.0, 0.2]), 0.9  # two pixels side by side, and a lone one
    heat[1, 0, 0] = 1
    masks = torch.zeros(2, 4, 4)
    masks[:, 1, 1] = 1
    assert pointing(heat, masks) == 0.5
    boxes = np.array([[1, 1, 3, 3], [2, 2, 4, 4]])
    np.testing.assert_allclose(box_overlap(heat.numpy(), boxes), [0.5, 0])
    np.testing.assert_allclose(box_overlap(heat.numpy(), boxes, threshold=0.3), [0.25, 0])
    assert box_overlap(np.zeros((1, 4, 4)), boxes[:1]) == 0
    # Columns 1 to 4 and rows 3 to 5 against columns 2 to 6 and rows 0 to 4: 3 x 2 of 12 + 25 - 6.
    oblong = np.zeros((1, 8, 8))
    oblong[0, 3:6, 1:5] = 1
    assert box_overlap(oblong, np.array([[2, 0, 7, 5]])) == pytest.approx(6 / 31)


@pytest.mark.vouches("metrics/rank_correlation", paper="P313")
def test_rank_correlation_agrees_with_scipy():
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 9, (5, 4, 4)), generator.normal(size=(5, 4, 4))
    expected = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(rank_correlation(first, second), expected)
    assert rank_correlation(np.ones((1, 4, 4)), second[:1]) == 0
