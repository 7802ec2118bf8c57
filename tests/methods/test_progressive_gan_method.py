"""Progressive GAN against Karras et al. 2018: losses, fading, the stages of appendix A.1, what starts from it."""

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import nn

from dragoman import load_sampler
from dragoman import run as runs
from dragoman.data.batch import Batch, Task
from dragoman.engine.fit import fit
from dragoman.engine.method import Stage, at
from dragoman.engine.runtime import Runtime
from dragoman.inference.sampler import Sampler
from dragoman.methods.mine_gan import MineGAN, MineGANConfig
from dragoman.methods.progressive_gan import ProgressiveGAN, ProgressiveGANConfig, faded_in
from dragoman.methods.transfer_gan import TransferGAN, TransferGANConfig
from dragoman.model import save_model
from dragoman.nets.gan import GANConfig
from dragoman.plan import _Clock, plan
from dragoman.recipes import mine_gan as mine_recipes
from dragoman.recipes import progressive_gan as recipes

FACES = Task(domains=("images",), size=32)
GAN = GANConfig(network="progressive", width=8, z_dim=6)
NEAR = {"rtol": 1e-4, "atol": 1e-5}


def small(task: Task = FACES, seed: int = 0, **changes) -> ProgressiveGAN:
    torch.manual_seed(seed)
    return ProgressiveGAN(ProgressiveGANConfig(**({"width": 8, "z_dim": 6} | changes)), task)


@pytest.fixture
def batch() -> Batch:
    image = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return Batch(image=image, label=torch.ones(6, 1))


def equal(a: nn.Module, b: nn.Module) -> bool:
    """Whether all of a is in b."""
    theirs = dict(b.named_parameters())
    return all(torch.equal(p, theirs[name]) for name, p in a.named_parameters())


def test_defaults_are_the_published_values():
    """Appendix A.1; Table 2."""
    config, paper = ProgressiveGANConfig(), recipes.paper()
    assert (config.width, config.z_dim, config.first, config.w_gp, config.w_drift) == (512, 512, 4, 10, 1e-3)
    assert (config.lr, config.betas, paper.train.ema_decay, paper.data.size) == (1e-3, (0.0, 0.99), 0.999, 1024)
    used = {size: round(config.minibatch.get(size, 1) * paper.train.batch_size) for size in (4, 128, 256, 512, 1024)}
    assert used == {4: 16, 128: 16, 256: 14, 512: 6, 1024: 3}


def test_every_stage_of_the_paper_shows_800_000_images():
    with torch.device("meta"):
        stages = ProgressiveGAN(recipes.paper().method, Task(domains=("a",), size=1024)).stages(1_464_286)
    assert [stage.name for stage in stages] == [
        "4", "8-fade", "8", "16-fade", "16", "32-fade", "32", "64-fade", "64", "128-fade", "128", "256-fade", "256",
        "512-fade", "512", "1024-fade", "1024",
    ]  # fmt: skip
    used = {"256": 14, "512": 6, "1024": 3}
    for stage in stages:
        shown = stage.steps * used.get(stage.name.removesuffix("-fade"), 16)
        assert shown == pytest.approx(800_000, abs=16)


def test_stages_cover_all_steps_in_the_asked_proportions():
    method = small(fade=0.5, last=3, minibatch={16: 0.5})
    stages = method.stages(1150)  # 1 + (1/2 + 1) + 2 (1/2 + 1) + (1/2 + 3) = 9, of which 16 x 16 twice
    assert [(stage.name, stage.steps) for stage in stages] == [
        ("4", 128), ("8-fade", 64), ("8", 127), ("16-fade", 128), ("16", 256), ("32-fade", 64), ("32", 383),
    ]  # fmt: skip
    for steps in range(1, 30):
        assert sum(stage.steps for stage in method.stages(steps)) == steps
    assert [stage.name for stage in small(first=16).stages(9)] == ["16", "32-fade", "32"]
    assert [(stage.name, stage.steps) for stage in small(first=32).stages(9)] == [("32", 9)]


