"""The segmenter that evidence uses: its layers, what it learns, and that training is repeatable and leaves no trace."""

import torch

from dragoman.nets.segmenter import Segmenter, train_segmenter


def test_layers_sizes_and_count():
    with torch.device("meta"):
        net, x = Segmenter(3, 11, width=16), torch.empty(2, 3, 64, 64)

    def block(i, o):
        return 9 * i * o + 9 * o * o + 4 * o

    down = block(3, 16) + block(16, 32) + block(32, 64) + block(64, 128)
    up = block(128 + 64, 64) + block(64 + 32, 32) + block(32 + 16, 16)
    assert sum(p.numel() for p in net.parameters()) == down + up + 16 * 11 + 11
    assert net(x).shape == (2, 11, 64, 64)


def _squares() -> tuple[torch.Tensor, torch.Tensor]:
    """A bright square somewhere on noise; its border is of no class."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(32, 1, 16, 16, generator=generator) * 0.2, torch.zeros(32, 16, 16, dtype=torch.uint8)
    for n in range(32):
        i, j = torch.randint(1, 8, (2,), generator=generator).tolist()
        x[n, :, i : i + 6, j : j + 6] += 1
        y[n, i - 1 : i + 7, j - 1 : j + 7] = 255
        y[n, i : i + 6, j : j + 6] = 1
    return x, y


def test_it_learns_what_is_where_and_the_global_random_state_stays():
    x, y = _squares()
    before = torch.get_rng_state()
    net = train_segmenter(x, y, 2, steps=40, batch=8)
    assert torch.equal(torch.get_rng_state(), before)
    known = y != 255
    assert (net(x).argmax(1)[known] == y[known]).float().mean() > 0.97
    assert not net.training and not any(p.requires_grad for p in net.parameters())
    again, other = (train_segmenter(x, y, 2, steps=3, batch=8, seed=s)(x) for s in (0, 1))
    assert torch.equal(again, train_segmenter(x, y, 2, steps=3, batch=8)(x))
    assert not torch.equal(again, other)
