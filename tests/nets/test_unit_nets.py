"""UNIT's networks: layers, counts, shared layers, sizes."""

import pytest
import torch

from dragoman.nets.unit import Decoder, Discriminator, Encoder, Encoders, Generators, ResBlock, noisy


def count(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def conv(size: int, i: int, o: int) -> int:
    return size * size * i * o + o


def test_counts_of_the_published_encoder_and_decoder():
    """EGSC-IT, Table 6, n_1 = 3, n_2 = 4: conv 7x7, two of stride 2, three own blocks; the fourth is shared."""
    block = 2 * conv(3, 256, 256)
    assert count(ResBlock(256)) == block == 1_180_160
    encoder = conv(7, 3, 64) + conv(3, 64, 128) + conv(3, 128, 256) + 3 * block
    assert count(Encoder(3, 64, 2, 3)) == encoder == 3_918_976
    decoder = 3 * block + conv(3, 256, 128) + conv(3, 128, 64) + conv(1, 64, 3)
    assert count(Decoder(3, 64, 2, 3)) == decoder == 3_909_507
    assert count(Encoders(3, 64, 2, 4)) == 2 * encoder + block
    assert count(Generators(3, 64, 2, 4)) == 2 * decoder + block


def test_digits_are_not_made_smaller():
    """n_1 = 1: one convolution, no stride."""
    x = torch.randn(2, 3, 28, 28)
    h = Encoder(3, 8, 0, 3)(x)
    assert h.shape == (2, 8, 28, 28)
    assert Decoder(3, 8, 0, 3)(h).shape == x.shape


def test_the_shared_block_is_last_in_e_and_first_in_g():
    torch.manual_seed(0)
    encoders, generators, x = Encoders(3, 4, 1, 2), Generators(3, 4, 1, 2), torch.randn(1, 3, 8, 8)
    for domain in (0, 1):
        torch.testing.assert_close(encoders(x, domain), encoders.shared(encoders.own[domain](x)))
        h = encoders(x, domain)
        assert torch.equal(generators.content(h), generators.shared(h))
        assert torch.equal(generators(h, domain), generators.own[domain](h))
    assert not torch.equal(encoders(x, 0), encoders(x, 1))


def test_residual_block_and_its_reflection():
    torch.manual_seed(0)
    block, x = ResBlock(2), torch.randn(1, 2, 5, 5)

    def plain(layer, y):
        padded = torch.nn.functional.pad(y, (1, 1, 1, 1), mode="reflect")
        return torch.nn.functional.conv2d(padded, layer.weight, layer.bias)

    torch.testing.assert_close(block(x), x + plain(block.conv2, plain(block.conv1, x).relu()))


def test_discriminator_table():
    """Convs 4x4 of stride 2 from 64 to 512, IN from the second on, conv 1x1 (n_3 = 5)."""
    net = Discriminator(3, 64, 4)
    convs = conv(4, 3, 64) + conv(4, 64, 128) + conv(4, 128, 256) + conv(4, 256, 512) + conv(1, 512, 1)
    assert count(net) == convs + 2 * (128 + 256 + 512)
    assert [type(norm).__name__ for norm in net.norms] == ["Identity"] + ["InstanceNorm"] * 3
    assert net(torch.zeros(2, 3, 64, 64)).shape == (2, 1, 4, 4)


@pytest.mark.parametrize(("size", "left"), [(28, 2), (32, 2), (33, 3), (17, 2)])
def test_each_layer_of_the_discriminator_halves_rounding_up(size, left):
    """At 28 pixels two places a side remain; with one, its instance norm would leave nothing of the image."""
    torch.manual_seed(0)
    net = Discriminator(1, 2, 4)
    seen = net(torch.randn(2, 1, size, size))
    assert seen.shape == (2, 1, left, left)
    assert not torch.allclose(seen[0], seen[1])


def test_noise_has_unit_variance_around_the_mean():
    torch.manual_seed(0)
    noise = noisy(torch.full((10, 20, 5, 10), 3.0))
    assert noise.mean().item() == pytest.approx(3, abs=0.05)
    assert noise.std().item() == pytest.approx(1, abs=0.05)
