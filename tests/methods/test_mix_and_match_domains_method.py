"""Mix-and-match networks between domains: the star of seen translations, its losses by hand, and unseen pairs."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch.optim import Adam

from dragoman import recipes
from dragoman.data.batch import Batch, Task
from dragoman.methods.mix_and_match_domains import MixAndMatchDomains, MixAndMatchDomainsConfig, join, split

DOMAINS = ("red", "blue", "green", "grey")
A, OTHERS = 1, (0, 2, 3)


def small(**changes) -> MixAndMatchDomains:
    """A small one, with weights large enough that every term of every loss matters."""
    torch.manual_seed(0)
    settings = {"anchor": "blue", "width": 4, "downs": 2, "blocks": 1, "d_layers": 2} | changes
    method = MixAndMatchDomains(MixAndMatchDomainsConfig(**settings), Task(domains=DOMAINS, size=16))
    for p in method.parameters():
        torch.nn.init.normal_(p, 0, 0.3)
    return method


@pytest.fixture
def batch() -> Batch:
    """Two images of each domain."""
    images = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(11)) * 2 - 1
    return Batch(image=images, label=torch.eye(4).repeat_interleave(2, 0))


def translated(method: MixAndMatchDomains, x: torch.Tensor, source: int, target: int) -> torch.Tensor:
    """T_ij(x) = g_j(f_i(x))."""
    return method.G[target](method.E[source](x))


def test_defaults_are_the_published_values():
    assert MixAndMatchDomainsConfig().model_dump() == {
        "anchor": None, "width": 64, "downs": 3, "blocks": 6, "d_layers": 4, "w_rec": 10, "w_auto": 10, "lr": 2e-4,
        "betas": (0.5, 0.999),
    }  # fmt: skip
    colours, styles = recipes.find("mix_and_match_domains.paper"), recipes.find("mix_and_match_domains.paper_styles")
    assert (colours.data.size, colours.data.domains[0], len(colours.data.domains)) == (128, "blue", 11)
    assert (styles.data.size, styles.data.domains[0], len(styles.data.domains)) == (256, "photo", 5)
    assert colours.method == styles.method == MixAndMatchDomainsConfig()
    assert colours.train.batch_size == 11 * 4 and styles.train.batch_size == 5 * 4  # four of each domain


def test_as_many_encoders_and_decoders_as_domains():
    """Eleven of each, where all pairs would take 55 (4.3.4); each as in Tables A.7 to A.9."""
    with torch.device("meta"):
        method = MixAndMatchDomains(MixAndMatchDomainsConfig(), Task(domains=tuple("abcdefghijk"), size=128))
    assert [len(nets) for nets in (method.E, method.G, method.D)] == [11, 11, 11]
    blocks = 6 * (2 * 9 * 256**2 + 4 * 256)
    encoder = 49 * (3 * 64 + 64 * 128 + 128 * 256) + 2 * 448 + blocks
    decoder = 49 * (256 * 128 + 128 * 64 + 64 * 3) + 3 + 2 * 192 + blocks
    judge = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512) + 960 + 513
    for nets, one in ((method.E, encoder), (method.G, decoder), (method.D, judge)):
        assert sum(p.numel() for p in nets.parameters()) == 11 * one


@pytest.mark.parametrize("layers, sees", [(2, 10), (3, 22), (4, 46)])
def test_a_patch_is_as_large_as_the_field_says(layers, sees):
    net = small(d_layers=layers).D[0]
    for p in net.parameters():
        torch.nn.init.constant_(p, 0.01)
    x = torch.rand(1, 3, 96, 96, requires_grad=True)
    y = net(x)
    y[0, 0, y.shape[2] // 2, y.shape[3] // 2].backward()
    rows, columns = x.grad[0, 0].nonzero().unbind(1)
    assert rows.max() - rows.min() + 1 == columns.max() - columns.min() + 1 == sees


def test_the_first_domain_is_the_anchor_if_none_is_named():
    assert small(anchor=None).anchor == 0
    assert (small().anchor, small().others) == (A, list(OTHERS))


def test_each_image_is_encoded_once_for_all_its_translations(batch):
    method, seen = small(), []
    for number, net in enumerate(method.E):
        net.register_forward_hook(lambda _, inputs, __, number=number: seen.append((number, inputs[0])))
    x = batch.image.chunk(4)
    y = method.seen(x)
    assert [number for number, _ in seen] == [0, 1, 2, 3]
    assert all(torch.equal(given, x[number]) for number, given in seen)
    torch.testing.assert_close(y.to_anchor, torch.cat([translated(method, x[k], k, A) for k in OTHERS]))
    for fake, k in zip(y.from_anchor, OTHERS, strict=True):
        torch.testing.assert_close(fake, translated(method, x[A], A, k))


def test_d_losses(batch):
    method, x = small(), batch.image.chunk(4)
    expected = torch.zeros(())
    for k in OTHERS:
        to_anchor, from_anchor = translated(method, x[k], k, A), translated(method, x[A], A, k)
        expected += ((method.D[A](x[A]) - 1) ** 2).mean() + (method.D[A](to_anchor) ** 2).mean()
        expected += ((method.D[k](x[k]) - 1) ** 2).mean() + (method.D[k](from_anchor) ** 2).mean()
    losses = method.d_losses(batch)
    assert losses.keys() == {"adv"}
    torch.testing.assert_close(losses["adv"], expected / 3)


def test_g_losses(batch):
    method, x = small(), batch.image.chunk(4)
    adv, rec = torch.zeros(()), torch.zeros(())
    for k in OTHERS:
        to_anchor, from_anchor = translated(method, x[k], k, A), translated(method, x[A], A, k)
        adv += ((method.D[A](to_anchor) - 1) ** 2).mean() + ((method.D[k](from_anchor) - 1) ** 2).mean()
        rec += (translated(method, to_anchor, A, k) - x[k]).abs().mean()
        rec += (translated(method, from_anchor, k, A) - x[A]).abs().mean()
    losses = method.g_losses(batch)
    assert losses.keys() == {"adv", "rec", "auto"}
    torch.testing.assert_close(losses["adv"], adv / 3)
    torch.testing.assert_close(losses["rec"], rec / 3)
    auto = [(translated(method, x[i], i, i) - x[i]).abs().mean() for i in range(4)]
    torch.testing.assert_close(losses["auto"], torch.stack(auto).mean())


def test_without_their_weight_there_are_no_autoencoders(batch):
    method = small(w_auto=0)
    phase = method.stages(10)[0].phases[2]
    assert method.g_losses(batch).keys() == phase.weights.keys() == {"adv", "rec"}


def test_domains_beside_the_anchor_never_meet(batch):
    """What one of them learns does not depend on the images of another; on the anchor's it does."""
    found = []
    for changed in (None, 3, A):
        method, images = small(), batch.image.clone()
        if changed is not None:
            images.chunk(4)[changed].neg_()
        sum(method.g_losses(Batch(image=images, label=batch.label)).values()).backward()
        found.append([p.grad for net in (method.E[0], method.G[0]) for p in net.parameters()])
    plain, other, anchor = found
    assert all(map(torch.equal, plain, other))
    assert not any(map(torch.equal, plain, anchor))


