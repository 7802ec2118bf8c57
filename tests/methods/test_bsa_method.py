"""BSA against its paper: adapted statistics, supervised losses, latent vectors near N(0, I), truncated samples."""

import pytest
import torch
import torch.nn.functional as F

from dragoman import run as runs
from dragoman.data.batch import Batch, Task
from dragoman.engine.method import at
from dragoman.errors import UserError
from dragoman.inference.sampler import Sampler
from dragoman.methods.bsa import BSA, BSAConfig, features, hidden_layers, matching
from dragoman.methods.transfer_gan import TransferGAN, TransferGANConfig
from dragoman.methods.vae import VAE, VAEConfig
from dragoman.model import save_model
from dragoman.nets.frozen import shared
from dragoman.nets.gan import RANDOM, GANConfig
from dragoman.recipes import bsa as recipes
from dragoman.recipes import transfer_gan

NETWORKS = {"wgan_mnist": 28, "wgan_resnet": 32, "sngan": 32}


def small(network: str = "wgan_mnist", seed: int = 0, **changes) -> BSA:
    torch.manual_seed(seed)
    task = Task(domains=("images",), size=NETWORKS[network], channels=1)
    gan = GANConfig(network=network, width=4, z_dim=6)
    method = BSA(BSAConfig(gan=gan, images=7, vgg="random", **changes), task)
    for p in method.G.parameters():
        torch.nn.init.normal_(p, 0.05, 0.12)
    method.G.eval()
    return method


def moved(method: BSA) -> BSA:
    """With scales, shifts and latent vectors that are not those of the start."""
    for p in (*method.A.parameters(), *method.Z.parameters()):
        torch.nn.init.normal_(p, 0, 0.3)
    return method


