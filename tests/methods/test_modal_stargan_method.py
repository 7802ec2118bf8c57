"""StarGAN between modalities: its layers per modality, and Eqs. 1 to 6 recomputed row by row from its networks."""

import copy
import itertools

import pytest
import torch
from modal_tasks import DEPTH, FOUR, RGB, SEG, THREE, random_scenes, task_of
from torch import nn

from dragoman.data.batch import Batch, Task
from dragoman.data.modality import pack, unpack
from dragoman.inference.modal import ModalTranslator
from dragoman.losses.berhu import berhu
from dragoman.methods.modal_stargan import Generator, ModalStarGAN, ModalStarGANConfig

SLICES = {"rgb": slice(0, 3), "depth": slice(3, 4), "segmentation": slice(4, 7)}
NAMES = list(SLICES)


def small(task: Task = THREE, **changes) -> ModalStarGAN:
    """With weights large enough that every term of every loss matters."""
    torch.manual_seed(0)
    method = ModalStarGAN(ModalStarGANConfig(**{"width": 4, "downs": 2, "blocks": 1, "d_layers": 3} | changes), task)
    for p in method.parameters():
        nn.init.normal_(p, 0, 0.3)
    return method


def batch(task: Task = THREE, rows: int = 4) -> Batch:
    return random_scenes(task, rows)


def code(name: str) -> torch.Tensor:
    return torch.eye(3)[NAMES.index(name)][None]


def made(method: ModalStarGAN, x: torch.Tensor, source: str, target: str) -> torch.Tensor:
    """A row's translation: values, of a segmentation logits."""
    return method.G(x[None], code(source), code(target))[0, SLICES[target]]


def shown(picture: torch.Tensor, name: str) -> torch.Tensor:
    """One modality, packed."""
    return pack({name: picture[None]}, THREE.modalities)


def fake_of(method: ModalStarGAN, x: torch.Tensor, source: str, target: str) -> torch.Tensor:
    y = made(method, x, source, target)
    return shown(y.softmax(0) if target == "segmentation" else y, target)


def plan(method: ModalStarGAN, b: Batch) -> list[tuple[str, str, int]]:
    """What `draw` draws, in words."""
    source, target, rows = method.draw(b)
    return [(NAMES[s], NAMES[t], r) for s, t, r in zip(source.argmax(1), target.argmax(1), rows.tolist(), strict=True)]


def test_defaults_are_the_published_values():
    assert ModalStarGANConfig().model_dump() == {
        "paired": False, "width": 64, "downs": 3, "blocks": 6, "d_layers": 6, "n_critic": 5, "w_gp": 10, "w_cls": 1,
        "w_rec": 10, "w_l2": 100, "w_depth": 10, "w_seg": 100, "lr": 1e-4, "betas": (0.5, 0.999),
    }  # fmt: skip


def test_layers_of_the_generator(layer_table):
    net, c = Generator(THREE.modalities, 64, 3, 6), torch.eye(3)[:1]
    assert layer_table(net, torch.zeros(1, 7, 16, 16), c, c) == [
        "conv 7 s1 p3 10-64 @16", "conv 7 s1 p3 64-128 @8", "conv 7 s1 p3 128-256 @4",
        *["conv 3 s1 p1 256-256 @2"] * 12,
        "conv 7 s1 p3 256-128 @4", "conv 7 s1 p3 128-64 @8", "conv 7 s1 p3 64-7 @16",
    ]  # fmt: skip
    convs = 49 * (10 * 64 + 64 * 128 + 128 * 256 + 256 * 128 + 128 * 64 + 64 * 7) + 6 * 2 * 9 * 256**2
    assert sum(p.numel() for p in net.parameters()) == convs + 7 + 2 * (448 + 192) + 6 * 2 * 2 * 256


def test_layers_of_the_discriminator():
    with torch.device("meta"):
        net = ModalStarGAN(ModalStarGANConfig(), task_of(RGB, DEPTH, SEG, size=256)).D
        src, cls = net(torch.empty(2, 7, 256, 256))
    assert src.shape == (2, 1, 4, 4) and cls.shape == (2, 3)
    widths = [7, 64, 128, 256, 512, 1024, 2048]
    trunk = sum(16 * a * b + b for a, b in itertools.pairwise(widths))
    assert sum(p.numel() for p in net.parameters()) == trunk + 9 * 2048 + 16 * 2048 * 3