def test_codes_joined_and_split():
    method = small()
    codes = [method.E[k](torch.rand(2, 3, 16, 16)) for k in (0, 2, 3)]
    whole = join(codes)
    assert whole[0].shape == (6, 8, 4, 4) and [i.shape for i in whole[1]] == [(6, 4, 8, 8), (6, 8, 4, 4)]
    for (h, side), (again, sides) in zip(codes, split(whole, 3), strict=True):
        assert torch.equal(h, again) and all(map(torch.equal, side, sides)) and len(side) == len(sides)


def test_the_classifier_learns_the_domains_of_real_images(batch):
    method = small()
    expected = F.cross_entropy(method.C(batch.image), torch.tensor([0, 0, 1, 1, 2, 2, 3, 3]))
    torch.testing.assert_close(method.c_losses(batch), {"cls": expected})


def test_full_objective_and_order():
    method = small(w_rec=9, w_auto=3)
    (stage,) = method.stages(100)
    assert stage.steps == 100
    assert [(p.name, p.updates, p.every, p.weights) for p in stage.phases] == [
        ("C", ["C"], 1, {"cls": 1}), ("D", ["D"], 1, {"adv": 1}), ("G", ["G"], 1, {"adv": 1, "rec": 9, "auto": 3}),
    ]  # fmt: skip
    for phase in stage.phases:
        assert [phase.lr(step) for step in (0, 49, 50, 75, 99)] == [1, 1, 1, 0.5, 0.02]


