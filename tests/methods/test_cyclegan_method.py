"""CycleGAN against its paper: layers, Eqs. 1 to 3 recomputed by hand from its networks, and the pool of images."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch.optim import Adam

from dragoman.data.batch import Batch, Task
from dragoman.inference.translator import Translator
from dragoman.methods.cyclegan import CycleGAN, CycleGANConfig
from dragoman.nets.cyclegan import Generator, ImagePool
from dragoman.nets.patchgan import PatchGAN
from dragoman.nn.blocks import ReflectResBlock

GENERATOR = [
    "conv 7 s1 p3 3-64 @64", "conv 3 s2 p1 64-128 @32", "conv 3 s2 p1 128-256 @16",
    *["conv 3 s1 p1 256-256 @16"] * 18,
    "up 3 s2 p1 256-128 @32", "up 3 s2 p1 128-64 @64", "conv 7 s1 p3 64-3 @64",
]  # fmt: skip

DISCRIMINATOR = [
    "conv 4 s2 p1 3-64 @128", "conv 4 s2 p1 64-128 @64", "conv 4 s2 p1 128-256 @32",
    "conv 4 s1 p1 256-512 @31", "conv 4 s1 p1 512-1 @30",
]  # fmt: skip


def _small(**changes) -> CycleGAN:
    """A small one, with weights large enough that every term of every loss matters."""
    torch.manual_seed(0)
    config = CycleGANConfig(**{"width": 4, "blocks": 1, "d_layers": 1, "pool": 3} | changes)
    method = CycleGAN(config, Task(domains=("a", "b"), size=16))
    for p in method.parameters():
        torch.nn.init.normal_(p, 0, 0.3)
    return method


@pytest.fixture
def batch() -> Batch:
    """Two images of each domain."""
    images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(11)) * 2 - 1
    return Batch(image=images, label=torch.eye(2).repeat_interleave(2, 0))


def test_defaults_are_the_published_values():
    assert CycleGANConfig().model_dump() == {
        "width": 64, "downs": 2, "blocks": 9, "d_layers": 3, "pool": 50, "w_rec": 10, "w_idt": 5, "lr": 2e-4,
        "betas": (0.5, 0.999),
    }  # fmt: skip


def test_layers_of_the_generators(layer_table):
    net = Generator(3, 3, 64, 2, 9)
    assert layer_table(net, torch.zeros(1, 3, 64, 64)) == GENERATOR
    weights = 2 * 49 * 3 * 64 + 2 * 9 * 64 * 128 + 2 * 9 * 128 * 256 + 18 * 9 * 256 * 256
    biases = 2 * 64 + 2 * 128 + 256 + 18 * 256 + 3
    assert sum(p.numel() for p in net.parameters()) == weights + biases == 11_378_179
    padded = [m.padding_mode for m in net.modules() if isinstance(m, torch.nn.Conv2d)]
    assert padded == ["reflect", "zeros", "zeros", *["reflect"] * 19]


def test_layers_of_the_discriminators(layer_table):
    net = PatchGAN(3, 64, 3)
    assert layer_table(net, torch.zeros(1, 3, 256, 256)) == DISCRIMINATOR
    weights = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512)
    assert sum(p.numel() for p in net.parameters()) == weights + 64 + 128 + 256 + 512 + 1 == 2_764_737
    assert PatchGAN(3, 4, 6)[-1].in_channels == 8 * 4


@pytest.mark.parametrize("layers, sees", [(1, 16), (2, 34), (3, 70)])
def test_a_patch_is_as_large_as_the_field_says(layers, sees):
    """Without the norms, which see the whole image."""
    net = PatchGAN(1, 2, layers)
    convs = torch.nn.Sequential(*(m for m in net if isinstance(m, torch.nn.Conv2d)))
    for conv in convs:
        torch.nn.init.ones_(conv.weight)
    x = torch.zeros(1, 1, 128, 128, requires_grad=True)
    y = convs(x)
    y[0, 0, y.shape[2] // 2, y.shape[3] // 2].backward()
    rows, columns = x.grad[0, 0].nonzero().unbind(1)
    assert rows.max() - rows.min() + 1 == columns.max() - columns.min() + 1 == sees


def test_residual_block():
    torch.manual_seed(0)
    block, x = ReflectResBlock(4), torch.randn(2, 4, 5, 7)
    y = F.relu(F.instance_norm(F.conv2d(F.pad(x, [1] * 4, mode="reflect"), block.conv1.weight, block.conv1.bias)))
    y = F.instance_norm(F.conv2d(F.pad(y, [1] * 4, mode="reflect"), block.conv2.weight, block.conv2.bias))
    torch.testing.assert_close(block(x), x + y)


def test_the_first_convolutions_are_normalised_without_scale_and_shift():
    torch.manual_seed(0)
    g, d, x = Generator(3, 3, 4, 2, 9), PatchGAN(3, 4, 2), torch.randn(1, 3, 16, 16)
    y = F.relu(F.instance_norm(F.conv2d(F.pad(x, [3] * 4, mode="reflect"), g[0].weight, g[0].bias)))
    torch.testing.assert_close(torch.nn.Sequential(*list(g)[:3])(x), y)
    y = F.leaky_relu(F.conv2d(x, d[0].weight, d[0].bias, 2, 1), 0.2)
    y = F.leaky_relu(F.instance_norm(F.conv2d(y, d[2].weight, d[2].bias, 2, 1)), 0.2)
    torch.testing.assert_close(torch.nn.Sequential(*list(d)[:5])(x), y)


def test_d_losses(batch):
    method = _small()
    x, y = batch.image[:2], batch.image[2:]
    expected = ((method.D_X(x) - 1) ** 2).mean() + (method.D_X(method.F(y)) ** 2).mean()
    expected += ((method.D_Y(y) - 1) ** 2).mean() + (method.D_Y(method.G(x)) ** 2).mean()
    losses = method.d_losses(batch)  # the pools fill up, and let everything pass
    assert losses.keys() == {"adv"}
    torch.testing.assert_close(losses["adv"], expected)  # Eq. 1 as least squares
    for pool, fake in (("X", method.F(y)), ("Y", method.G(x))):
        torch.testing.assert_close(method.pools[pool].images[:2], fake)


def test_d_sees_earlier_translations(batch):
    """With pools that are full of one image."""
    method = _small(pool=1)
    for pool in method.pools.values():
        pool.images.fill_(0.5)
        pool.count.fill_(1)
    before = copy.deepcopy(method.pools)
    x, y = batch.image[:2], batch.image[2:]
    torch.manual_seed(5)
    loss = method.d_losses(batch)["adv"]
    torch.manual_seed(5)
    of_x, of_y = before["X"](method.F(y)), before["Y"](method.G(x))
    assert not torch.equal(of_x, method.F(y)) or not torch.equal(of_y, method.G(x))
    expected = ((method.D_X(x) - 1) ** 2).mean() + (method.D_X(of_x) ** 2).mean()
    expected += ((method.D_Y(y) - 1) ** 2).mean() + (method.D_Y(of_y) ** 2).mean()
    torch.testing.assert_close(loss, expected)


def test_g_losses(batch):
    method = _small()
    x, y = batch.image[:2], batch.image[2:]
    losses = method.g_losses(batch)
    assert losses.keys() == {"adv", "rec", "idt"}
    G, F_ = method.G, method.F
    expected = ((method.D_Y(G(x)) - 1) ** 2).mean() + ((method.D_X(F_(y)) - 1) ** 2).mean()
    torch.testing.assert_close(losses["adv"], expected)  # Eq. 1 as least squares
    torch.testing.assert_close(losses["rec"], (F_(G(x)) - x).abs().mean() + (G(F_(y)) - y).abs().mean())  # Eq. 2
    torch.testing.assert_close(losses["idt"], (G(y) - y).abs().mean() + (F_(x) - x).abs().mean())
    assert not any(pool.count for pool in method.pools.values())


def test_without_its_weight_there_is_no_identity_loss(batch):
    method = _small(w_idt=0)
    phase = method.stages(10)[0].phases[1]
    assert method.g_losses(batch).keys() == phase.weights.keys() == {"adv", "rec"}


def _numbered(*numbers: int) -> torch.Tensor:
    """Images that show their number."""
    return torch.tensor(numbers).float()[:, None, None, None].expand(-1, 1, 2, 2).clone()


def test_a_pool_lets_pass_what_fills_it():
    pool = ImagePool(3, Task(domains=("a", "b"), size=2, channels=1))
    for numbers in ((1, 2), (3,)):
        assert torch.equal(pool(_numbered(*numbers)), _numbered(*numbers))
    assert torch.equal(pool.images, _numbered(1, 2, 3)) and pool.count == 3


def test_a_full_pool_exchanges_half_of_the_images_for_random_ones():
    torch.manual_seed(0)
    pool = ImagePool(4, Task(domains=("a", "b"), size=2, channels=1))
    pool(_numbered(0, 1, 2, 3))
    exchanged, places = 0, torch.zeros(4)
    for number in range(4, 2004):
        before = pool.images.clone()
        (out,) = pool(_numbered(number))
        changed = (pool.images != before).flatten(1).any(1)
        if changed.any():
            (place,) = changed.nonzero()[:, 0]
            assert torch.equal(out, before[place]) and torch.equal(pool.images[place], _numbered(number)[0])
            exchanged, places[place] = exchanged + 1, places[place] + 1
        else:
            assert torch.equal(out, _numbered(number)[0])
    assert 0.46 < exchanged / 2000 < 0.54
    assert places.min() / places.sum() > 0.2 and pool.count == 4


def test_nothing_is_lost_in_a_batch_larger_than_the_pool():
    torch.manual_seed(1)
    pool = ImagePool(2, Task(domains=("a", "b"), size=2, channels=1))
    out = pool(_numbered(*range(9)))
    found = [*out[:, 0, 0, 0].tolist(), *pool.images[:, 0, 0, 0].tolist()]
    filled = sorted(found)
    assert sorted(set(filled)) == list(range(9)) and len(filled) == 11  # the two that filled it passed as well


def test_a_pool_keeps_no_gradients_and_gives_back_the_precision_it_was_given():
    pool = ImagePool(2, Task(domains=("a", "b"), size=2, channels=1))
    out = pool(_numbered(1, 2).bfloat16().requires_grad_(True))
    assert out.dtype == torch.bfloat16 and not out.requires_grad
    assert pool.images.dtype == torch.float32 and not pool.images.requires_grad


def test_a_pool_is_state():
    assert {"pools.X.images", "pools.X.count", "pools.Y.images", "pools.Y.count"} <= _small().state_dict().keys()


def test_full_objective_and_order():
    method = _small(w_rec=9, w_idt=3)
    (stage,) = method.stages(100)
    d, g = stage.phases
    assert (stage.steps, d.name, d.updates, d.every, g.name, g.updates, g.every) == (100, "D", ["D"], 1, "G", ["G"], 1)
    assert d.weights == {"adv": 0.5}
    assert g.weights == {"adv": 1, "rec": 9, "idt": 3}  # Eq. 3
    for phase in (d, g):
        assert [phase.lr(step) for step in (0, 49, 50, 75, 99)] == [1, 1, 1, 0.5, 0.02]


def test_optimisers_hold_each_network_once():
    method = _small(lr=3e-4, betas=(0.1, 0.9))
    optimizers = method.optimizers()
    assert optimizers.keys() == {"G", "D"}
    for name, nets in (("G", (method.G, method.F)), ("D", (method.D_X, method.D_Y))):
        (group,) = optimizers[name].param_groups
        assert isinstance(optimizers[name], Adam) and (group["lr"], group["betas"]) == (3e-4, (0.1, 0.9))
        assert [id(p) for p in group["params"]] == [id(p) for net in nets for p in net.parameters()]


def test_initial_weights():
    torch.manual_seed(0)
    method = CycleGAN(CycleGANConfig(width=16, blocks=1, pool=1), Task(domains=("a", "b"), size=32))
    for net in (method.G, method.F, method.D_X, method.D_Y):
        for name, p in net.named_parameters():
            assert (p == 0).all() if name.endswith("bias") else 0.017 < p.std() < 0.023, name


def test_translator_goes_the_way_the_code_says_with_the_networks_it_is_given(batch):
    method = _small()
    average = copy.deepcopy(method.G)
    torch.nn.init.normal_(average[0].weight)
    core = method.translator({"G": average, "F": method.F})
    c = torch.eye(2)[[1, 0, 1, 0]]
    image, mask = core(batch.image, c, torch.zeros(4, 0))
    assert core.style_dim == 0 and core.one_way and mask is None
    torch.testing.assert_close(image[[0, 2]], average(batch.image[[0, 2]]))
    torch.testing.assert_close(image[[1, 3]], method.F(batch.image[[1, 3]]))


@pytest.mark.parametrize("downs", [0, 1, 2])
def test_any_image_keeps_its_size_at_any_depth(downs):
    method = _small(downs=downs)
    translator = Translator(method.translator(dict(method.named_children())), method.task)
    image, _ = translator.translate(torch.rand(1, 3, 21, 29), torch.eye(2)[:1], torch.zeros(1, 0))
    assert image.shape == (1, 3, 21, 29)


@pytest.mark.parametrize("size, layers", [(18, 1), (16, 3)])
def test_a_size_that_does_not_fit_is_an_error(size, layers):
    with pytest.raises(ValueError, match=f"size {size}"):
        CycleGAN(CycleGANConfig(width=1, d_layers=layers), Task(domains=("a", "b"), size=size))


@pytest.mark.parametrize("size, layers", [(12, 2), (16, 2), (24, 3), (28, 3)])
def test_the_smallest_images_leave_a_patch(size, layers):
    assert PatchGAN(1, 1, layers)(torch.zeros(1, 1, size, size)).shape[2] >= 1


@pytest.mark.parametrize("domains, exclusive", [("abc", True), ("a", True), ("ab", False)])
def test_anything_but_two_domains_is_an_error(domains, exclusive):
    task = Task(domains=tuple(domains), size=16, exclusive=exclusive)
    with pytest.raises(ValueError, match="needs two domains, got "):
        CycleGAN(CycleGANConfig(width=1, d_layers=1), task)
