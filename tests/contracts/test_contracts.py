"""What every plug of a kind must do, tried on every plug found in its folder."""

import pytest
import torch
from cases import batch_for, bound, needs, network_for, world_for

from assay.language.plugs import describe, find
from assay.language.recipes import Recipe
from assay.training.distributed import Group
from assay.training.network import Bench, Samples
from assay.training.objective import FunctionObjective, Objective


def every(kind):
    return [pytest.param(info, id=info.name) for info in find(kind).values()]


def name_of(info):
    return f"{info.kind}/{info.name}"


def generator():
    return torch.Generator().manual_seed(3)


def made_model(info):
    torch.manual_seed(0)
    return bound(info)(3, 10, 16)


def inputs(model, count=6):
    if getattr(model, "takes_latents", False):
        return torch.randn(count, model.latents, generator=generator())
    return torch.rand(count, 3, 16, 16, generator=generator())


class TestModels:
    @pytest.mark.parametrize("info", every("models"))
    def test_output_is_finite_and_one_row_an_input(self, info):
        model = made_model(info).eval()
        out = model(inputs(model))
        assert len(out) == 6
        assert torch.isfinite(out).all()

    @pytest.mark.parametrize("info", every("models"))
    def test_classifiers_split_into_features_and_head(self, info):
        model = made_model(info).eval()
        if not hasattr(model, "forward_head"):
            assert getattr(model, "makes_images", False), (
                f"{info.path}: a classifier has forward_features and forward_head as in timm"
            )
            return
        images = inputs(model)
        features = model.forward_features(images)
        assert model(images).shape == (6, 10)
        assert torch.allclose(model.forward_head(features), model(images), atol=1e-6)
        assert model.forward_head(features, pre_logits=True).ndim == 2

    @pytest.mark.parametrize("info", every("models"))
    def test_every_parameter_gets_a_gradient(self, info):
        model = made_model(info).train()
        model(inputs(model)).square().sum().backward()
        assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []

    @pytest.mark.parametrize("info", every("models"))
    def test_a_row_does_not_depend_on_the_others_in_evaluation(self, info):
        model = made_model(info).eval()
        x = inputs(model)
        with torch.no_grad():
            assert torch.allclose(model(x), torch.cat([model(x[:2]), model(x[2:])]), atol=1e-5)

    @pytest.mark.parametrize("info", every("models"))
    def test_initialisation_depends_on_the_seed_alone(self, info):
        one, other = made_model(info).state_dict(), made_model(info).state_dict()
        assert all(torch.equal(one[name], other[name]) for name in one)


class TestAugment:
    @pytest.mark.parametrize("info", every("augment"))
    def test_shape_dtype_and_range_are_kept(self, info):
        batch = batch_for(name_of(info))
        changed = bound(info)(batch, generator())
        for images in (changed.images, *changed.views):
            assert images.shape == batch.images.shape
            assert images.dtype == torch.float32
            assert images.min() >= -1e-6
            assert images.max() <= 1 + 1e-6
        assert changed.targets.shape == batch.targets.shape
        assert torch.allclose(changed.targets.sum(1), torch.ones(len(batch)), atol=1e-5)

    @pytest.mark.parametrize("info", every("augment"))
    def test_draws_come_from_the_generator_alone(self, info):
        plug, batch = bound(info), batch_for(name_of(info))
        before = torch.get_rng_state()
        plug(batch, generator())
        assert torch.equal(before, torch.get_rng_state())
        assert torch.equal(plug(batch, generator()).images, plug(batch, generator()).images)

    @pytest.mark.parametrize("info", every("augment"))
    def test_the_batch_given_is_left_as_it_was(self, info):
        batch = batch_for(name_of(info))
        images, targets = batch.images.clone(), batch.targets.clone()
        bound(info)(batch, generator())
        assert torch.equal(batch.images, images)
        assert torch.equal(batch.original, images)
        assert torch.equal(batch.targets, targets)