def batch(method: BSA) -> Batch:
    size = method.task.size
    image = torch.rand(4, 1, size, size, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return Batch(image=image, label=torch.ones(4, 1), index=torch.tensor([2, 6, 0, 2]))


def test_defaults_are_the_published_values():
    assert BSAConfig().model_dump() == {
        "gan": {"network": "sngan", "width": 64, "z_dim": 128, "condition": "bnorm", "embed_dim": 128,
                "attention": 0},
        "source": None, "labels": 0, "images": 25, "vgg": "vgg19", "w_perceptual": 0.06, "w_z": 0.1, "w_affine": 0.02,
        "noise": 0.01, "truncation": 0.3, "lr": 0.03, "betas": (0.9, 0.999), "drop_every": 3000,
    }  # fmt: skip
    paper = recipes.paper()
    assert (paper.data.size, paper.train.batch_size, paper.train.steps) == (128, 25, 10_000)
    assert not paper.data.flip  # image i is always the same


@pytest.mark.parametrize("network", NETWORKS)
def test_every_hidden_layer_is_scaled_and_shifted(network):
    """gamma h + beta, applied here by hooks on the outputs of the layers."""
    method = moved(small(network))
    z = torch.randn(3, 6)
    expected_layers = {
        "wgan_mnist": ["input", "up1", "up2"],
        "wgan_resnet": [f"blocks.{b}.norm{n}" for b in range(3) for n in (1, 2)] + ["norm"],
        "sngan": [f"blocks.{b}.norm{n}" for b in range(3) for n in (1, 2)] + ["norm"],
    }
    assert list(hidden_layers(method.G)) == expected_layers[network]
    adapted = method.A(method.G, z)
    handles = []
    for name, affine in zip(method.A.names, method.A.affines, strict=True):

        def change(_, inputs, h, a=affine):
            maps = h.view(len(h), a.channels, -1)
            return ((1 + a.scale)[:, None] * maps + a.shift[:, None]).view(h.shape)

        handles.append(method.G.get_submodule(name).register_forward_hook(change))
    torch.testing.assert_close(adapted, method.G(z), rtol=1e-4, atol=1e-5)
    for handle in handles:
        handle.remove()
    assert (adapted - method.G(z)).abs().mean() > 1e-2 and adapted.abs().mean() < 0.9  # not all saturated


@pytest.mark.parametrize("network", NETWORKS)
def test_the_start_is_the_source_and_the_latent_vectors_are_0(network):
    method, z = small(network), torch.randn(3, 6)
    torch.testing.assert_close(method.A(method.G, z), method.G(z))
    assert method.Z.z.shape == (7, 6) and not method.Z.z.any()


def test_a_conditional_source_gets_the_mean_of_its_codes():
    method = moved(small("wgan_resnet", labels=3))
    z = torch.randn(2, 6)
    one, two = method.A(method.G, z, 3), method.A(method.G, z[:1], 3)
    torch.testing.assert_close(one[:1], two, rtol=1e-4, atol=1e-5)
    for p in method.A.parameters():
        torch.nn.init.zeros_(p)
    torch.testing.assert_close(method.A(method.G, z, 3), method.G(z, torch.full((2, 3), 1 / 3)))


def test_losses():
    method = moved(small())
    b = batch(method)
    torch.manual_seed(3)
    losses = method.losses(b)
    torch.manual_seed(3)
    z = method.Z.z[b.index]
    y = method.A(method.G, z + 0.01 * torch.randn(4, 6))
    torch.testing.assert_close(losses["l1"], (y - b.image).abs().mean())
    net = shared("random", torch.device("cpu"))
    pairs = zip(net(F.pad(y, (0, 4, 0, 4), mode="replicate")), net(F.pad(b.image, (0, 4, 0, 4), mode="replicate")),
                strict=True)  # fmt: skip
    torch.testing.assert_close(losses["perceptual"], sum((p - q).abs().mean() for p, q in pairs))
    r = torch.randn(40, 6)
    distances = torch.stack([torch.stack([(a - b).square().sum() for b in r]) for a in z])
    torch.testing.assert_close(losses["z"], distances.min(1).values.mean() + distances.min(0).values.mean())


def test_matching_is_least_where_the_latent_vectors_are_normal():
    """In few dimensions, where a hundred draws are dense; shrunk, widened and moved ones are all farther."""
    generator = torch.Generator().manual_seed(0)
    r, z = (torch.randn(400, 2, generator=generator) for _ in range(2))
    normal = matching(z, r)
    for other in (0.3 * z, 3 * z, z + 1):
        assert matching(other, r) > 2 * normal
    assert matching(r, r) < 1e-5


def test_features_are_of_five_layers_also_of_small_images():
    assert [f.shape[1:] for f in features("random", torch.zeros(2, 1, 28, 28))] == [
        (64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4), (512, 2, 2),
    ]  # fmt: skip
    image = torch.rand(1, 3, 48, 32)
    for ours, theirs in zip(features("random", image), shared("random", image.device)(image), strict=True):
        assert torch.equal(ours, theirs)


def test_full_objective_and_the_pull_towards_identity():
    method = moved(small(w_affine=0.5, w_z=0.3, w_perceptual=0.2, drop_every=10))
    (stage,) = method.stages(100)
    (phase,) = stage.phases
    assert (stage.steps, phase.updates, phase.every, phase.repeat) == (100, ["A"], 1, 1)
    assert phase.weights == {"l1": 1, "perceptual": 0.2, "z": 0.3}
    assert [at(phase.lr, step) for step in (0, 9, 10, 25)] == pytest.approx([1, 1, 0.1, 0.01])
    (optimizer,) = method.optimizers().values()
    penalty = 0.5 * sum(a.scale.square().mean() + a.shift.square().mean() for a in method.A.affines)
    wanted = dict(zip(method.A.parameters(), torch.autograd.grad(penalty, list(method.A.parameters())), strict=True))
    for group in optimizer.param_groups:
        for p in group["params"]:
            torch.testing.assert_close(group["weight_decay"] * p, wanted.get(p, torch.zeros_like(p)))


def test_an_image_changes_its_own_latent_vector_alone():
    method = small()
    b = batch(method)
    losses = method.losses(b)
    (gradient,) = torch.autograd.grad(losses["l1"] + losses["z"], method.Z.z)
    assert (gradient.abs().sum(1) > 0).tolist() == [i in (0, 2, 6) for i in range(7)]


def source(seed: int = 1, network: str = "wgan_mnist", domains: int = 1) -> TransferGAN:
    torch.manual_seed(seed)
    task = Task(domains=tuple("abc"[:domains]), size=NETWORKS[network], channels=1)
    return TransferGAN(TransferGANConfig(gan=GANConfig(network=network, width=4, z_dim=6)), task)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_source_is_taken_with_its_statistics(network):
    given, method = source(network=network), small(network)
    with torch.no_grad():
        given.settle({"G": given.G})
    method.adopt([given])
    z = torch.randn(3, 6)
    torch.testing.assert_close(method.A(method.G, z), given.G.eval()(z))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"name its model folder with --method.source DIR"):
        small().sources()
    assert small(source=RANDOM).sources() == ()
    with pytest.raises(ValueError, match="must be a model of transfer_gan, got Kingma"):
        small().adopt([VAE(VAEConfig(width=4), Task(domains=("a",), size=28, channels=1))])
    with pytest.raises(ValueError, match=r"the source has gan.network wgan_resnet, not wgan_mnist"):
        small().adopt([source(network="wgan_resnet")])
    with pytest.raises(ValueError, match=r"the source has 3 labels, not 0; add --method.labels 3"):
        small().adopt([source(domains=3)])
    with pytest.raises(ValueError, match="adapts to one target, got 2 domains"):
        BSA(BSAConfig(gan=GANConfig(network="wgan_mnist")), Task(domains=("a", "b"), size=28))
    with pytest.raises(ValueError, match=r"gan.network must be wgan_mnist, wgan_resnet or sngan, got biggan"):
        BSAConfig(gan=GANConfig(network="biggan"))


