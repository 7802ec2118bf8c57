"""The measurement, on translators whose result is known."""

import colorsys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from translators import Nothing

from dragoman.data.batch import Task
from dragoman.data.dataset import Arrays, Folder
from dragoman.errors import UserError
from dragoman.inference.translator import Core, Translator
from dragoman.metrics import classification
from dragoman.metrics.measure import Measure
from dragoman.metrics.measurements import METRICS
from dragoman.metrics.protocol import Protocol, collect, targets, translate_all
from dragoman.worlds.digits import BACKGROUND, COLOURS, Digits

PROTOCOL = Protocol(inputs=90, styles=3, classifier_images=1000, classifier_steps=80)


class Recolour(Core):
    """Repaints a digit in the middle of the target's colour, a little lighter or darker with the style."""

    style_dim = 1

    def __init__(self):
        super().__init__()
        colours = [colorsys.hsv_to_rgb(hue / 360, 0.8, 0.7) for hue in COLOURS.values()]
        self.colours = nn.Parameter(torch.tensor(colours) * 2 - 1)

    def forward(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, None]:
        paper = BACKGROUND * 2 - 1
        ink = (x - paper).abs().amax(1, keepdim=True)
        ink = ink / ink.amax((2, 3), keepdim=True)
        colour = c @ self.colours + 0.1 * torch.tanh(s)
        return paper * (1 - ink) + colour[:, :, None, None] * ink, None


@pytest.fixture(scope="module")
def digits() -> tuple[Arrays, Arrays]:
    world = Digits(size=16, variants=1)
    return world.open("train"), world.open("test")


@pytest.fixture(scope="module")
def measure(digits) -> Measure:
    return Measure(*digits, PROTOCOL)


def test_perfect_recolouring_and_doing_nothing(digits, measure):
    task = digits[0].task
    perfect, nothing = measure(Translator(Recolour(), task)), measure(Translator(Nothing(), task))
    assert perfect["n"] == nothing["n"] == 90
    assert perfect["metrics"]["domain_accuracy"] > 0.95
    assert nothing["metrics"]["domain_accuracy"] < 0.05
    real = perfect["metrics"]["digit_accuracy_real"]
    assert perfect["metrics"]["domain_accuracy_real"] > 0.95 and real > 0.5
    assert nothing["metrics"]["digit_accuracy"] == pytest.approx(real, abs=0.02)  # each image, three times over
    assert perfect["metrics"]["digit_accuracy"] > real - 0.15
    assert nothing["metrics"]["diversity"] == 0
    assert perfect["model"] == {"parameters": 12, "mebibytes": 12 * 4 / 2**20, "multiply_adds": 12}  # c @ colours
    for result in (perfect, nothing):
        assert list(result["per_domain"]) == list(task.domains)
        assert "90 test images" in result["protocol"] and "3 styles (seed 0)" in result["protocol"]


def test_totals_are_means_over_translations(digits, measure):
    result = measure(Translator(Recolour(), digits[0].task))
    sent = (measure.test.labels == 0).sum(0).tolist()  # images that were of another domain
    for name in ("domain_accuracy", "digit_accuracy", "diversity"):
        parts = [values[name] * n for values, n in zip(result["per_domain"].values(), sent, strict=True)]
        assert result["metrics"][name] == pytest.approx(sum(parts) / sum(sent))