def test_alpha_is_a_pure_function_of_the_step():
    """Linear, from just above 0 to just below 1 and never at either, where one of two image layers would not learn."""
    found = [faded_in(step, 8) for step in range(8)]
    assert found == [(2 * step + 1) / 16 for step in range(8)]
    assert found[5] == faded_in(5, 8) and 0 < faded_in(0, 1) < 1
    for stage in small().stages(140):
        for phase in stage.phases:
            values = [at(phase.arguments.get("alpha", 1.0), step) for step in range(stage.steps)]
            fading = stage.name.endswith("-fade")
            assert values == ([faded_in(step, stage.steps) for step in range(stage.steps)] if fading else [1] * 20)


def test_the_loop_fades_in_by_the_step_of_the_stage():
    recipe = recipes.tiny()
    data = recipe.data.open("train")
    method, seen = runs.build(recipe, data), []
    losses = method.d_losses
    method.d_losses = lambda level, batch, alpha=1.0: seen.append((level, alpha)) or losses(level, batch, alpha)
    stream, _ = runs.streams(recipe, data, Runtime.start("cpu"))
    fit(method, stream, steps=12, runtime=Runtime.start("cpu"), precision="fp32")
    spans = [(stage.name, stage.steps) for stage in method.stages(12)]
    assert spans == [("8", 2), ("16-fade", 2), ("16", 2), ("32-fade", 2), ("32", 4)]
    fading = [0.25, 0.75]
    expected = [1.0, 1.0, *fading, 1.0, 1.0, *fading, *[1.0] * 4]
    assert seen[-12:] == list(zip([1, 1, 2, 2, 2, 2, *[3] * 6], expected, strict=True))
    assert method.G.grown == 3


def test_a_dry_run_times_every_stage():
    """With the steps that each has in the whole run: a step at the first size says nothing of one at the last."""
    found = plan(recipes.tiny())
    assert [p.stage for p in found.phases[::2]] == ["8", "16-fade", "16", "32-fade", "32"]
    assert found.hours * 3600 == pytest.approx(found.seconds_per_step * found.steps)
    clock = _Clock()
    clock.stages = [Stage(name=name, steps=steps, phases=[]) for name, steps in (("small", 4), ("large", 2))]
    clock.times = [0, 9, 9, 10, 12, 40, 47]
    assert (clock.per_step(0), clock.per_step(1)) == (1.5, 7)


def test_real_images_are_downscaled_and_faded_as_fakes_are(batch):
    """Fig. 2: the mean of a square of pixels; mixed with what the size below would show."""
    method = small()
    means = batch.image.unflatten(3, (16, 2)).unflatten(2, (16, 2)).mean((3, 5))
    torch.testing.assert_close(method.real(batch, 2, 1.0), means)
    below = means.unflatten(3, (8, 2)).unflatten(2, (8, 2)).mean((3, 5))
    below = below.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(method.real(batch, 2, 0.3), 0.3 * means + 0.7 * below)
    assert torch.equal(method.real(batch, 3, 1.0), batch.image)
    assert len(small(minibatch={16: 0.5}).real(batch, 2, 1.0)) == 3 == len(small(minibatch={16: 0.5}).fake(batch, 2, 1))


def test_a_fade_in_is_the_two_branches_mixed(batch):
    """Fig. 2: the generator's two images, and the critic's two features."""
    method, seen = small(), {}
    for name, layer in [*method.G.to_image.items(), ("block", method.D.blocks[1]), *method.D.from_image.items()]:
        key = name if layer not in method.D.from_image.values() else f"from {name}"
        layer.register_forward_hook(lambda _, __, out, key=key: seen.update({key: out}))
    method.D.blocks[0].register_forward_pre_hook(lambda _, inputs: seen.update(entered=inputs[0]))
    y = method.fake(batch, 2, 0.3)
    assert {"8", "16"} == seen.keys()
    mixed = 0.3 * seen["16"] + 0.7 * seen["8"].repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(y, mixed.tanh(), **NEAR)
    method.D(y, 0.3)
    torch.testing.assert_close(seen["from 8"], method.D.from_image["8"](F.avg_pool2d(y, 2)), **NEAR)
    torch.testing.assert_close(seen["entered"], 0.3 * seen["block"] + 0.7 * F.leaky_relu(seen["from 8"], 0.2), **NEAR)


