"""The sampler: the same image for the same seed, whatever the batch."""

import pytest
import torch

from dragoman.data.batch import Task
from dragoman.errors import UserError
from dragoman.inference import sampler as module
from dragoman.inference.sampler import GeneratorCore, Sampler


class Blobs(GeneratorCore):
    """A generator small enough to compute by hand: noise times a pattern of the domain."""

    noise_dim = 4

    def __init__(self, domains: int):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.patterns = torch.nn.Parameter(torch.rand(domains, 4, 192, generator=generator) - 0.5)

    def forward(self, u, c):
        return torch.einsum("nu,nk,kup->np", u, c, self.patterns).tanh().view(-1, 3, 8, 8)


def sampler(*domains: str) -> Sampler:
    return Sampler(Blobs(len(domains)), Task(domains=domains, size=8))


def test_an_image_depends_on_its_seed_and_domain_alone():
    made = sampler("a", "b")
    seeds = [5, 7, 6, 5]
    images = made.generate(made.codes(seeds, "b"), seeds)
    assert images.shape == (4, 3, 8, 8)
    assert torch.equal(images[0], images[3])
    assert not torch.equal(images[0], images[1])
    alone = made.generate(made.codes([7], "b"), [7])
    torch.testing.assert_close(images[1], alone[0])
    assert not torch.equal(alone, made.generate(made.codes([7], "a"), [7]))
    noise = torch.randn(1, 4, generator=torch.Generator().manual_seed(7))
    torch.testing.assert_close(alone, made.core(noise, torch.tensor([[0.0, 1.0]])))


def test_more_than_one_batch(monkeypatch):
    made, seeds = sampler("a"), list(range(10))
    whole = made.generate(made.codes(seeds), seeds)
    monkeypatch.setattr(module, "BATCH", 3)
    torch.testing.assert_close(made.generate(made.codes(seeds), seeds), whole)


def test_without_a_label_the_domains_take_turns():
    made = sampler("a", "b", "c")
    assert made.codes([3, 4, 8]).argmax(1).tolist() == [0, 1, 2]
    assert made.codes([3, 4, 8], "c").argmax(1).tolist() == [2, 2, 2]
    with pytest.raises(UserError, match="unknown domain 'd' in --label; there is: a, b, c"):
        made.codes([0], "d")


def test_a_call_gives_a_picture():
    made = sampler("a", "b")
    image = made("b", seed=3)
    assert (image.size, image.mode) == ((8, 8), "RGB")
    assert image.tobytes() == made("b", seed=3).tobytes() != made("b", seed=4).tobytes()
