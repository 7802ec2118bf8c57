"""PPGN: Eq. 11 against its formula, the encoder's loss, the stages, and what it takes from other models."""

import pytest
import torch

from dragoman.data.batch import Batch, Task
from dragoman.inference.sampler import Sampler
from dragoman.methods.dgn_am import DGNAM, DGNAMConfig
from dragoman.methods.ppgn import PPGN, Encoder, PPGNConfig
from dragoman.methods.transfer_gan import TransferGAN, TransferGANConfig
from dragoman.nets.gan import RANDOM, GANConfig
from dragoman.recipes import ppgn as recipes

GAN = GANConfig(network="wgan_mnist", width=2, z_dim=6)
DIGITS = Task(domains=("0", "1", "2"), size=28, channels=1)


def small(**changes) -> PPGN:
    """Networks whose answers differ with the code."""
    torch.manual_seed(0)
    method = PPGN(PPGNConfig(gan=GAN, source=RANDOM, **({"width": 4} | changes)), DIGITS)
    for p in method.parameters():
        torch.nn.init.normal_(p, 0.02, 0.3)
    return method.eval().requires_grad_(False)


def core(method: DGNAM):
    return method.sampler(dict(method.named_children()))


def slope_by_hand(method: PPGN, z: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    leaf = z.clone().requires_grad_(True)
    logits = method.C(method.G(leaf))
    log_p = (logits - logits.exp().sum(1, keepdim=True).log())[c.bool()]
    return torch.stack([torch.autograd.grad(log_p[i], leaf, retain_graph=True)[0][i] for i in range(len(z))])


def test_defaults_are_the_published_values():
    config = PPGNConfig()
    assert (config.iterations, config.eps1, config.eps2, config.eps3) == (200, 1e-5, 1, 1e-17)
    assert recipes.paper().method == config


def test_iterations_are_eq_11():
    """z <- clip(z + eps1 (R(z) - z) + eps2 d log p(c | G(z)) / dz + eps3 n), n ~ N(0, I), R(z) = E(G(z))."""
    method = small(iterations=3, eps1=0.3, eps2=1.7, eps3=0.4, bound=0.9)
    made, c = core(method), torch.eye(3)[[0, 1, 2, 0, 1]]
    u = torch.randn(5, made.noise_dim, generator=torch.Generator().manual_seed(1))
    assert made.noise_dim == 6 * 4
    z = u[:, :6]
    for t in range(3):
        noise = u[:, 6 * (t + 1) : 6 * (t + 2)]
        prior = method.E(method.G(z)) - z
        expected = (z + 0.3 * prior + 1.7 * slope_by_hand(method, z, c) + 0.4 * noise).clamp(-0.9, 0.9)
        found = made.update(z, c, noise)
        torch.testing.assert_close(found, expected)
        assert not found.requires_grad
        assert t or found.abs().max() == torch.tensor(0.9)  # the bound is met at the start
        z = found
    with torch.no_grad():
        torch.testing.assert_close(made(u, c), method.G(z))


@pytest.mark.parametrize("which", ["eps1", "eps2", "eps3"])
def test_each_multiplier_has_its_term(which):
    off = {"eps1": 0.0, "eps2": 0.0, "eps3": 0.0}
    method = small(**(off | {which: 0.1}), bound=100)
    z, n, c = torch.randn(2, 6), torch.randn(2, 6), torch.eye(3)[:2]
    term = {"eps1": method.E(method.G(z)) - z, "eps2": slope_by_hand(method, z, c), "eps3": n}[which]
    torch.testing.assert_close(core(method).update(z, c, n), z + 0.1 * term)
    torch.testing.assert_close(core(small(**off, bound=100)).update(z, c, n), z)


def test_without_prior_and_noise_it_is_dgn_am_without_its_prior():
    """Eq. 11 with eps1 and eps3 at 0 is Eq. 10."""
    method = small(eps1=0, eps2=0.8, eps3=0)
    base = DGNAM(DGNAMConfig(gan=GAN, width=4, step=0.8, decay=0), DIGITS).eval()
    state = method.state_dict()
    base.load_state_dict({name: state[name] for name in base.state_dict()})
    z, c = torch.randn(4, 6), torch.eye(3)[[0, 1, 2, 0]]
    torch.testing.assert_close(core(method).update(z, c, torch.randn(4, 6)), core(base).update(z, c, 0))
    batch = Batch(image=torch.rand(4, 1, 28, 28), label=c)
    method.requires_grad_(True)
    ours, theirs = method.c_losses(batch)["cls"], base.c_losses(batch)["cls"]
    assert ours.equal(theirs)
    for a, b in zip(torch.autograd.grad(ours, [*method.C.parameters()]),
                    torch.autograd.grad(theirs, [*base.C.parameters()]), strict=True):  # fmt: skip
        assert a.equal(b)


def test_the_probability_of_the_class_grows_with_the_iterations():
    codes, generator = torch.eye(3).repeat(8, 1), torch.Generator().manual_seed(2)
    u = torch.randn(24, 6 * 26, generator=generator)
    found = []
    for iterations in (1, 5, 25):
        method = small(iterations=iterations, eps1=0.01, eps2=0.3, eps3=0.01)
        with torch.no_grad():
            x = core(method)(u[:, : 6 * (iterations + 1)], codes)
            found.append((method.C(x).log_softmax(1) * codes).sum(1).mean().item())
    before = (method.C(method.G(u[:, :6])).log_softmax(1) * codes).sum(1).mean().item()
    assert before < found[0] < found[1] < found[2]


def test_noise_and_image_are_the_seed_s_own():
    method = small(iterations=4, eps1=0.1, eps2=0.1, eps3=0.5)
    sampler, seeds = Sampler(core(method), DIGITS), [4, 9, 4, 5]
    torch.manual_seed(0)
    images = sampler.generate(sampler.codes(seeds, "1"), seeds)
    torch.manual_seed(1)  # the global state must not matter
    alone = sampler.generate(sampler.codes([9], "1"), [9])
    torch.testing.assert_close(alone[0], images[1], rtol=0, atol=1e-5)
    assert torch.equal(images[0], images[2]) and not torch.equal(images[0], images[1])
    u = sampler.core.sample_noise(1, torch.Generator().manual_seed(9))
    other = torch.cat([u[:, :6], torch.zeros(1, 6 * 4)], 1)  # the same start, other noise on the way
    assert not torch.allclose(sampler.core(other, sampler.codes([9], "1")), alone)


def test_the_encoder_learns_the_codes_of_generated_images():
    method = small()
    batch = Batch(image=torch.zeros(7, 1, 28, 28), label=torch.eye(3)[[0, 1, 2, 0, 1, 2, 0]])
    torch.manual_seed(3)
    losses = method.e_losses(batch)
    torch.manual_seed(3)
    z = torch.randn(7, 6)
    assert losses.keys() == {"code"}
    torch.testing.assert_close(losses["code"], ((method.E(method.G(z)) - z) ** 2).sum() / (7 * 6))


def test_classifier_then_encoder_or_the_encoder_alone():
    classify, encode = small(classifying=0.25).stages(100)
    assert [(s.steps, [(p.updates, p.weights) for p in s.phases]) for s in (classify, encode)] == [
        (25, [(["C"], {"cls": 1})]), (75, [(["E"], {"code": 1})]),
    ]  # fmt: skip
    method = small(classifier="somewhere")
    (alone,) = method.stages(100)
    assert (alone.steps, alone.phases[0].updates) == (100, ["E"])
    assert method.frozen == ("G", "C") and method.optimizers().keys() == {"E"}
    assert small().frozen == ("G",) and small().optimizers().keys() == {"C", "E"}


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (28, ["conv 3 s2 p1 1-4 @14", "conv 3 s2 p1 4-8 @7", "conv 3 s2 p1 8-16 @4", "fc 256-6"]),
        (64, ["conv 3 s2 p1 1-4 @32", "conv 3 s2 p1 4-8 @16", "conv 3 s2 p1 8-16 @8", "conv 3 s2 p1 16-32 @4",
              "fc 512-6"]),
    ],
)  # fmt: skip
def test_the_encoder_s_layers(layer_table, size, expected):
    assert layer_table(Encoder(1, size, 4, 6).eval(), torch.zeros(2, 1, size, size)) == expected
    wide = Encoder(3, 128, 2, 5)
    assert [m.out_channels for m in wide.convs if hasattr(m, "out_channels")] == [2, 4, 8, 16, 16]


