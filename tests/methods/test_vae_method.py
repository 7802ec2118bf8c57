"""VAE against Kingma and Welling 2014: the two terms of the bound, both networks, codes beside image and noise."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from dragoman import run as runs
from dragoman.data.batch import Batch, Task
from dragoman.inference.sampler import Sampler
from dragoman.methods.vae import VAE, Decoder, Encoder, VAEConfig, kl_normal
from dragoman.nets import wgan_mnist
from dragoman.recipes import vae as recipes

ONE = Task(domains=("images",), size=32)
THREE = Task(domains=("a", "b", "c"), size=28, channels=1)


def small(task: Task, **changes) -> VAE:
    torch.manual_seed(0)
    return VAE(VAEConfig(width=4, z_dim=6, **changes), task)


def batch(task: Task) -> Batch:
    image = torch.rand(5, task.channels, task.size, task.size, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return Batch(image=image, label=torch.eye(len(task.domains))[torch.arange(5) % len(task.domains)])


def test_defaults():
    assert VAEConfig().model_dump() == {
        "width": 64, "z_dim": 128, "variance": 0.4, "lr": 5e-4, "betas": (0.9, 0.999),
    }  # fmt: skip
    paper = recipes.paper()
    assert (paper.train.batch_size, paper.data.images, paper.data.digits) == (100, 1000, (9,))


@pytest.mark.parametrize("task", [ONE, THREE])
def test_losses(task):
    """The bound is E[log p(x | z)] - KL(q(z | x) | N(0, I)), with one draw of z."""
    method, b = small(task), batch(task)
    torch.manual_seed(3)
    losses = method.losses(b)
    torch.manual_seed(3)
    mean, log_variance = method.E(b.image, b.label)
    posterior = Normal(mean, log_variance.exp().sqrt())
    z = mean + posterior.stddev * torch.randn(5, 6)
    y = method.G(z, b.label)
    torch.testing.assert_close(losses["kl"], kl_divergence(posterior, Normal(0.0, 1.0)).sum(1).mean())
    torch.testing.assert_close(losses["rec"], ((b.image - y) ** 2 / 2).sum((1, 2, 3)).mean())


@pytest.mark.parametrize("variance", [0.1, 0.5])
def test_full_objective_is_the_negative_bound(variance):
    """Up to the constant of the Gaussian: log N(x; y, variance) summed over pixels and channels."""
    method, b = small(ONE, variance=variance), batch(ONE)
    (stage,) = method.stages(100)
    (phase,) = stage.phases
    assert (stage.steps, phase.updates, phase.weights["kl"]) == (100, ["VAE"], 1)
    torch.manual_seed(3)
    losses = method.losses(b)
    torch.manual_seed(3)
    mean, log_variance = method.E(b.image, b.label)
    y = method.G(mean + (log_variance / 2).exp() * torch.randn(5, 6), b.label)
    p = Normal(y, variance**0.5)
    relative = (p.log_prob(b.image) - p.log_prob(y)).sum((1, 2, 3)).mean()
    torch.testing.assert_close(phase.weights["rec"] * losses["rec"], -relative, rtol=1e-4, atol=1e-4)


def test_kl_is_0_for_the_prior_alone():
    zeros = torch.zeros(3, 4)
    assert kl_normal(zeros, zeros) == 0
    assert kl_normal(zeros + 0.5, zeros).item() == pytest.approx(4 * 0.25 / 2)
    assert kl_normal(zeros, zeros - 1) > 0 and kl_normal(zeros, zeros + 1) > 0


def test_published_layers(layer_table):
    """The decoder is MineGAN's generator of digits (thesis A.2.1), the encoder its mirror image."""
    config, task = recipes.paper().method, recipes.paper().data.task
    method = VAE(config, task)
    c = torch.ones(1, 1)
    assert layer_table(method.E, torch.zeros(1, 1, 28, 28), c) == [
        "conv 5 s2 p2 1-64 @14", "conv 5 s2 p2 64-128 @7", "conv 5 s2 p2 128-256 @4", "fc 4096-256",
    ]  # fmt: skip
    assert layer_table(method.G, torch.zeros(1, 128), c) == [
        "fc 128-4096", "up 5 s2 p2 256-128 @8", "up 5 s2 p2 128-64 @14", "up 5 s2 p2 64-1 @28",
    ]  # fmt: skip
    counts = {name: sum(p.numel() for p in net.parameters()) for name, net in method.named_children()}
    assert counts == {"E": 2_074_880, "G": 1_554_177}
    theirs = wgan_mnist.Generator(1, 64, 128)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), method.G.state_dict().values(), strict=True)))
    z = torch.randn(3, 128)
    torch.testing.assert_close(method.G(z, c), theirs(z))


@pytest.mark.parametrize(("size", "first"), [(28, 16), (32, 16), (64, 32)])
def test_sizes(size, first):
    """Down to 4 x 4 and back; the most channels are those there."""
    encoder, decoder = Encoder(3, size, 4, 6), Decoder(3, size, 4, 6)
    mean, log_variance = encoder(torch.zeros(2, 3, size, size), torch.ones(2, 1))
    assert mean.shape == log_variance.shape == (2, 6)
    assert decoder(mean, torch.ones(2, 1)).shape == (2, 3, size, size)
    assert encoder.output.in_features == decoder.input.out_features == 16 * first


@pytest.mark.parametrize("size", [16, 30, 128])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match=f"size {size} must be 28, 32 or 64"):
        VAE(VAEConfig(), Task(domains=("images",), size=size))
    with pytest.raises(ValueError, match="needs domains, got attributes"):
        VAE(VAEConfig(), Task(domains=("a", "b"), exclusive=False, size=28))


def test_several_domains_are_told_to_both_networks_and_one_to_none():
    method, b, z = small(THREE), batch(THREE), torch.randn(5, 6)
    other = b.label.roll(1, 1)
    assert not torch.allclose(method.E(b.image, b.label)[0], method.E(b.image, other)[0])
    assert not torch.allclose(method.G(z, b.label), method.G(z, other))
    assert (method.E.convs[0].in_channels, method.G.input.in_features) == (4, 9)
    method, b = small(ONE), batch(ONE)
    assert torch.equal(method.E(b.image, b.label)[0], method.E(b.image, 0 * b.label)[0])
    assert torch.equal(method.G(z, b.label), method.G(z, 0 * b.label))


def test_samples_are_the_decoder_of_normal_noise():
    method = small(THREE).eval()
    core = method.sampler(dict(method.named_children()))
    noise = core.sample_noise(4000, torch.Generator().manual_seed(0))
    assert noise.shape == (4000, 6) and noise.std().item() == pytest.approx(1, abs=0.02)
    c = torch.eye(3)
    with torch.no_grad():
        torch.testing.assert_close(core(noise[:3], c), method.G(noise[:3], c))
    sampler = Sampler(core, THREE)
    together = sampler.generate(sampler.codes([0, 1, 2]), [0, 1, 2])
    torch.testing.assert_close(sampler.generate(sampler.codes([1]), [1])[0], together[1], rtol=1e-4, atol=1e-5)


def test_every_recipe_can_be_built():
    for recipe in (recipes.digits, recipes.digits_conditional, recipes.folder, recipes.tiny, recipes.paper):
        made = recipe()
        assert made.recipe == f"vae.{recipe.__name__}"
        VAE(made.method, made.data.task if hasattr(made.data, "task") else Task(domains=("a",), size=made.data.size))
    assert runs.build(recipes.tiny(), recipes.tiny().data.open("train")).G.classes == 2