class TestObjectives:
    def tried(self, info):
        """The objective prepared on a network, the network, and a batch that has what the objective reads."""
        name = name_of(info)
        network, plug = network_for(name).train(), bound(info)
        is_class = isinstance(plug.func, type) and issubclass(plug.func, Objective)
        objective = plug() if is_class else FunctionObjective(plug)
        torch.manual_seed(0)
        objective.prepare(network, world_for(name))
        batch, augment = batch_for(name), needs(name).augment
        return objective, network, bound(describe("augment", augment))(batch, generator()) if augment else batch

    @pytest.mark.parametrize("info", every("objectives"))
    def test_losses_are_finite_scalars_and_reach_every_trainable_parameter(self, info):
        objective, network, batch = self.tried(info)
        touched = set()
        for player in objective.players(network):
            loss = player.loss(network, batch)
            assert loss.shape == ()
            assert torch.isfinite(loss)
            parameters = [p for module in player.modules for p in module.parameters() if p.requires_grad]
            assert parameters, f"{info.path}: a player has something to train"
            grads = torch.autograd.grad(loss, parameters, allow_unused=True)
            touched |= {id(p) for p, g in zip(parameters, grads, strict=True) if g is not None and g.abs().sum() > 0}
        named = {**dict(network.named_parameters()), **dict(objective.named_parameters())}
        untouched = [name for name, p in named.items() if p.requires_grad and id(p) not in touched]
        headless = [name for name in untouched if not name.startswith(("model.fc", "model.head"))]
        assert headless == [], "only a self-supervised objective may leave the classifier untouched"

    @pytest.mark.parametrize("info", every("objectives"))
    def test_the_same_seed_gives_the_same_loss(self, info):
        values = []
        for _ in range(2):
            objective, network, batch = self.tried(info)
            torch.manual_seed(1)
            values.append([player.loss(network, batch).item() for player in objective.players(network)])
        assert values[0] == values[1]

    @pytest.mark.parametrize("info", every("objectives"))
    def test_what_training_changes_is_in_the_state_that_checkpoints_hold(self, info):
        trained, resumed = self.tried(info), self.tried(info)
        objective, network, batch = trained
        players = list(objective.players(network))
        optimizers = [torch.optim.SGD([p for m in player.modules for p in m.parameters()], lr=0.1) for player in players]
        for player, optimizer in [*zip(players, optimizers, strict=True)] * 2:
            optimizer.zero_grad()
            player.loss(network, batch).backward()
            optimizer.step()
        for mine, other in zip(trained[:2], resumed[:2], strict=True):
            other.load_state_dict(mine.state_dict())
        losses = []
        for objective, network, batch in (trained, resumed):
            torch.manual_seed(2)
            losses.append([player.loss(network, batch).item() for player in objective.players(network)])
        assert losses[0] == losses[1], f"{info.path}: what changes after prepare belongs in buffers"

    @pytest.mark.parametrize("info", every("objectives"))
    def test_losses_that_processes_share_are_means_over_samples(self, info):
        if not Recipe({"objective": {"plug": name_of(info)}}).splits:
            pytest.skip("its file does not say PER_SAMPLE = True")
        objective, network, batch = self.tried(info)
        objective.eval()
        network.eval()
        parts = [Group(rank, 2).part(batch) for rank in range(2)]
        whole, *halves = (objective.loss(network, each).item() for each in (batch, *parts))
        assert sum(halves) / 2 == pytest.approx(whole, rel=1e-4), f"{info.path}: say PER_SAMPLE = False"


class TestOptimizersAndSchedules:
    @pytest.mark.parametrize("info", every("optimizers"))
    def test_a_few_steps_lower_a_quadratic(self, info):
        weight = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        optimizer = bound(info)([weight])
        first = weight.detach().square().sum()

        def loss():
            optimizer.zero_grad()
            value = weight.square().sum()
            value.backward()
            return value

        for _ in range(20):
            optimizer.step(loss)
        assert weight.square().sum() < first

    @pytest.mark.parametrize("info", every("schedules"))
    def test_factors_lie_between_zero_and_one(self, info):
        factors = [bound(info)(step / 200) for step in range(200)]
        assert all(0 <= factor <= 1 for factor in factors)
        assert max(factors) == pytest.approx(1, abs=0.01)


