"""DGN-AM: the ascent against its formula, the class that it reaches, and what it starts from."""

import pytest
import torch
from torch.nn import functional as F

from dragoman import run as runs
from dragoman.data.batch import Batch, Task
from dragoman.inference.sampler import Sampler
from dragoman.methods.dgn_am import DGNAM, DGNAMConfig
from dragoman.methods.transfer_gan import TransferGAN, TransferGANConfig
from dragoman.nets.gan import RANDOM, GANConfig
from dragoman.recipes import dgn_am as recipes

GAN = GANConfig(network="wgan_mnist", width=2, z_dim=6)
DIGITS = Task(domains=("0", "1", "2"), size=28, channels=1)


def small(**changes) -> DGNAM:
    """Networks whose answers differ with the code."""
    torch.manual_seed(0)
    method = DGNAM(DGNAMConfig(gan=GAN, source=RANDOM, **({"width": 4} | changes)), DIGITS)
    for p in method.parameters():
        torch.nn.init.normal_(p, 0.02, 0.3)
    return method.eval().requires_grad_(False)


def core(method: DGNAM):
    return method.sampler(dict(method.named_children()))


def log_p(method: DGNAM, z: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    """By hand: log softmax of the logits, at the wanted class, [N]."""
    logits = method.C(method.G(z))
    return (logits - logits.exp().sum(1, keepdim=True).log())[c.bool()]


def test_defaults_are_the_published_values():
    config = DGNAMConfig()
    assert (config.iterations, config.decay, config.bound) == (200, 0.01, 3)
    assert recipes.paper().method == config


def test_an_update_is_the_formula():
    """z <- (1 - decay) clip(z + step (1 - t / T) d log p(c | G(z)) / dz)."""
    method = small(iterations=4, step=2.5, decay=0.2, bound=0.9)
    torch.manual_seed(1)
    z, c = torch.randn(5, 6), torch.eye(3)[[0, 1, 2, 0, 1]]
    for t in range(4):
        leaf = z.clone().requires_grad_(True)
        slope = torch.stack([torch.autograd.grad(log_p(method, leaf, c)[i], leaf)[0][i] for i in range(5)])
        expected = (1 - 0.2) * (z + 2.5 * (1 - t / 4) * slope).clamp(-0.9, 0.9)
        with torch.no_grad():  # as in a sampler
            found = core(method).update(z, c, t)
        torch.testing.assert_close(found, expected)
        assert (found - z).abs().max() > 1e-2 and not found.requires_grad
        assert t or (found.abs().max() - 0.8 * 0.9).abs() < 1e-6  # the bound is met at the start
        z = found
    torch.manual_seed(1)
    with torch.no_grad():
        torch.testing.assert_close(core(method)(torch.randn(5, 6), c), method.G(z))


def test_the_slope_is_that_of_finite_differences():
    method = small().double()
    z, c = torch.randn(2, 6, dtype=torch.float64), torch.eye(3, dtype=torch.float64)[[2, 0]]
    x, slope = core(method).climb(z, c)
    torch.testing.assert_close(x, method.G(z))
    for k in range(6):
        h = 1e-5 * torch.eye(6, dtype=torch.float64)[k]
        # The probability is in fp32, whatever the networks are in.
        rise = (log_p(method, z + h, c) - log_p(method, z - h, c)) / 2e-5
        torch.testing.assert_close(slope[:, k], rise, rtol=1e-3, atol=1e-5)


def test_the_probability_of_the_class_grows_with_the_iterations():
    codes, u = torch.eye(3).repeat(8, 1), torch.randn(24, 6, generator=torch.Generator().manual_seed(2))
    found = []
    for iterations in (1, 5, 25):
        method = small(iterations=iterations, decay=0, step=0.5)
        with torch.no_grad():
            x = core(method)(u, codes)
            found.append((method.C(x).log_softmax(1) * codes).sum(1).mean().item())
            before = log_p(method, u, codes).mean().item()
    assert before < found[0] < found[1] < found[2]


def test_each_class_is_reached_from_any_seed():
    """Images are bright on the left or on the right, by the sign of z's first entry; so says a linear classifier."""
    ramp = torch.linspace(-1, 1, 28).expand(1, 1, 28, 28)

    class Sides(torch.nn.Module):
        def forward(self, z, c):
            return torch.tanh(z[:, :1, None, None] * ramp)

    judge = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 2))
    with torch.no_grad():
        judge[1].weight.copy_(torch.stack([-ramp.flatten(), ramp.flatten()]) / 50)
        judge[1].bias.zero_()
    method = small(iterations=30, step=1)
    nets = dict(method.named_children()) | {"G": Sides(), "C": judge}
    sampler = Sampler(method.sampler(nets), Task(domains=("left", "right"), size=28, channels=1))
    seeds = list(range(20))
    for label, sign in (("left", -1), ("right", 1)):
        made = sampler.generate(sampler.codes(seeds, label), seeds)
        assert (made[:, 0, :, -1].mean(1) * sign > 0.5).all()


