"""TransferGAN against thesis chapter 2: Eqs. 2.3 to 2.8, the four configurations, conditional transfer."""

from pathlib import Path

import pytest
import torch

from dragoman import run as runs
from dragoman.data.batch import Batch, Task
from dragoman.inference.sampler import Sampler
from dragoman.methods.transfer_gan import TransferGAN, TransferGANConfig
from dragoman.model import save_model
from dragoman.nets.gan import GANConfig
from dragoman.recipes import transfer_gan as recipes

ONE = Task(domains=("images",), size=32)
THREE = Task(domains=("a", "b", "c"), size=32)


def small(task: Task = ONE, seed: int = 0, condition: str = "bnorm", **changes) -> TransferGAN:
    torch.manual_seed(seed)
    gan = GANConfig(width=4, z_dim=6, condition=condition)
    method = TransferGAN(TransferGANConfig(gan=gan, **changes), task)
    for p in method.parameters():
        torch.nn.init.normal_(p, 0.1, 0.2)
    return method


def batch(task: Task) -> Batch:
    image = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return Batch(image=image, label=torch.eye(len(task.domains))[torch.arange(5) % len(task.domains)])


def test_defaults_are_the_published_values():
    assert TransferGANConfig().model_dump() == {
        "gan": {"network": "wgan_resnet", "width": 64, "z_dim": 128, "condition": "bnorm", "embed_dim": 128,
                "attention": 0},
        "source": None,
        "transfer": "both", "n_critic": 5, "w_gp": 10, "w_cls_d": 1, "w_cls_g": 1, "lr": 1e-4, "lr_d": None,
        "betas": (0.0, 0.9),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("recipe", "size", "batch_size", "updates", "lr", "lr_d", "betas"),
    [
        (recipes.paper(), 64, 64, 40_000, 1e-4, 1e-4, (0, 0.9)),
        (recipes.paper_conditional(), 64, 64, 25_000, 1e-4, 1e-4, (0, 0.9)),
        (recipes.paper_sngan(), 128, 64, 450_000, 2e-4, 2e-4, (0, 0.9)),
        (recipes.paper_biggan(), 128, 2048, 200_000, 5e-5, 2e-4, (0, 0.999)),
    ],
)
def test_published_settings(recipe, size, batch_size, updates, lr, lr_d, betas):
    """Of the recipes, and as the optimizers take them; updates are G's."""
    assert (recipe.data.size, recipe.train.batch_size) == (size, batch_size)
    assert recipe.train.steps / recipe.method.n_critic == updates
    c = recipe.method
    found = small(lr=c.lr, lr_d=c.lr_d, betas=c.betas).optimizers()
    assert {name: (o.defaults["lr"], o.defaults["betas"]) for name, o in found.items()} == {
        "G": (lr, betas), "D": (lr_d, betas),
    }  # fmt: skip


@pytest.mark.parametrize("task", [ONE, THREE])
def test_losses_of_the_critic(task):
    """Eqs. 2.3 and 2.8."""
    method, b = small(task), batch(task)
    torch.manual_seed(3)
    losses = method.d_losses(b)
    torch.manual_seed(3)
    c = torch.eye(len(task.domains))[torch.randint(len(task.domains), (5,))]
    fake = method.G(torch.randn(5, 6), c)
    torch.testing.assert_close(losses["gan"], method.D(fake)[0].mean() - method.D(b.image)[0].mean())
    mix = torch.rand(5, 1, 1, 1)
    between = (mix * b.image + (1 - mix) * fake).detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(method.D(between)[0].sum(), between)
    torch.testing.assert_close(losses["gp"], ((slope.square().sum((1, 2, 3)).sqrt() - 1) ** 2).mean())
    assert ("cls" in losses) == (task is THREE)
    if task is THREE:
        chosen = (method.D(b.image)[1].log_softmax(1) * b.label).sum(1)
        torch.testing.assert_close(losses["cls"], -chosen.mean())