class TestAttacks:
    @pytest.mark.parametrize("info", every("attacks"))
    def test_images_stay_images_and_nothing_else_changes(self, info):
        network, batch = network_for(name_of(info)), batch_for(name_of(info))
        weights = {name: value.clone() for name, value in network.state_dict().items()}
        before = torch.get_rng_state()
        attacked = bound(info)(network, batch.images, batch.labels, generator())
        assert torch.equal(before, torch.get_rng_state()), "draws come from the generator that is passed in"
        assert attacked.shape == batch.images.shape
        assert attacked.min() >= 0
        assert attacked.max() <= 1
        assert not attacked.requires_grad
        assert all(torch.equal(weights[name], value) for name, value in network.state_dict().items())
        assert all(p.grad is None for p in network.parameters())
        assert not network.training

    @pytest.mark.parametrize("info", every("attacks"))
    def test_the_budget_is_kept_to_float_precision(self, info):
        if "eps" not in info.parameters:
            pytest.skip("the attack has no budget")
        network, batch = network_for(name_of(info)), batch_for(name_of(info))
        for eps in (0.0, 0.01, 0.1):
            attacked = bound(info)(network, batch.images, batch.labels, generator(), eps=eps)
            assert (attacked - batch.images).abs().max() <= eps + 1e-7


class TestScores:
    @pytest.mark.parametrize("info", every("scores"))
    def test_one_number_a_sample(self, info):
        name = name_of(info)
        split = world_for(name).train
        records = {"margins": torch.randn(4, len(split), generator=generator())}
        labels = torch.where(torch.arange(len(split)) % 8 == 0, 9, split.labels)
        samples = Samples(network_for(name), split.images, labels, records)
        one, other = bound(info)(samples), bound(info)(samples)
        assert one.shape == (len(split),)
        assert torch.equal(one.nan_to_num(0), other.nan_to_num(0))
        assert torch.isfinite(one).float().mean() > 0.5


class TestAttributions:
    @pytest.mark.parametrize("info", every("attributions"))
    def test_a_map_an_image_that_leaves_no_hooks_and_no_gradients(self, info):
        name = name_of(info)
        network, batch = network_for(name), batch_for(name, 6)
        maps = bound(info)(network, batch.images, batch.labels)
        assert maps.shape[0] == 6
        assert maps.shape[1] in (1, 3)
        assert maps.shape[2:] == batch.images.shape[2:]
        assert torch.isfinite(maps).all()
        assert not maps.requires_grad
        assert not any(
            module._forward_hooks or module._backward_hooks or module._forward_pre_hooks for module in network.modules()
        )
        assert all(p.grad is None for p in network.parameters())

    @pytest.mark.parametrize("info", every("attributions"))
    def test_a_map_does_not_depend_on_the_other_images(self, info):
        if "generator" in info.doc.lower() or info.name.startswith("random"):
            pytest.skip("a random map is drawn for the batch")
        name = name_of(info)
        network, batch = network_for(name), batch_for(name, 6)
        whole = bound(info)(network, batch.images, batch.labels)
        parts = [bound(info)(network, batch.images[rows], batch.labels[rows]) for rows in (slice(0, 2), slice(2, 6))]
        assert torch.allclose(whole, torch.cat(parts), atol=1e-4)


class TestSurgery:
    @pytest.mark.parametrize("info", every("surgery"))
    def test_the_result_can_be_read_back_and_the_original_is_untouched(self, info):
        name = name_of(info)
        network = network_for(name)
        weights = {key: value.clone() for key, value in network.state_dict().items()}
        bench = Bench(world_for(name), generator(), torch.device("cpu"))
        made = bound(info)(network, bench)
        assert made is not network
        assert all(torch.equal(weights[key], value) for key, value in network.state_dict().items())
        assert {k: v.shape for k, v in made.state_dict().items()} == {k: v.shape for k, v in weights.items()}
        again = bound(info)(network, Bench(world_for(name), generator(), torch.device("cpu")))
        assert all(torch.equal(a, b) for a, b in zip(made.state_dict().values(), again.state_dict().values(), strict=True))


def test_no_kind_was_skipped_everywhere():
    for kind in ("models", "augment", "objectives", "optimizers", "schedules", "attacks", "scores", "attributions", "surgery"):
        assert find(kind), f"src/assay/{kind}/ holds no plug, so its contract was not tried"