def test_diversity_is_that_of_the_styles(digits):
    metrics = Measure(*digits, PROTOCOL, metrics=("diversity",))
    result = metrics(Translator(Recolour(), digits[0].task))
    rows = metrics.test.labels[:, 0] == 0
    x, codes = metrics.test.images[rows], torch.eye(4)[0].expand(int(rows.sum()), -1)
    styles = [torch.randn(len(x), 1, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    outputs = [Recolour()(x, codes, s)[0] for s in styles]
    pairs = [(outputs[a] - outputs[b]).abs().mean().item() for a, b in ((0, 1), (0, 2), (1, 2))]
    assert result["per_domain"]["blue"] == {"diversity": pytest.approx(sum(pairs) / 3, rel=1e-5)}
    assert result["metrics"].keys() == {"diversity"}


def test_reverse_accuracy(digits):
    metrics = Measure(*digits, PROTOCOL, metrics=("reverse_accuracy",))
    assert metrics.reverse_real() > 0.9
    assert metrics(Translator(Recolour(), digits[0].task))["metrics"]["reverse_accuracy"] > 0.9
    # A classifier that learnt from translations of the wrong colour is never right.
    assert metrics(Translator(Nothing(), digits[0].task))["metrics"]["reverse_accuracy"] < 0.1


def test_identity_distance_is_zero_only_where_nothing_changes(digits):
    metrics = Measure(*digits, PROTOCOL, metrics=("identity_distance",))
    nothing, repainted = (metrics(Translator(core, digits[0].task))["metrics"] for core in (Nothing(), Recolour()))
    assert nothing.keys() == repainted.keys() == {"identity_distance"}
    assert nothing["identity_distance"] == pytest.approx(0, abs=1e-6)
    assert 1e-3 < repainted["identity_distance"] < 0.5


def test_the_batch_size_changes_no_number(digits, measure, monkeypatch):
    translator = Translator(Recolour(), digits[0].task)
    before = measure(translator)
    monkeypatch.setattr(classification, "BATCH", 7)
    assert measure(translator)["metrics"] == pytest.approx(before["metrics"], abs=1e-6)
    images, codes = measure.test.images, torch.eye(4)[torch.arange(90) % 4]
    styles = torch.randn(90, 1, generator=torch.Generator().manual_seed(4))
    alone = [translator.translate(images[n : n + 1], codes[n : n + 1], styles[n : n + 1])[0] for n in range(90)]
    torch.testing.assert_close(translate_all(translator, images, codes, 4)[0], torch.cat(alone))


def test_the_same_twice_and_the_global_random_state_stays(digits, measure):
    translator = Translator(Recolour(), digits[0].task)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = Measure(*digits, PROTOCOL)(translator)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    assert measure(translator) == first


def test_targets_of_exclusive_domains_are_the_images_of_the_others():
    task = Task(domains=("a", "b"), size=16)
    labels = torch.tensor([[1.0, 0], [0, 1], [1, 0]])
    (a, rows_a, codes_a), (b, rows_b, codes_b) = targets(task, labels)
    assert (a, rows_a.tolist(), codes_a.tolist()) == ("a", [1], [[1, 0]])
    assert (b, rows_b.tolist(), codes_b.tolist()) == ("b", [0, 2], [[0, 1], [0, 1]])


def test_targets_of_attributes_flip_one_in_every_image():
    task = Task(domains=("hat", "smile"), size=16, exclusive=False)
    labels = torch.tensor([[1.0, 0], [1, 1]])
    (hat, rows, codes), (smile, _, others) = targets(task, labels)
    assert (hat, smile, rows.tolist()) == ("hat", "smile", [0, 1])
    assert codes.tolist() == [[0, 0], [0, 1]] and others.tolist() == [[1, 1], [1, 0]]
    assert labels.tolist() == [[1, 0], [1, 1]]


class Patch(Core):
    """Sets the brightness of the upper and the lower half: one attribute each."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, None]:
        return _halves(c, x.shape[2]).expand_as(x), None


def _halves(codes: Tensor, size: int) -> Tensor:
    return (codes - 0.5)[:, None, :, None].repeat_interleave(size // 2, 2).expand(-1, 1, -1, size)


@pytest.mark.parametrize("core, low, high", [(Patch, 0.95, 1.0), (Nothing, 0.45, 0.55)])
def test_attributes(core, low, high):
    codes = (torch.rand(200, 2, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    noise = 0.1 * torch.randn(200, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    images = ((_halves(codes, 16) + noise).clamp(-1, 1) * 127.5 + 127.5).to(torch.uint8)
    task = Task(domains=("upper", "lower"), size=16, exclusive=False, channels=1)
    data = Arrays(task, images.permute(0, 2, 3, 1).numpy(), codes, {})
    protocol = Protocol(inputs=40, classifier_steps=60)
    result = Measure(data, data, protocol, metrics=("domain_accuracy",))(Translator(core(), task))
    assert low <= result["metrics"]["domain_accuracy"] <= high  # Nothing is wrong in the one of two that was flipped
    assert result["metrics"]["domain_accuracy_real"] > 0.95


def test_a_domain_that_every_test_image_is_of_already_is_left_out(digits):
    train, test = digits
    blue = test.labels[:, 0] == 1
    only = Arrays(test.task, test.images[blue.numpy()], test.labels[blue], {})
    result = Measure(train, only, PROTOCOL, metrics=("domain_accuracy",))(Translator(Recolour(), test.task))
    assert list(result["per_domain"]) == ["green", "red", "yellow"]
    assert result["metrics"]["domain_accuracy"] > 0.95


def test_collect_draws_without_replacement_and_is_repeatable(digits):
    test = digits[1]
    some, same, other = (collect(test, 50, seed) for seed in (0, 0, 1))
    assert some.images.shape == (50, 3, 16, 16) and some.labels.shape == (50, 4)
    assert torch.equal(some.images, same.images) and not torch.equal(some.images, other.images)
    everything = collect(test, 10_000, 0)
    assert len(everything.images) == len(test) == len(everything.attributes["digit"])
    number = {test.load(n).numpy().tobytes(): n for n in range(len(test))}
    rows = [number[image.numpy().tobytes()] for image in everything.images]
    assert sorted(rows) == list(range(len(test)))
    assert torch.equal(everything.labels, test.labels[rows])
    assert torch.equal(everything.attributes["digit"], test.attributes["digit"][rows])


def test_damaged_images_are_left_out_and_nothing_left_is_an_error(tmp_path):
    rng = np.random.default_rng(0)
    for domain in ("a", "b"):
        for n in range(2):
            path = tmp_path / "train" / domain / f"{n}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (20, 20, 3), np.uint8)).save(path)
    data = Folder(root=tmp_path, size=16).open("train")
    data.manifest.root.joinpath("train/a/0.png").write_bytes(b"no image")
    found = collect(data, 10, 0)
    assert found.images.shape == (3, 3, 16, 16) and found.labels.sum(0).tolist() == [1, 2]
    for row in data.rows:
        (tmp_path / row.file_name).write_bytes(b"no image")
    with pytest.raises(UserError, match="no image could be read"):
        collect(Folder(root=tmp_path, size=16).open("train"), 10, 0)


def test_an_unknown_metric_is_an_error(digits):
    with pytest.raises(UserError, match=r"unknown metric 'fid'; there is: .*reverse_accuracy"):
        Measure(*digits, PROTOCOL, metrics=(*METRICS, "fid"))
