"""MineGAN against thesis chapter 3: Eqs. 3.3 to 3.6, supersamples, the selector, the two stages."""

import pytest
import torch
from pydantic import ValidationError

from dragoman import run as runs
from dragoman.data.batch import Batch, Task
from dragoman.inference.sampler import Sampler
from dragoman.methods.mine_gan import MINIBATCHES, MineGAN, MineGANConfig, Selector
from dragoman.methods.transfer_gan import TransferGAN, TransferGANConfig
from dragoman.nets.gan import RANDOM, GANConfig
from dragoman.nn.statistics_norm import BatchNorm
from dragoman.recipes import mine_gan as recipes

GAN = GANConfig(network="wgan_mnist", width=2, z_dim=6)
TARGET = Task(domains=("images",), size=28, channels=1)
DIGITS = Task(domains=("0", "1", "2"), size=28, channels=1)


def small(sources: int = 1, labels: int = 0, **changes) -> MineGAN:
    torch.manual_seed(0)
    config = MineGANConfig(gan=GAN, sources=(RANDOM,) * sources, labels=labels, miner=(4, 5, 6), **changes)
    method = MineGAN(config, TARGET)
    for p in method.parameters():
        torch.nn.init.normal_(p, 0.02, 0.3)
    return method


@pytest.fixture
def batch() -> Batch:
    image = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return Batch(image=image, label=torch.ones(8, 1))


def test_defaults_are_the_published_values_of_mnist():
    config = MineGANConfig()
    assert (config.miner, config.lr, config.betas, config.gan.z_dim) == ((128, 128, 128), 4e-4, (0.5, 0.999), 128)
    assert (config.n_critic, config.w_gp, config.pixel_norm) == (5, 10, False)
    paper = recipes.paper()
    assert (paper.train.batch_size, paper.data.images, len(paper.data.digits)) == (64, 1000, 1)


def test_published_values_of_sngan_and_biggan():
    """A.2.1: miners 8-32-64-128, and 128-128-128-128-120 and 128; D of BigGAN learns four times as fast."""
    sngan, biggan = recipes.paper_sngan(), recipes.paper_biggan()
    assert (sngan.method.miner, sngan.method.lr, sngan.method.betas) == ((8, 32, 64, 128), 2e-4, (0, 0.9))
    assert (sngan.train.batch_size, biggan.train.batch_size) == (8, 256)
    assert (biggan.method.miner, biggan.method.miner_c) == ((128, 128, 128, 128, 120), (128,) * 5)
    with torch.device("meta"):
        method = MineGAN(biggan.method, Task(domains=("images",), size=128))
    assert method.G[0].attend is not None
    rates = {name: optimizer.param_groups[0]["lr"] for name, optimizer in method.optimizers().items()}
    assert rates == {"M": 1e-4, "G": 1e-4, "D": 4e-4}
    assert {o.param_groups[0]["lr"] for o in small(lr=3e-4).optimizers().values()} == {3e-4}


@pytest.mark.parametrize(("sources", "labels"), [(1, 0), (3, 0), (1, 3)])
def test_losses_take_the_best_of_each_supersample(batch, sources, labels):
    """Eqs. 3.5 and 3.6, which with one generator are Eqs. 3.3 and 3.4; the penalty is of the winners."""
    method, family = small(sources, labels), labels or sources
    torch.manual_seed(3)
    losses = method.d_losses(batch)
    torch.manual_seed(3)
    u = torch.randn(family, 8, 4)
    images = []
    for i in range(family):
        z = method.M[i](u[i])
        images.append(method.G[0](z, torch.eye(3)[i].expand(8, -1)) if labels else method.G[i](z))
    values = torch.stack([method.D(y)[0] for y in images])
    best = values.max(0).values
    torch.testing.assert_close(losses["gan"], best.mean() - method.D(batch.image)[0].mean())
    chosen = torch.stack([images[i][k] for k, i in enumerate(values.argmax(0).tolist())])
    mix = torch.rand(8, 1, 1, 1)
    between = (mix * batch.image + (1 - mix) * chosen).detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(method.D(between)[0].sum(), between)
    torch.testing.assert_close(losses["gp"], ((slope.square().sum((1, 2, 3)).sqrt() - 1) ** 2).mean())
    torch.manual_seed(3)
    torch.testing.assert_close(method.g_losses(batch)["gan"], -best.mean())
    wins = torch.bincount(values.argmax(0), minlength=family) / 8
    torch.testing.assert_close(method.selector.probabilities(), wins)
    assert method.selector.count == 2  # the critic's minibatch and the miner's


def test_only_the_winners_learn(batch):
    method = small(2)
    with torch.no_grad():  # the critic sees nothing but the second generator's advantage
        for p in method.D.parameters():
            p.fill_(0.01)
        method.G[0].up3.bias.fill_(-5)
        method.G[1].up3.bias.fill_(5)
    method.g_losses(batch)["gan"].backward()
    assert method.selector.probabilities().tolist() == [0, 1]
    assert all(p.grad is None or not p.grad.any() for p in [*method.M[0].parameters(), *method.G[0].parameters()])
    assert any(p.grad is not None and p.grad.any() for p in method.M[1].parameters())