def test_source_and_classifier_are_taken_from_other_models():
    method = small(classifier="somewhere")
    assert [str(path) for path in method.sources()] == ["somewhere"]
    torch.manual_seed(7)
    gan = TransferGAN(TransferGANConfig(gan=GAN), Task(domains=("digits",), size=28, channels=1))
    judge = DGNAM(DGNAMConfig(gan=GAN, width=4), DIGITS)
    method.adopt([gan, judge])
    for own, theirs in ((method.G, gan.G), (method.C, judge.C)):
        state = theirs.state_dict()
        assert all(torch.equal(value, state[name]) for name, value in own.state_dict().items())


def test_a_classifier_that_does_not_fit_is_refused():
    method = small(classifier="there")
    with pytest.raises(ValueError, match=r"the classifier of there has width 8, not 4; add --method.width 8"):
        method.adopt([DGNAM(DGNAMConfig(gan=GAN, width=8), DIGITS)])
    other = Task(domains=("a", "b"), size=28, channels=1)
    with pytest.raises(ValueError, match="of there is of a, b in 1 channels, these data are 0, 1, 2 in 1"):
        method.adopt([DGNAM(DGNAMConfig(gan=GAN, width=4), other)])
    with pytest.raises(ValueError, match="there must be a DGN-AM or PPGN, got Wang"):
        method.adopt([TransferGAN(TransferGANConfig(gan=GAN), Task(domains=("d",), size=28, channels=1))])