def test_seeds_alone_decide_and_neither_parameters_nor_modes_change():
    method = small(iterations=3)
    sampler, seeds = Sampler(core(method), DIGITS), [4, 9, 4]
    before = {name: value.clone() for name, value in method.state_dict().items()}
    images = sampler.generate(sampler.codes(seeds, "1"), seeds)
    assert torch.equal(images[0], images[2]) and not torch.equal(images[0], images[1])
    alone = sampler.generate(sampler.codes([9], "1"), [9])
    torch.testing.assert_close(alone[0], images[1], rtol=0, atol=1e-5)
    assert not torch.allclose(alone, sampler.generate(sampler.codes([9], "2"), [9]))
    assert all(torch.equal(before[name], value) for name, value in method.state_dict().items())
    assert all(p.grad is None for p in method.parameters())


def test_the_loss_is_the_cross_entropy_of_the_classifier():
    method = small()
    batch = Batch(image=torch.rand(5, 1, 28, 28) * 2 - 1, label=torch.eye(3)[[0, 1, 2, 0, 1]])
    p = method.C(batch.image).softmax(1)
    expected = -p[range(5), [0, 1, 2, 0, 1]].log().mean()
    losses = method.c_losses(batch)
    assert losses.keys() == {"cls"}
    torch.testing.assert_close(losses["cls"], expected)
    torch.testing.assert_close(losses["cls"], F.cross_entropy(method.C(batch.image), batch.label))


def test_one_stage_trains_the_classifier_alone():
    method = small(lr=2e-3, betas=(0.5, 0.9))
    (stage,) = method.stages(100)
    (phase,) = stage.phases
    assert (stage.steps, phase.updates, phase.weights) == (100, ["C"], {"cls": 1})
    assert [phase.lr(step) for step in (0, 49, 75, 100)] == [1, 1, 0.5, 0]
    assert method.frozen == ("G",) and method.optimizers().keys() == {"C"}
    (group,) = method.optimizers()["C"].param_groups
    assert (group["lr"], group["betas"]) == (2e-3, (0.5, 0.9))


def source(domains: tuple[str, ...] = ("digits",), **changes) -> TransferGAN:
    torch.manual_seed(7)
    return TransferGAN(
        TransferGANConfig(gan=GAN.model_copy(update=changes)), Task(domains=domains, size=28, channels=1)
    )


def test_the_source_gives_its_generator():
    method, given = small(), source()
    method.adopt([given])
    theirs = given.G.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in method.G.state_dict().items())


def test_a_biggan_of_one_domain_is_a_source():
    gan = GANConfig(network="biggan", width=2, z_dim=8, embed_dim=4)
    task = Task(domains=("a", "b"), size=32)
    torch.manual_seed(0)
    method = DGNAM(DGNAMConfig(gan=gan, source=RANDOM, iterations=2, width=2), task)
    method.adopt([TransferGAN(TransferGANConfig(gan=gan), Task(domains=("images",), size=32))])
    sampler = Sampler(core(method), task)
    assert sampler.generate(sampler.codes([0, 1]), [0, 1]).shape == (2, 3, 32, 32)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"makes 2 domains by their labels; take an unconditional one"):
        small().adopt([source(("0", "1"))])
    with pytest.raises(ValueError, match=r"the source has gan.width 4, not 2; add --method.gan.width 4"):
        small().adopt([source(width=4)])
    with pytest.raises(ValueError, match=r"must be a GAN, got Nguyen"):
        small().adopt([small()])
    with pytest.raises(ValueError, match=r"needs domains, got attributes \(a, b\)"):
        DGNAM(DGNAMConfig(gan=GAN), Task(domains=("a", "b"), exclusive=False, size=28, channels=1))
    with pytest.raises(ValueError, match="two or more domains, got a alone"):
        DGNAM(DGNAMConfig(gan=GAN), Task(domains=("a",), size=28, channels=1)).sources()
    recipe = recipes.tiny()
    nothing = recipe.model_copy(update={"method": recipe.method.model_copy(update={"source": None})})
    with pytest.raises(ValueError, match=r"name its model folder with --method.source DIR"):
        runs.build(nothing, recipe.data.open("train"))
