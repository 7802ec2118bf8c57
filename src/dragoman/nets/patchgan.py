"""The discriminator of patches (Isola et al., pix2pix, CVPR 2017; also of CycleGAN)."""

from torch import nn

from dragoman.nn.norm import InstanceNorm, PlainInstanceNorm


class PatchGAN(nn.Sequential):
    """Convs 4x4, `layers` of stride 2 and two of stride 1, width doubling up to 8 times, to one number a patch.

    Each but the last is followed by LeakyReLU 0.2; IN from the second on, of CycleGAN without scale and shift.
    """

    def __init__(self, channels: int, width: int, layers: int, affine: bool = False):
        """`affine`: IN with a learnt scale and shift, instead of a bias before it."""
        body: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2, True)]
        wide = [width * min(2**layer, 8) for layer in range(layers + 1)]
        for layer in range(1, layers + 1):
            conv = nn.Conv2d(wide[layer - 1], wide[layer], 4, 2 if layer < layers else 1, 1, bias=not affine)
            norm = InstanceNorm(wide[layer]) if affine else PlainInstanceNorm()
            body += [conv, norm, nn.LeakyReLU(0.2, True)]
        super().__init__(*body, nn.Conv2d(wide[-1], 1, 4, 1, 1))