@pytest.mark.parametrize("task", [ONE, THREE])
def test_losses_of_the_generator(task):
    """Eqs. 2.4 and 2.7; the labels of the fakes are drawn uniformly."""
    method, b = small(task), batch(task)
    torch.manual_seed(3)
    losses = method.g_losses(b)
    torch.manual_seed(3)
    c = torch.eye(len(task.domains))[torch.randint(len(task.domains), (5,))]
    fake = method.G(torch.randn(5, 6), c)
    torch.testing.assert_close(losses["gan"], -method.D(fake)[0].mean())
    assert ("cls" in losses) == (task is THREE)
    if task is THREE:
        torch.testing.assert_close(losses["cls"], -(method.D(fake)[1].log_softmax(1) * c).sum(1).mean())
    drawn = torch.cat([method._fake(100, torch.device("cpu"))[1] for _ in range(5)]).mean(0)
    torch.testing.assert_close(drawn, torch.full_like(drawn, 1 / len(drawn)), atol=0.08, rtol=0)


def test_full_objective_and_order():
    (stage,) = small(THREE, w_gp=7, w_cls_d=2, w_cls_g=3, n_critic=4).stages(100)
    d, g = stage.phases
    assert (d.updates, d.every, d.weights) == (["D"], 1, {"gan": 1, "gp": 7, "cls": 2})
    assert (g.updates, g.every, g.weights) == (["G"], 4, {"gan": 1, "cls": 3})
    assert [phase.weights for phase in small().stages(9)[0].phases] == [{"gan": 1, "gp": 10}, {"gan": 1}]


def equal(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


@pytest.mark.parametrize(("transfer", "g", "d"), [("both", 1, 1), ("generator", 1, 0), ("discriminator", 0, 1)])
def test_the_configurations_of_table_2_1(transfer, g, d):
    source, target = small(seed=1), small(seed=2, transfer=transfer, source=Path("here"))
    target.adopt([source])
    assert (equal(target.G, source.G), equal(target.D, source.D)) == (g, d)


@pytest.mark.parametrize("condition", ["bnorm", "concat"])
def test_an_unconditional_source_starts_a_conditional_gan(condition):
    """Cond BNorm: every class starts as the source. Cond Concat: with the new weights at 0 it is the source (2.4.1)."""
    source, target = small(seed=1), small(THREE, seed=2, condition=condition)
    head = target.D.aux.weight.clone()
    target.adopt([source])
    if condition == "concat":
        target.G.input.weight.data[:, 6:] = 0
    z = torch.randn(4, 6)
    for c in torch.eye(3):
        torch.testing.assert_close(target.G(z, c.expand(4, -1)), source.G(z), rtol=1e-4, atol=1e-5)
    x = batch(THREE).image
    torch.testing.assert_close(target.D(x)[0], source.D(x)[0])
    assert torch.equal(target.D.aux.weight, head)


def test_a_source_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"the source has gan.width 8, not 4; add --method.gan.width 8"):
        small().adopt([TransferGAN(TransferGANConfig(gan=GANConfig(width=8, z_dim=6)), ONE)])
    with pytest.raises(ValueError, match=r"the source makes images of size 64, not 32; add --data.size 64"):
        small().adopt([TransferGAN(TransferGANConfig(gan=GANConfig(width=4, z_dim=6)), Task(domains=("x",), size=64))])
    with pytest.raises(ValueError, match="the source has 3 domains, these data 1; take an unconditional source"):
        small().adopt([small(THREE)])
    TransferGANConfig(transfer="generator", source=Path("here"))
    with pytest.raises(ValueError, match=r"transfer generator needs a source; add --method.source DIR"):
        TransferGANConfig(transfer="generator")
    with pytest.raises(ValueError, match="needs domains, got attributes"):
        TransferGAN(TransferGANConfig(), Task(domains=("a", "b"), exclusive=False, size=64))