@pytest.mark.parametrize(("level", "alpha"), [(0, 1.0), (2, 0.3), (3, 1.0)])
def test_losses(batch, level, alpha):
    """WGAN-GP; drift is E[D(x)^2] of real images (A.1)."""
    method = small()
    torch.manual_seed(3)
    losses = method.d_losses(level, batch, alpha)
    torch.manual_seed(3)
    y = method.G(torch.randn(6, 6), alpha=alpha, level=level)
    x = method.real(batch, level, alpha)
    real, fake = method.D(x, alpha)[0], method.D(y, alpha)[0]
    mix = torch.rand(6, 1, 1, 1)
    between = (mix * x + (1 - mix) * y).detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(method.D(between, alpha)[0].sum(), between)
    assert losses.keys() == {"gan", "gp", "drift"} and x.shape == y.shape == (6, 3, 4 * 2**level, 4 * 2**level)
    torch.testing.assert_close(losses["gan"], fake.mean() - real.mean())
    torch.testing.assert_close(losses["gp"], ((slope.square().sum((1, 2, 3)).sqrt() - 1) ** 2).mean())
    torch.testing.assert_close(losses["drift"], (real**2).mean())
    torch.manual_seed(3)
    torch.testing.assert_close(method.g_losses(level, batch, alpha), {"gan": -fake.mean()})


def test_full_objective_and_order():
    for stage in small(w_gp=7, w_drift=0.5).stages(70):
        d, g = stage.phases
        assert (d.name, d.every, d.weights) == ("D", 1, {"gan": 1, "gp": 7, "drift": 0.5})
        assert (g.name, g.every, g.weights) == ("G", 1, {"gan": 1})
        assert d.arguments == g.arguments


def test_a_stage_updates_what_has_grown_and_nothing_else(batch):
    """All that the images of the stage go through has a gradient and is updated; what is to come has none."""
    method = small()
    optimizers, stages = method.optimizers(), method.stages(70)
    assert stages[3].name == "16-fade"
    assert stages[3].phases[1].updates == ["G4", "G8", "G16", "G8_image", "G16_image"]
    assert stages[4].phases[0].updates == ["D4", "D8", "D16", "D16_image"]
    for stage in stages:
        for phase, net in zip(stage.phases, (method.D, method.G), strict=True):
            method.zero_grad()
            losses = phase.losses(batch, **{name: at(value, 0) for name, value in phase.arguments.items()})
            sum(losses.values()).backward()
            moved = {p for name in phase.updates for g in optimizers[name].param_groups for p in g["params"]}
            for name, p in net.named_parameters():
                assert (p.grad is not None and bool(p.grad.any())) == (p in moved), f"{name} in {stage.name}"


def test_pictures_on_the_way_are_of_the_size_that_has_grown():
    method = small().eval()
    nets = dict(method.named_children())
    z = torch.randn(2, 6)
    for stage, level in zip(method.stages(70), (0, 0, 1, 1, 2, 2, 3), strict=True):
        if stage.enter:
            stage.enter(None)
        expected = method.G(z, level=level)
        for _ in range(3 - level):
            expected = expected.repeat_interleave(2, 2).repeat_interleave(2, 3)
        torch.testing.assert_close(method.sampler(nets)(z, torch.ones(2, 1)), expected, msg=stage.name)
    torch.testing.assert_close(method.sampler(nets)(z, torch.ones(2, 1)), method.G(z))


def test_transfer_gan_and_mine_gan_start_from_it(batch):
    source, other = small(seed=1), small(seed=2)
    target = TransferGAN(TransferGANConfig(gan=GAN), FACES)
    assert not equal(target.G, source.G)
    target.adopt([source])
    assert equal(target.G, source.G) and equal(target.D, source.D)
    z = torch.randn(3, 6)
    assert torch.equal(target.G(z), source.G(z)) and torch.equal(target.D(batch.image)[0], source.D(batch.image)[0])
    assert set(source.G.state_dict()) - set(target.G.state_dict()) == {
        f"to_image.{size}.{part}" for size in (4, 8, 16) for part in ("weight", "bias")
    }
    method = MineGAN(MineGANConfig(gan=GAN, sources=("a", "b"), miner=(4, 5, 6), pixel_norm=True), FACES)
    method.adopt([source, other])
    assert equal(method.G[0], source.G) and equal(method.G[1], other.G) and equal(method.D, source.D)
    assert method.d_losses(batch).keys() == {"gan", "gp"}
    method.settle(dict(method.named_children()))  # there is nothing to settle
    sampler = Sampler(method.sampler(dict(method.named_children())), FACES)
    assert sampler.generate(sampler.codes([0, 1]), [0, 1]).shape == (2, 3, 32, 32)
    with pytest.raises(ValueError, match=r"the source has gan.width 8, not 4; add --method.gan.width 8"):
        TransferGAN(TransferGANConfig(gan=GAN.model_copy(update={"width": 4})), FACES).adopt([source])