def test_the_first_layer_is_of_the_source_alone_and_the_last_of_the_target():
    """The packed convolution is that of the source's channels and of the label maps; others have no part in it."""
    method, x = small(), torch.rand(1, 7, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    y = made(method, x[0], "depth", "segmentation")
    other = x.clone()
    other[:, :3], other[:, 4:] = 0.7, -0.2
    assert torch.equal(y, made(method, other[0], "depth", "segmentation"))
    conv = method.G.encoder.convs[0][0]
    label = code("segmentation")[:, :, None, None].expand(-1, -1, 16, 16)
    expected = nn.functional.conv2d(x[:, 3:4], conv.weight[:, 3:4], padding=3)
    expected = expected + nn.functional.conv2d(label, conv.weight[:, 7:], padding=3)
    seen = []
    handle = conv.register_forward_hook(lambda _, __, out: seen.append(out))
    made(method, x[0], "depth", "segmentation")
    handle.remove()
    torch.testing.assert_close(seen[0], expected)
    with torch.no_grad():  # the last layer of another modality
        method.G.decoder.convs[-1].weight[:4] = 0
    torch.testing.assert_close(y, made(method, x[0], "depth", "segmentation"))
    assert made(method, x[0], "depth", "rgb").flatten(1).std(1).max() < 1e-6


def test_everything_between_is_shared():
    """Of three modalities or of four only the first and the last layer differ."""
    shapes = []
    for task in (THREE, FOUR):
        G = small(task).G
        own = {id(p) for layer in (G.encoder.convs[0][0], G.decoder.convs[-1]) for p in layer.parameters()}
        shapes.append({name: p.shape for name, p in G.named_parameters() if id(p) not in own})
    assert shapes[0] == shapes[1] and len(shapes[0]) > 10


@pytest.mark.parametrize("paired", [False, True])
def test_draws(paired):
    method, b = small(FOUR, paired=paired), batch(FOUR)
    names = [m.name for m in FOUR.modalities]
    counts = torch.zeros(2, 4, 4)
    torch.manual_seed(1)
    for _ in range(300):
        source, target, rows = method.draw(b)
        for row, (s, t, r) in enumerate(zip(source.argmax(1), target.argmax(1), rows, strict=True)):
            assert s != t and b.label[row, s] and b.label[r, t]
            counts[row // 4, s, t] += 1
            assert not paired or b.label[row, t]
    allowed = torch.zeros(2, 4, 4)
    for k, having in enumerate(FOUR.seen):
        for s in having:
            targets = [t for t in (having if paired else names) if t != s]
            for t in targets:
                allowed[k, names.index(s), names.index(t)] = 1 / len(having) / len(targets)
    torch.testing.assert_close(counts / 1200, allowed, rtol=0, atol=0.04)
    assert ((counts > 0) == (allowed > 0)).all()


@pytest.mark.parametrize("paired", [False, True])
def test_d_losses(paired):
    method, b = small(paired=paired), batch()
    torch.manual_seed(3)
    losses = method.d_losses(b)
    torch.manual_seed(3)
    rows = plan(method, b)
    mix = torch.rand(8, 1, 1, 1)
    adv, cls, gp = [], [], []
    for number, (source, target, other) in enumerate(rows):
        fake = fake_of(method, b.image[number], source, target)
        real = shown(b.image[other, SLICES[target]], target)
        (src_real, cls_real), (src_fake, _) = method.D(real), method.D(fake)
        adv.append(src_fake.mean() - src_real.mean())
        cls.append(-cls_real.log_softmax(1)[0, NAMES.index(target)])
        between = (mix[number] * real + (1 - mix[number]) * fake)[:, SLICES[target]].detach().requires_grad_(True)
        score = method.D(shown(between[0], target))[0].sum()
        (slope,) = torch.autograd.grad(score, between)
        gp.append((slope.norm() - 1) ** 2)  # of the target's channels alone
    assert losses.keys() == {"adv", "gp", "cls"}
    for name, values in {"adv": adv, "gp": gp, "cls": cls}.items():
        torch.testing.assert_close(losses[name], torch.stack(values).mean(), msg=name, rtol=1e-4, atol=1e-5)


def test_g_losses_unpaired():
    method, b = small(), batch()
    torch.manual_seed(1)
    losses = method.g_losses(b)
    torch.manual_seed(1)
    rows = plan(method, b)
    assert {target for _, target, _ in rows} == {source for source, _, _ in rows} == set(NAMES)
    adv, cls, back = [], [], {name: [] for name in NAMES}
    for number, (source, target, _) in enumerate(rows):
        x = b.image[number]
        fake = fake_of(method, x, source, target)
        src, logits = method.D(fake)
        adv.append(-src.mean())
        cls.append(-logits.log_softmax(1)[0, NAMES.index(target)])
        back[source].append((made(method, fake[0], target, source), x[SLICES[source]]))
    assert losses.keys() == {"adv", "cls", "rec"}
    torch.testing.assert_close(losses["adv"], torch.stack(adv).mean())
    torch.testing.assert_close(losses["cls"], torch.stack(cls).mean())  # Eq. 3
    rec = 0  # Eq. 4: L1 where it is known, or cross-entropy where there is a label; all rows count alike
    for name, pairs in back.items():
        y, x = (torch.stack(side) for side in zip(*pairs, strict=True))
        apart = -(x * y.log_softmax(1)).sum() / x.sum() if name == "segmentation" else (y - x).abs()[x > -1].mean()
        rec += apart * len(pairs) / len(rows)
    torch.testing.assert_close(losses["rec"], rec, rtol=1e-4, atol=1e-5)


def test_g_losses_paired():
    method, b = small(paired=True), batch()
    torch.manual_seed(4)
    losses = method.g_losses(b)
    torch.manual_seed(4)
    rows = plan(method, b)
    found = {name: [] for name in NAMES}
    for number, (source, target, _) in enumerate(rows):
        found[target].append((made(method, b.image[number], source, target), b.image[number, SLICES[target]]))
    assert all(found.values())
    (rgb, depth, seg) = ([torch.stack(side) for side in zip(*pairs, strict=True)] for pairs in found.values())
    assert losses.keys() == {"adv", "cls", "l2", "berhu", "ce"}
    torch.testing.assert_close(losses["l2"], (rgb[0] - rgb[1]).square().mean())
    torch.testing.assert_close(losses["berhu"], berhu(*depth, depth[1] > -1))
    torch.testing.assert_close(losses["ce"], -(seg[1] * seg[0].log_softmax(1)).sum() / seg[1].sum())


def test_near_infrared_has_the_distance_of_depth():
    method, b = small(FOUR, paired=True), batch(FOUR)
    phase = method.stages(10)[0].phases[1]
    assert phase.weights == {"adv": 1, "cls": 1, "l2": 100, "berhu": 10, "ce": 100}
    assert method.g_losses(b).keys() == phase.weights.keys()


def test_full_objective_and_order():
    for paired, learnt in ((False, {"rec": 9}), (True, {"l2": 3, "berhu": 4, "ce": 5})):
        method = small(paired=paired, n_critic=3, w_gp=7, w_cls=2, w_rec=9, w_l2=3, w_depth=4, w_seg=5)
        (stage,) = method.stages(100)
        d, g = stage.phases
        assert (stage.steps, d.name, d.updates, d.every) == (100, "D", ["D"], 1)
        assert (g.name, g.updates, g.every) == ("G", ["G"], 3)
        assert d.weights == {"adv": 1, "gp": 7, "cls": 2}  # Eq. 5 and the penalty of Eq. 8
        assert g.weights == {"adv": 1, "cls": 2} | learnt  # Eq. 6
        for phase in (d, g):
            assert [phase.lr(step) for step in (0, 49, 50, 75, 99)] == [1, 1, 1, 0.5, 0.02]
            assert phase.losses(batch()).keys() == phase.weights.keys()


def test_optimisers_hold_each_network_once():
    method = small(lr=3e-4)
    for name, optimizer in method.optimizers().items():
        (group,) = optimizer.param_groups
        assert group["lr"] == 3e-4
        assert [id(p) for p in group["params"]] == [id(p) for p in getattr(method, name).parameters()]
    assert set(method.optimizers()) == {"G", "D"}


def test_the_core_translates_any_to_any_with_the_networks_it_is_given():
    method, b = small(), batch()
    average = copy.deepcopy(method)
    nn.init.normal_(average.G.decoder.convs[-1].weight)
    translator = ModalTranslator(method.translator({"G": average.G}), THREE)
    x = b.image[:1].repeat(4, 1, 1, 1)
    given = torch.tensor([[0, 1, 0], [1, 0, 0], [1, 1, 0], [1, 0, 0.0]])
    wanted = torch.tensor([[0, 0, 1], [0, 1, 1], [0, 0, 1], [1, 0, 0.0]])
    y = unpack(translator.translate(x, given, wanted), THREE.modalities)
    own = unpack(x, THREE.modalities)
    of_depth, of_rgb = (made(average, x[0], name, "segmentation").softmax(0) for name in ("depth", "rgb"))
    torch.testing.assert_close(y["segmentation"][0], of_depth)
    torch.testing.assert_close(y["segmentation"][1], of_rgb)
    torch.testing.assert_close(y["depth"][1], made(average, x[0], "rgb", "depth"))
    torch.testing.assert_close(y["segmentation"][2], (of_rgb + of_depth) / 2)
    assert torch.equal(y["rgb"][3], own["rgb"][0])
    assert not y["rgb"][:3].any() and not y["depth"][[0, 2, 3]].any()


@pytest.mark.parametrize(
    "task, message",
    [
        (task_of(RGB, DEPTH, SEG, size=18), "size 18 must be a multiple of 4"),
        (Task(domains=("a", "b"), size=16), "needs aligned modalities"),
        (task_of(RGB, DEPTH, SEG, seen=(("rgb", "depth"),)), "segmentation is in no set"),
    ],
)
def test_tasks_that_do_not_fit_are_refused(task, message):
    with pytest.raises(ValueError, match=message):
        small(task)