def test_a_run_starts_from_a_model_folder(tmp_path):
    recipe = recipes.tiny()
    data = recipe.data.open("train")
    source = runs.build(recipe.model_copy(update={"train": recipe.train.model_copy(update={"seed": 9})}), data)
    save_model(tmp_path / "model", source, dict(source.named_children()), {})
    changed = recipe.method.model_copy(update={"source": tmp_path / "model"})
    target = runs.build(recipe.model_copy(update={"method": changed}), data)
    assert equal(target.G, source.G) and equal(target.D, source.D)
    assert not equal(runs.build(recipe, data).G, source.G)


def test_statistics_are_settled_so_that_an_image_is_the_same_in_any_batch():
    method = small(THREE).eval()
    nets = dict(method.named_children())
    method.settle(nets)
    assert all(norm.count > 0 for norm in method.G.modules() if hasattr(norm, "count"))
    sampler = Sampler(method.sampler(nets), THREE)
    codes = sampler.codes([0, 1, 2])
    together = sampler.generate(codes, [0, 1, 2])
    torch.testing.assert_close(sampler.generate(codes[1:2], [1])[0], together[1], rtol=1e-4, atol=1e-5)
    before = [norm.mean.clone() for norm in method.G.modules() if hasattr(norm, "count")]
    method.settle(nets)  # the same noise every time
    after = [norm.mean for norm in method.G.modules() if hasattr(norm, "count")]
    torch.testing.assert_close(after, before)


def test_statistics_are_of_all_domains():
    """Also of more than there are in a batch of noise."""
    method = small(Task(domains=tuple(map(str, range(100))), size=32)).eval()
    seen = []
    method.G.register_forward_pre_hook(lambda _, given: seen.append(given[1]))
    method.settle(dict(method.named_children()))
    assert torch.cat(seen).any(0).all()


@pytest.mark.parametrize("task", [ONE, THREE])
@pytest.mark.parametrize("network", ["sngan", "biggan"])
def test_hinge_networks_see_the_label_in_place_of_a_penalty(network, task):
    torch.manual_seed(0)
    gan = GANConfig(network=network, width=2, z_dim=8, embed_dim=5)
    method, b = TransferGAN(TransferGANConfig(gan=gan), task), batch(task)
    method.eval()  # spectral norm stands still
    torch.manual_seed(3)
    losses = method.d_losses(b) | {"g": method.g_losses(b)["gan"]}
    torch.manual_seed(3)
    label = None if task is ONE else b.label
    found = {}
    for _ in range(2):
        c = torch.eye(len(task.domains))[torch.randint(len(task.domains), (5,))]
        fake = method.D(method.G(torch.randn(5, 8), c), None if task is ONE else c)[0]
        real = method.D(b.image, label)[0]
        found.setdefault("gan", (1 - real).relu().mean() + (1 + fake).relu().mean())
        found["g"] = -fake.mean()
    assert losses.keys() == found.keys()
    for name, value in found.items():
        torch.testing.assert_close(losses[name], value, msg=name)
    d, g = method.stages(10)[0].phases
    assert (d.weights, g.weights) == ({"gan": 1}, {"gan": 1})
    with torch.no_grad():
        method.settle(dict(method.named_children()))
    sampler = Sampler(method.sampler(dict(method.named_children())), task)
    assert sampler.generate(sampler.codes([0, 1]), [0, 1]).shape == (2, 3, 32, 32)


def test_a_biggan_needs_a_source_of_as_many_domains():
    gan = GANConfig(network="biggan", width=2, z_dim=8, embed_dim=5)
    source, target = (TransferGAN(TransferGANConfig(gan=gan), task) for task in (THREE, THREE))
    target.adopt([source])
    assert equal(target.G, source.G) and equal(target.D, source.D)
    with pytest.raises(ValueError, match="a biggan source has an embedding of its 1 domains; take one of 3"):
        target.adopt([TransferGAN(TransferGANConfig(gan=gan), ONE)])