def test_the_selector_averages_the_last_thousand_minibatches():
    selector = Selector(3)
    assert selector.probabilities().tolist() == pytest.approx([1 / 3] * 3)
    selector.record(torch.tensor([0, 0, 1, 2]))
    selector.record(torch.tensor([0, 0, 0, 0]))
    assert selector.probabilities().tolist() == [0.75, 0.125, 0.125]
    for _ in range(MINIBATCHES):
        selector.record(torch.tensor([2, 2, 1, 2]))
    assert selector.probabilities().tolist() == pytest.approx([0, 0.25, 0.75])
    again = Selector(3)
    again.load_state_dict(selector.state_dict())
    torch.testing.assert_close(again.probabilities(), selector.probabilities())


def test_mining_with_fixed_generators_then_fine_tuning():
    mine, tune = small(mining=0.25, n_critic=3, w_gp=7).stages(100)
    assert (mine.name, mine.steps, tune.name, tune.steps) == ("mine", 25, "finetune", 75)
    assert [(p.updates, p.every, p.weights) for p in mine.phases] == [
        (["D"], 1, {"gan": 1, "gp": 7}), (["M"], 3, {"gan": 1}),
    ]  # fmt: skip
    assert [(p.updates, p.every) for p in tune.phases] == [(["D"], 1), (["M", "G"], 3)]
    without = small(mining=1.0)
    assert [stage.name for stage in without.stages(100)] == ["mine"]
    assert without.frozen == ("G",) and set(without.optimizers()) == {"M", "D"}


def source(seed: int, task: Task = TARGET, **changes) -> TransferGAN:
    torch.manual_seed(seed)
    return TransferGAN(TransferGANConfig(gan=GAN.model_copy(update=changes)), task)