def test_optimisers_hold_each_network_once():
    method = small(lr=3e-4, betas=(0.1, 0.9))
    optimizers = method.optimizers()
    assert optimizers.keys() == {"G", "D", "C"}
    for name, nets in (("G", (method.E, method.G)), ("D", (method.D,)), ("C", (method.C,))):
        (group,) = optimizers[name].param_groups
        assert isinstance(optimizers[name], Adam) and (group["lr"], group["betas"]) == (3e-4, (0.1, 0.9))
        assert [id(p) for p in group["params"]] == [id(p) for net in nets for p in net.parameters()]


def test_initial_weights():
    torch.manual_seed(0)
    method = MixAndMatchDomains(
        MixAndMatchDomainsConfig(width=16, downs=1, blocks=1, d_layers=2), Task(domains=DOMAINS, size=16)
    )
    for name, p in method.named_parameters():
        if p.ndim > 1 and p.numel() > 500:
            assert 0.018 < p.std() < 0.022, name
        elif p.ndim == 1:
            assert p.unique().tolist() in ([0], [1]), name


def test_any_encoder_goes_with_any_decoder_and_the_source_gives_the_indices(batch):
    method = small()
    core = method.translator(dict(method.named_children()))
    source, target = torch.tensor([0, 0, 2, 3, 1, 2, 3, 1]), torch.tensor([2, 3, 3, 0, 0, 1, 3, 2])
    images = core.between(batch.image, source, target)
    for x, y, i, j in zip(batch.image.split(1), images.split(1), source, target, strict=True):
        h, side = method.E[i](x)
        torch.testing.assert_close(y, method.G[j]((h, side)), rtol=1e-4, atol=1e-5)
        other = method.E[(i + 1) % 4](x)[1]
        assert not torch.allclose(y, method.G[j]((h, other)), atol=1e-3)


def test_the_translator_reads_the_source_off_the_image_with_the_networks_it_is_given(batch):
    method = small()
    average = copy.deepcopy(method.G)
    for p in average.parameters():
        torch.nn.init.normal_(p, 0, 0.3)
    core = method.translator(dict(method.named_children()) | {"G": average}).eval()
    c = torch.eye(4)[[3, 2, 1, 0, 3, 2, 1, 0]]
    source = method.C(batch.image).argmax(1)
    image, mask = core(batch.image, c, torch.zeros(8, 0))
    assert (core.style_dim, core.one_way, core.stride, mask) == (0, True, 4, None)
    assert torch.equal(core.classify(batch.image), method.C(batch.image))
    for n in range(8):
        y = average[int(c[n].argmax())](method.E[int(source[n])](batch.image[n : n + 1]))
        torch.testing.assert_close(image[n : n + 1], y, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "changes, task, words",
    [
        ({"anchor": "blu"}, {}, "no domain 'blu' for an anchor; choose --method.anchor from red, blue, green, grey"),
        ({}, {"exclusive": False}, r"needs domains, got attributes \(red, .*put the images into folders"),
        ({"anchor": None}, {"domains": ("red",)}, "needs two domains or more, got only red"),
        ({"downs": 3}, {"size": 20}, "size 20 must be a multiple of 8 for downs 3"),
        ({"d_layers": 5}, {}, "at least 32 for d_layers 5"),
    ],
)
def test_what_does_not_fit_is_said(changes, task, words):
    settings = {"anchor": "blue", "downs": 1, "blocks": 0, "width": 2} | changes
    with pytest.raises(ValueError, match=words):
        MixAndMatchDomains(MixAndMatchDomainsConfig(**settings), Task(**{"domains": DOMAINS, "size": 16} | task))