def test_a_run_starts_from_a_model_folder_and_has_a_latent_vector_for_each_image(tmp_path):
    recipe, tiny = transfer_gan.tiny(), recipes.tiny()
    given = runs.build(recipe.model_copy(update={"train": recipe.train.model_copy(update={"seed": 9})}),
                       tiny.data.open("train"))  # fmt: skip
    save_model(tmp_path / "model", given, dict(given.named_children()), {})
    target = tiny.model_copy(update={"method": tiny.method.model_copy(update={"source": tmp_path / "model"})})
    built = runs.build(target, tiny.data.open("train"))
    assert all(torch.equal(a, b) for a, b in zip(built.G.parameters(), given.G.parameters(), strict=True))
    fewer = tiny.data.model_copy(update={"images": 20})
    with pytest.raises(UserError, match=r"bsa.tiny: there are 20 images, not 30; add --method.images 20"):
        runs.build(target, fewer.open("train"))


def test_samples_are_of_adapted_statistics_and_truncated_noise():
    method = moved(small("wgan_resnet", truncation=0.7)).eval()
    nets = dict(method.named_children())
    core = method.sampler(nets)
    u = core.sample_noise(500, torch.Generator().manual_seed(0))
    assert u.shape == (500, 6) and 0.69 < u.abs().max() <= 0.7
    cut = torch.distributions.Normal(0.0, 1.0)
    inner = torch.rand(200_000, generator=torch.Generator().manual_seed(1)) * (2 * cut.cdf(torch.tensor(0.7)) - 1)
    normal = cut.icdf(inner + cut.cdf(torch.tensor(-0.7)))
    assert u.std().item() == pytest.approx(normal.std().item(), rel=0.03)
    with torch.no_grad():
        torch.testing.assert_close(core(u[:3], torch.ones(3, 1)), method.A(method.G, u[:3]))
    sampler = Sampler(core, method.task)
    together = sampler.generate(sampler.codes([0, 1]), [0, 1])
    torch.testing.assert_close(sampler.generate(sampler.codes([1]), [1])[0], together[1], rtol=1e-4, atol=1e-5)


def test_published_layers():
    """SNGAN at 128 x 128: eleven batch norms."""
    with torch.device("meta"):
        method = BSA(recipes.paper().method, Task(domains=("images",), size=128))
    channels = [a.channels for a in method.A.affines]
    assert channels == [1024, 1024, 1024, 512, 512, 256, 256, 128, 128, 64, 64]
    counts = {name: sum(p.numel() for p in net.parameters()) for name, net in method.named_children()}
    assert counts == {"G": counts["G"], "A": 2 * sum(channels), "Z": 25 * 128}