def equal(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    theirs = dict(b.named_parameters())
    return all(torch.equal(p, theirs[name]) for name, p in a.named_parameters())


def test_sources_give_their_generators_and_the_first_its_critic():
    method, first, second = small(2), source(1), source(2)
    method.adopt([first, second])
    assert equal(method.G[0], first.G) and equal(method.G[1], second.G) and equal(method.D, first.D)
    conditional, method = source(3, DIGITS), small(labels=3)
    method.adopt([conditional])
    assert equal(method.G[0], conditional.G) and equal(method.D, conditional.D)


def test_sources_that_do_not_fit_are_refused(batch):
    with pytest.raises(ValueError, match=r"the source has 3 labels, not 0; add --method.labels 3"):
        small().adopt([source(1, DIGITS)])
    with pytest.raises(ValueError, match=r"the source has gan.width 4, not 2; add --method.gan.width 4"):
        small().adopt([source(1, width=4)])
    with pytest.raises(ValueError, match=r"mines for one target, got 3 domains \(0, 1, 2\)"):
        MineGAN(MineGANConfig(gan=GAN, miner=(4, 6)), DIGITS)
    with pytest.raises(ValidationError, match=r"miner \(4, 5\) must end with gan.z_dim, 6"):
        MineGANConfig(gan=GAN, miner=(4, 5))
    with pytest.raises(ValidationError, match="name one source, or labels 0"):
        MineGANConfig(gan=GAN, miner=(4, 6), labels=2, sources=(RANDOM, RANDOM))
    recipe = recipes.tiny()
    nothing = recipe.model_copy(update={"method": recipe.method.model_copy(update={"sources": ()})})
    with pytest.raises(ValueError, match=r"mines pretrained generators: name .* --method.sources DIR"):
        runs.build(nothing, recipe.data.open("train"))


def test_samples_come_from_the_generators_as_often_as_the_selector_says():
    method = small(2)
    with torch.no_grad():
        method.G[0].up3.bias.fill_(-50)  # black and white, whatever the noise
        method.G[1].up3.bias.fill_(50)
    for _ in range(3):
        method.selector.record(torch.tensor([0, 0, 0, 1]))
    sampler = Sampler(method.sampler(dict(method.named_children())), TARGET)
    seeds = list(range(400))
    white = (sampler.generate(sampler.codes(seeds), seeds).mean((1, 2, 3)) > 0).float()
    assert white.mean().item() == pytest.approx(0.25, abs=0.06)
    alone = sampler.generate(sampler.codes([7]), [7])
    assert (alone.mean() > 0).item() == bool(white[7])
    method = small(2)  # and each image is its own noise's
    sampler = Sampler(method.sampler(dict(method.named_children())), TARGET)
    noise = torch.cat([sampler.core.sample_noise(1, torch.Generator().manual_seed(seed)) for seed in range(6)])
    images = sampler.generate(sampler.codes(range(6)), list(range(6)))
    for u, image in zip(noise, images, strict=True):
        i = int(u[-1] >= 0.5)
        torch.testing.assert_close(method.G[i](method.M[i](u[None, :-1]))[0], image, rtol=1e-4, atol=1e-5)


def test_labels_are_normalised_together_and_sampled_as_they_were_trained():
    """Batch norm is by the batch of all labels, while G is fixed too; sampling uses statistics of such batches."""
    torch.manual_seed(0)
    gan = GANConfig(network="wgan_resnet", width=4, z_dim=6)
    method = MineGAN(MineGANConfig(gan=gan, sources=(RANDOM,), labels=3, miner=(4, 6)), TARGET.model_copy(
        update={"size": 32}))  # fmt: skip
    with torch.no_grad():
        for layer in method.G.modules():
            if isinstance(layer, BatchNorm) and layer.classes:
                layer.bias.copy_(torch.arange(3.0)[:, None].expand_as(layer.bias))  # labels differ
        method.G.eval()
        torch.manual_seed(3)
        y = method.supersamples(200, torch.device("cpu"))
        assert all(layer.training for layer in method.G.modules() if isinstance(layer, BatchNorm))
        method.settle(dict(method.named_children()))
        core = method.sampler(dict(method.named_children())).eval()
        torch.manual_seed(3)
        u = torch.randn(3, 200, 4)
        for i in range(3):
            method.selector.shares.zero_()[0, i] = 1
            method.selector.count.fill_(1)
            alone = core(torch.cat([u[i], torch.full((200, 1), 0.5)], 1), torch.ones(200, 1))
            assert (alone - y[i]).abs().mean() < 0.1 * y[i].std()


def test_each_of_several_generators_has_its_own_statistics():
    gan = GANConfig(network="wgan_resnet", width=4, z_dim=6)
    method = MineGAN(MineGANConfig(gan=gan, sources=(RANDOM,) * 2, miner=(4, 6)), TARGET.model_copy(
        update={"size": 32}))  # fmt: skip
    with torch.no_grad():
        y = method.supersamples(200, torch.device("cpu"))
        method.settle(dict(method.named_children()))
        for i in range(2):
            norms = [layer for layer in method.G[i].modules() if isinstance(layer, BatchNorm)]
            assert norms and all(layer.count > 0 for layer in norms)
        core = method.sampler(dict(method.named_children())).eval()
        u = core.sample_noise(400, torch.Generator().manual_seed(0))
        made, second = core(u, torch.ones(400, 1)), u[:, -1] >= 0.5
        for i, own in enumerate((made[~second], made[second])):
            assert (own.mean() - y[i].mean()).abs() < 0.1 * y[i].std()
            assert own.std() == pytest.approx(y[i].std().item(), rel=0.1)


def test_a_biggan_is_mined_for_noise_and_class_embedding():
    """Fig. 3.2: G(M^c(u), M^z(u)); the discriminator does without the projection (A.2.1)."""
    torch.manual_seed(0)
    gan = GANConfig(network="biggan", width=2, z_dim=8, embed_dim=5)
    config = MineGANConfig(gan=gan, sources=(RANDOM,), labels=3, miner=(4, 8), miner_c=(4, 5))
    method = MineGAN(config, Task(domains=("images",), size=32)).eval()
    b = Batch(image=torch.rand(6, 3, 32, 32) * 2 - 1, label=torch.ones(6, 1))
    torch.manual_seed(3)
    losses = method.d_losses(b)
    torch.manual_seed(3)
    u = torch.randn(1, 6, 4)[0]
    y = method.G[0](method.M[0](u), embedding=method.C[0](u))
    expected = (1 - method.D(b.image)[0]).relu().mean() + (1 + method.D(y)[0]).relu().mean()
    assert losses.keys() == {"gan"}
    torch.testing.assert_close(losses["gan"], expected)
    method.g_losses(b)["gan"].backward()
    assert all(p.grad is not None and p.grad.any() for p in [*method.M.parameters(), *method.C.parameters()])
    source = TransferGAN(TransferGANConfig(gan=gan), Task(domains=("a", "b", "c"), size=32))
    method.adopt([source])
    assert equal(method.G[0], source.G)
    assert torch.equal(method.D.blocks[0].conv1.parametrizations.weight.original,
                       source.D.blocks[0].conv1.parametrizations.weight.original)  # fmt: skip
    with torch.no_grad():
        method.settle(dict(method.named_children()))
    sampler = Sampler(method.sampler(dict(method.named_children())), method.task)
    assert sampler.generate(sampler.codes([0, 1]), [0, 1]).shape == (2, 3, 32, 32)
    with pytest.raises(ValidationError, match=r"miner_c \(4, 6\) must lead from miner's 4 to gan.embed_dim, 5"):
        MineGANConfig(gan=gan, miner=(4, 8), miner_c=(4, 6))
    with pytest.raises(ValidationError, match=r"miner_c is for gan.network biggan"):
        MineGANConfig(gan=GAN, miner=(4, 6), miner_c=(4, 5))
