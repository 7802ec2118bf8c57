"""What an evaluation leaves: where it goes, its numbers, its plot, and that the same call replaces it."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from dragoman.data.batch import Task
from dragoman.data.dataset import Arrays
from dragoman.errors import UserError
from dragoman.inference.translator import Core, Translator
from dragoman.metrics.extractor import Extractor
from dragoman.metrics.features import Kept
from dragoman.metrics.measure import Measure
from dragoman.metrics.protocol import Protocol
from dragoman.report import evaluation
from dragoman.report.evaluation import EACH, Place, place, plot, save, write_evaluation, write_metrics
from dragoman.report.html import report
from dragoman.worlds.digits import Digits

PROTOCOL = Protocol(inputs=60, styles=2, classifier_images=300, classifier_steps=5, least=10)


class Shift(Core):
    """Adds the style to every pixel; counts its images and how often it is called."""

    style_dim = 1

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))
        self.images = 0

    def forward(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, None]:
        self.images += len(x)
        return (self.gain * x + 0.1 * s[:, :, None, None]).clamp(-1, 1), None


@pytest.fixture(scope="module")
def digits() -> tuple[Arrays, Arrays]:
    world = Digits(size=16, variants=1)
    return world.open("train"), world.open("test")


def measured(
    data: tuple[Arrays, Arrays], metrics: tuple[str, ...], most: int = 12
) -> tuple[Measure, dict, Kept, Shift]:
    measure, core, kept = Measure(*data, PROTOCOL, metrics), Shift(), Kept(most)
    result = measure(Translator(core, data[0].task), kept=kept)
    return measure, result, kept, core


def test_features_of_real_inputs_and_of_translations_are_kept(digits):
    measure, _, kept, core = measured(digits, ("domain_accuracy",))
    inputs, net = measure.test, measure.classifier
    assert list(kept.real) == list(kept.translated) == list(digits[0].task.domains)
    for number, domain in enumerate(kept.real):
        of, others = inputs.images[inputs.labels[:, number] == 1], inputs.images[inputs.labels[:, number] == 0]
        torch.testing.assert_close(kept.real[domain], net.features(of)[:12])
        styles = torch.randn(len(others), 1, generator=torch.Generator().manual_seed(0))
        expected = net.features(core(others[:12], torch.zeros(12, 4), styles[:12])[0])
        torch.testing.assert_close(kept.translated[domain], expected)
    assert kept.text == "classifier of the data, trained on real images; real images: test split"


@pytest.mark.parametrize("metrics", [("domain_accuracy",), ("distribution",), ("domain_accuracy", "distribution")])
def test_keeping_costs_no_pass_and_changes_no_number(digits, monkeypatch, metrics):
    def count(keep: bool) -> tuple[list[int], dict]:
        seen = [0, 0]
        measure, core = Measure(*digits, PROTOCOL, metrics), Shift()
        features, call = type(measure.classifier).features, Extractor.__call__

        def by_classifier(net, x):
            seen[0] += len(x)
            return features(net, x)

        def by_extractor(extractor, x):
            seen[1] += len(x)
            return call(extractor, x)

        with monkeypatch.context() as patch:
            patch.setattr(type(measure.classifier), "features", by_classifier)
            patch.setattr(Extractor, "__call__", by_extractor)
            result = measure(Translator(core, digits[0].task), kept=Kept(9) if keep else None)
        return [*seen, core.images], result

    assert count(True) == count(False)


def test_real_images_are_of_the_train_split_where_only_the_distribution_is_measured(digits):
    measure, _, kept, _ = measured(digits, ("distribution",))
    assert kept.text.endswith("real images: train split")
    blue = measure.train.images[measure.train.labels[:, 0] == 1]
    torch.testing.assert_close(kept.real["blue"], measure.classifier.features(blue)[:12])
    assert {len(x) for x in (*kept.real.values(), *kept.translated.values())} == {12}


@pytest.mark.parametrize("metrics", [("diversity",), ("content_accuracy", "reverse_accuracy")])
def test_without_features_there_is_no_plot_and_the_reason_is_said(digits, metrics):
    kept = measured(digits, metrics)[2]
    assert not kept.real and not kept.translated
    assert plot(kept) == (None, "no plot: none of the metrics measured compares features of real and translated images")


def test_attributes_have_one_group_of_real_images():
    codes = (torch.rand(80, 2, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    images = torch.randint(0, 256, (80, 16, 16, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    task = Task(domains=("hat", "smile"), size=16, exclusive=False)
    data = Arrays(task, images.numpy(), codes, {})
    kept = measured((data, data), ("domain_accuracy",), most=20)[2]
    assert list(kept.real) == [""] and list(kept.translated) == ["hat", "smile"]
    assert plot(kept)[1].startswith("Principal components of 60 images, at most 20 of each kind.")


def groups(count: int, offset: float = 1.0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(count, 5, generator=generator) + offset * n for n, name in enumerate("ab")}


@pytest.mark.parametrize(("count", "says"), [(30, "t-SNE of 120 images"), (20, "Principal components of 80 images")])
def test_the_plot_has_every_group(count, says):
    picture, text = plot(Kept(count, "Somebody's network", groups(count), groups(count, 3)))
    assert text.startswith(f"{says}, at most {count} of each kind. Features: Somebody's network;")
    assert picture is not None and picture.width > picture.height > 450


@pytest.mark.parametrize(
    ("features", "says"),
    [
        (torch.zeros(9, 5), "no plot: all features are the same"),
        (torch.full((9, 5), torch.nan), "no plot: features must be finite"),
        (torch.randn(1, 5), "no plot: at least 4 features are needed, got 2"),
    ],
)
def test_features_that_cannot_be_projected_are_no_mistake(features, says):
    picture, text = plot(Kept(9, "", {"a": features}, {"a": features}))
    assert picture is None and text.startswith(says)


@pytest.mark.parametrize(("domains", "points", "most"), [(4, 2000, 250), (2, 2000, EACH), (11, 400, 18), (500, 400, 1)])
def test_a_plot_is_bounded(domains, points, most):
    task = Task(domains=tuple(map(str, range(domains))), size=16)
    assert evaluation.kept(task, points).most == most


def test_where_an_evaluation_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = tmp_path / "runs/demo"
    (run / "model").mkdir(parents=True)
    (run / "config.json").write_text('{"recipe": "sdit.tiny"}')
    (run / "model/config.json").write_text('{"method": "sdit"}')
    record = run / "evaluations/digits-test.json"
    assert place(run / "model", "digits", "test", None) == Place(run, record)
    assert place(tmp_path / "elsewhere", "digits", "test", run) == Place(run, record)
    assert place(run / "model", "digits", "test", tmp_path) == Place(tmp_path, tmp_path / "metrics.json")
    assert place(run / "model/copy", "digits", "test", None) is None
    assert place(run, "digits", "test", None) is None
    other = place(run / "model", str(tmp_path / "my photos/"), "a/b", None)
    assert other is not None and other.record.name == "my_photos-a_b.json"
    monkeypatch.chdir(run / "model")
    assert place(Path(), "digits", "test", None) == Place(run, record)
    (run / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.json is damaged"):
        place(run / "model", "digits", "test", None)


def test_a_picture_that_there_is_none_of_any_more_is_removed(tmp_path: Path):
    result = {"metrics": {"diversity": 0.5}, "n": 3}
    for where in (Place(tmp_path, tmp_path / "metrics.json"), Place(tmp_path, tmp_path / "evaluations/x.y-test.json")):
        picture = Image.new("RGB", (3, 3))
        both = save(where, result, {"grid": picture, "features": picture})
        assert [path.exists() for path in both] == [True] * 3 and both[0] == where.record
        assert save(where, result, {"grid": picture, "features": None}) == both[:2]
        assert not both[2].exists()
        assert json.loads(where.record.read_text()) == {"diversity": 0.5, "n": 3}
    assert sorted(p.name for p in tmp_path.rglob("*.png")) == ["grid.png", "x.y-test.grid.png"]


def test_a_folder_of_its_own_gets_a_report(digits, tmp_path: Path):
    measure, result, kept, core = measured(digits, ("domain_accuracy", "sift", "diversity"))
    about = {"model": "some/<model>", "data": "digits", "split": "test"}
    where = Place(tmp_path, tmp_path / "metrics.json")
    translator = Translator(core, digits[0].task, {"sha256": "0123456789abcdef"})
    written = write_evaluation(where, about, result, translator, measure.test, kept, print)
    assert [path.name for path in written] == ["metrics.json", "grid.png", "features.png", "report.html"]
    page = (tmp_path / "report.html").read_text()
    numbers = json.loads((tmp_path / "metrics.json").read_text())
    count = sum(len(x) for x in (*kept.real.values(), *kept.translated.values()))
    counts = (measure.test.labels == 0).sum(0).tolist()
    for text in (
        "Model some/&lt;model&gt; (SHA-256 0123456789ab) on digits, test split.", f"{numbers['domain_accuracy']:.4f}",
        f"{numbers['per_domain']['red']['diversity']:.4f}", "60 test images, each to every other domain, 2 styles",
        f'<tr><td>N</td>{"".join(f"<td class=n>{n}</td>" for n in counts)}</tr>'.replace("class=n", 'class="n"'),
        "<li>sift: needs poses of the images</li>", "1 parameters, 0.0 MiB, 0.000 billion multiply-adds",
        'alt="Translations"', 'alt="Features"', f"t-SNE of {count} images, at most 12 of each kind",
    ):  # fmt: skip
        assert text in page, text
    assert "<h2>Recipe</h2>" not in page and "<h2>Environment</h2>" not in page
    before = page
    (tmp_path / "report.html").unlink()
    assert report(tmp_path).read_text() == before


def test_what_is_left_out_is_said(digits):
    train, test = digits
    blue = test.labels[:, 0] == 1
    only = Arrays(test.task, test.images[blue.numpy()], test.labels[blue], {})
    measure = Measure(train, only, PROTOCOL, ("diversity", "content_accuracy"))
    measure.test.bad = ["a.png: damaged"]
    measure.train.bad = [f"{n}.png: damaged" for n in range(30)]
    result = measure(Translator(Shift(), test.task))
    assert result["left_out"] == [
        "content_accuracy: needs labels of content: attributes that are no domain", "target blue: every input is of it",
        "a.png: damaged", *(f"{n}.png: damaged" for n in range(19)), "and 11 more images",
    ]  # fmt: skip
    assert result["n_per_domain"] == dict.fromkeys(("green", "red", "yellow"), min(60, int(blue.sum())))


def test_metrics_are_at_the_top(tmp_path: Path):
    write_metrics(tmp_path / "m.json", {"metrics": {"a": 0.5}, "n": 3, "protocol": "how"})
    assert list(json.loads((tmp_path / "m.json").read_text()).items()) == [("a", 0.5), ("n", 3), ("protocol", "how")]