def test_a_conditional_gan_starts_from_it():
    """Cond Concat (thesis 2.4.1): with the new weights at 0 the first layer sees z as before, but for its length."""
    three = Task(domains=("a", "b", "c"), size=32)
    source, target = small(seed=1), TransferGAN(TransferGANConfig(gan=GAN), three)
    target.adopt([source])
    assert torch.equal(target.G.input.weight[:, :6], source.G.input.weight)
    assert target.G.input.weight.shape == (128, 9) and target.D.aux.weight.shape == (3, 8)
    target.G.input.weight.data[:, 6:] = 0
    z = 1e3 * torch.randn(4, 6)  # beside which the code is short
    torch.testing.assert_close(target.G(z, torch.eye(3)[[0, 1, 2, 0]]), source.G(z), rtol=1e-3, atol=1e-3)


def test_a_run_starts_from_a_saved_one(tmp_path):
    recipe = recipes.tiny()
    source = runs.build(recipe, recipe.data.open("train"))
    source.stages(6)[-1].enter(None)
    save_model(tmp_path / "model", source, dict(source.named_children()), {})
    z = torch.randn(2, 8)
    torch.testing.assert_close(load_sampler(tmp_path / "model").core(z, torch.ones(2, 1)), source.G(z), **NEAR)
    mine = mine_recipes.paper_progressive()
    gan = mine.method.gan.model_copy(update={"width": 16, "z_dim": 8})
    changed = mine.method.model_copy(update={"gan": gan, "miner": (4, 8), "sources": (tmp_path / "model",)})
    target = runs.build(mine.model_copy(update={"method": changed}), recipe.data.open("train"))
    assert equal(target.G[0], source.G) and equal(target.D, source.D)


def test_mining_at_the_published_size():
    """Thesis A.2.1."""
    recipe = mine_recipes.paper_progressive()
    config = recipe.method
    assert (config.miner, config.pixel_norm) == ((8, 64, 128, 256, 512), True)
    assert (config.lr, config.betas, recipe.train.batch_size, recipe.data.size) == (1.5e-3, (0.0, 0.99), 4, 1024)
    assert config.gan == ProgressiveGANConfig().gan
    with torch.device("meta"):
        method = MineGAN(config, Task(domains=("images",), size=1024))
        source = ProgressiveGAN(ProgressiveGANConfig(), Task(domains=("images",), size=1024))
    count = {name: sum(p.numel() for p in net.parameters()) for name, net in method.named_children()}
    assert (round(count["G"] / 1e6, 1), round(count["D"] / 1e6, 1), count["M"]) == (23.1, 23.1, 173_504)
    assert {key: value.shape for key, value in method.G[0].state_dict().items()}.items() <= {
        key: value.shape for key, value in source.G.state_dict().items()
    }.items()


@pytest.mark.parametrize(
    ("task", "changes", "message"),
    [
        (Task(domains=("a", "b"), size=32), {}, r"makes images of one kind, got 2 domains \(a, b\)"),
        (Task(domains=("a",), size=48), {}, "size 48 must be a power of 2"),
        (FACES, {"first": 64}, "the first size 64 must be a power of 2 from 4 to 32"),
        (FACES, {"first": 12}, "the first size 12 must be a power of 2 from 4 to 32"),
        (Task(domains=("a",), size=1024), {}, r"with enough width \(8\) to halve"),
    ],
)
def test_images_that_it_cannot_make_are_refused(task, changes, message):
    with pytest.raises(ValueError, match=message):
        small(task, **changes)


def test_a_share_of_nothing_is_refused():
    with pytest.raises(ValidationError, match="minibatch must be shares of a batch"):
        ProgressiveGANConfig(minibatch={64: 0})
