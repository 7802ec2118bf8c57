"""Generators measured: a perfect one, one that repeats itself, one that makes the wrong things."""

import pytest
import torch
from safetensors.torch import save_file

from dragoman.data.batch import Task
from dragoman.data.dataset import Arrays
from dragoman.errors import UserError
from dragoman.inference.sampler import GeneratorCore, Sampler
from dragoman.metrics import extractor
from dragoman.metrics.features import Kept
from dragoman.metrics.frechet import frechet_distance
from dragoman.metrics.generation import MeasureSamples, rank
from dragoman.metrics.protocol import Protocol
from dragoman.nets.frozen import PUBLISHED, build
from dragoman.worlds.digits import Digits

TRAIN, TEST = (Digits(size=16, variants=1, source="small").open(split) for split in ("train", "test"))
PROTOCOL = Protocol(inputs=60, classifier_steps=60, least=20, reference=80)


class Memory(GeneratorCore):
    """Gives back images it has seen: of the domain asked for, or shifted by some domains; only so many of each."""

    noise_dim = 1

    def __init__(self, data: Arrays, shift: int = 0, many: int = 10_000):
        super().__init__()
        self.shift, self.scale = shift, torch.nn.Parameter(torch.ones(()))
        rows = [data.labels[:, k].nonzero()[:many, 0].tolist() for k in range(data.labels.shape[1])]
        self.images = [torch.stack([data.load(row) for row in own]) for own in rows]

    def forward(self, u, c):
        domains = (c.argmax(1) + self.shift) % c.shape[1]
        chosen = [self.images[k] for k in domains.tolist()]
        places = [int(v * len(own)) for v, own in zip(u[:, 0].tolist(), chosen, strict=True)]
        return self.scale * torch.stack([own[place] for own, place in zip(chosen, places, strict=True)])

    def sample_noise(self, count, generator=None):
        return torch.rand(count, 1, generator=generator)


@pytest.fixture(scope="module")
def measure() -> MeasureSamples:
    return MeasureSamples(TRAIN, TEST, PROTOCOL)


def test_wrong_domains_are_wrong_and_right_ones_are_right(measure):
    right = measure(Sampler(Memory(TEST), TEST.task))["metrics"]
    wrong = measure(Sampler(Memory(TEST, shift=1), TEST.task))["metrics"]
    assert right["classifier_error"] < 0.05
    assert wrong["classifier_error"] > 0.95
    assert right["fd_classifier"] < 0.2 * wrong["fd_classifier"]
    assert right["kmmd"] < 0.5 * wrong["kmmd"]


def test_repeating_a_few_shows_in_the_variance_and_in_the_distance(measure):
    many = measure(Sampler(Memory(TEST), TEST.task))["metrics"]
    few = measure(Sampler(Memory(TEST, many=2), TEST.task))["metrics"]
    assert few["mean_variance"] < many["mean_variance"]
    assert few["fd_classifier"] > many["fd_classifier"]


def test_copies_of_the_training_images_have_no_distance_to_them(measure):
    copies = measure(Sampler(Memory(TRAIN), TRAIN.task))["metrics"]
    fresh = measure(Sampler(Memory(TEST), TEST.task))["metrics"]
    assert copies["nearest_train"] == pytest.approx(0, abs=1e-4)
    assert fresh["nearest_train"] == pytest.approx(fresh["nearest_train_real"], rel=0.2)
    assert fresh["nearest_train"] > 0.05


def test_the_result_says_how_it_was_measured(measure):
    kept = Kept(10)
    result = measure(Sampler(Memory(TEST), TEST.task), kept)
    assert result["n"] == 240 and result["n_per_domain"] == dict.fromkeys(TEST.task.domains, 60)
    assert "60 images of each domain (seeds from 0)" in result["protocol"]
    assert set(result["per_domain"]) == set(TEST.task.domains) and result["left_out"] == []
    for domain in TEST.task.domains:
        assert kept.real[domain].shape == kept.translated[domain].shape == (10, 128)
    mean = sum(values["fd_classifier"] for values in result["per_domain"].values()) / 4
    assert result["metrics"]["fd_classifier"] == pytest.approx(mean)


def test_all_domains_together(measure):
    """What a shift of the domains changes is each one's distance, not that of all."""
    made = [measure(Sampler(Memory(TEST, shift), TEST.task), kept := Kept(80)) for shift in (0, 1)]
    right, wrong = (one["metrics"] for one in made)
    real, fake = (torch.cat([side[domain] for domain in TEST.task.domains]) for side in (kept.real, kept.translated))
    assert wrong["fd_classifier_all"] == pytest.approx(frechet_distance(fake, real), rel=1e-4)
    assert wrong["fd_classifier_all"] == pytest.approx(right["fd_classifier_all"], rel=0.2)
    assert wrong["fd_classifier_all"] < 0.2 * wrong["fd_classifier"]


def test_one_domain_is_told_apart_by_its_content_or_not_at_all():
    task, images = Task(domains=("digits",), size=16), TEST.images[:200]
    labels, digits = torch.ones(200, 1), TEST.attributes["digit"][:200]
    data = Arrays(task, images, labels, {"digit": digits})
    result = MeasureSamples(data, data, PROTOCOL)(Sampler(Memory(data), task))
    assert {"fd_classifier", "kmmd", "mean_variance", "nearest_train"} <= set(result["metrics"])
    assert not {"classifier_error", "fd_classifier_all"} & set(result["metrics"])
    plain = Arrays(task, images, labels, {})
    result = MeasureSamples(plain, plain, PROTOCOL)(Sampler(Memory(plain), task))
    assert "fd_classifier" not in result["metrics"] and "mean_variance" in result["metrics"]
    assert "needs two domains or labels" in result["left_out"][0]


def test_ranking_needs_weights_and_images(monkeypatch, tmp_path):
    monkeypatch.setenv("DRAGOMAN_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(UserError, match="ranking needs the weights of squeezenet"):
        rank({"a": Sampler(Memory(TEST), TEST.task)}, TEST, Protocol(features="squeezenet"))


def test_the_nearest_source_is_ranked_first(monkeypatch, tmp_path):
    """Of two memories of single colours, the one of the target's colour; the features have random weights."""
    monkeypatch.setenv("DRAGOMAN_DATA", str(tmp_path))
    monkeypatch.setattr(extractor, "SQUEEZENET_SIZE", 32)
    (tmp_path / "weights").mkdir()
    state = {k: v.contiguous() for k, v in build("squeezenet").state_dict().items()}
    save_file(state, tmp_path / PUBLISHED["squeezenet"].items[0].name)
    task = Task(domains=("images",), size=16)
    colours = []
    for number in (0, 1):
        rows = TEST.labels[:, number].nonzero()[:80, 0]
        colours.append(Arrays(task, TEST.images[rows], torch.ones(len(rows), 1), {}))
    samplers = {name: Sampler(Memory(data), task) for name, data in zip(("first", "second"), colours, strict=True)}
    protocol = Protocol(features="squeezenet", inputs=60, reference=60, least=20)
    found = rank(samplers, colours[1], protocol)
    assert [name for name, _ in found] == ["second", "first"]
    assert found[1][1] > 2 * found[0][1]
    with pytest.raises(UserError, match="at least 20 target images, got 5"):
        rank(samplers, colours[1], protocol.model_copy(update={"reference": 5}))
    samplers["small"] = Sampler(Memory(colours[0]), task.model_copy(update={"size": 8}))
    with pytest.raises(UserError, match=r"of one size and number of channels, got first 16 \(3\), .*, small 8 \(3\)"):
        rank(samplers, colours[1], protocol)
