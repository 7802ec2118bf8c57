"""Distance between images by an independent critic (Danihelka et al., 2017; thesis 2.3.2, Eq. 2.6)."""

import torch
from torch import Tensor, nn

from dragoman.losses.gan import wasserstein_critic
from dragoman.losses.penalties import gradient_penalty
from dragoman.nets.stargan import Trunk

LEAST = 4
"""Images of each set: the generated ones are split in two."""


def independent_wasserstein(
    train: Tensor, validation: Tensor, generated: Tensor, *, steps: int = 500, batch: int = 64, width: int = 32,
    seed: int = 0,
) -> float:  # fmt: skip
    """E[D(validation)] - E[D(generated)] of a critic D that was trained for this alone: an estimate of the distance W1.

    Eq. 2.6. D is trained by WGAN-GP (weight 10) to score training images above every other generated image, and judges
    images that it never saw: the validation images and the remaining generated ones. Larger is worse; about 0 if the
    two sets are alike. Tables 2.1 and 2.2 print the opposite sign. The penalty is soft, so that a critic trained to
    the end shows a distance W as W + W^2 / 20. Only values with the same steps and width compare: the thesis does not
    give its critic; ours is convolutions 4x4 of stride 2 down to 4x4 pixels and a linear layer, Adam(0, 0.9), rate
    3e-3 falling linearly to 0.

    Args:
        train, validation, generated: [N, C, H, W] in [-1, 1], at least four each, H and W at least 8.
        steps: Updates of the critic.
        batch: Real and generated images of each.
        width: Channels of the first convolution.
        seed: Of weights and batches; torch's own generators are left as they were.

    Raises:
        ValueError: too few or too small images, different sizes, or a set whose images are all the same.
    """
    sets = {"train": train, "validation": validation, "generated": generated}
    for name, images in sets.items():
        if images.ndim != 4 or images.shape[1:] != train.shape[1:] or min(images.shape[2:]) < 8:
            raise ValueError(f"images must be [N, C, H, W] of one size, at least 8x8; {name} is {list(images.shape)}")
        if len(images) < LEAST:
            raise ValueError(f"a critic needs at least {LEAST} {name} images, got {len(images)}")
        if (images == images[:1]).all():
            raise ValueError(f"all {name} images are the same: there is nothing to tell apart")
    device = train.device
    seen, unseen = generated[0::2], generated[1::2]
    with torch.random.fork_rng([device] if device.type == "cuda" else []), torch.enable_grad():
        torch.manual_seed(seed)
        critic = _critic(train, width).to(device)
        optimizer = torch.optim.Adam(critic.parameters(), lr=3e-3, betas=(0.0, 0.9))
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
        for _ in range(steps):
            real, fake = (images[torch.randint(len(images), (batch,))].float() for images in (train, seen))
            loss = wasserstein_critic(critic(real), critic(fake)) + 10 * gradient_penalty(critic, real, fake)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        scores = [torch.cat([critic(part.float()) for part in images.split(256)]) for images in (validation, unseen)]
    return (scores[0].double().mean() - scores[1].double().mean()).item()


def _critic(images: Tensor, width: int) -> nn.Sequential:
    """[N, C, H, W] to [N, 1]."""
    _, channels, height, wide = images.shape
    layers = (min(height, wide) // 4).bit_length() - 1  # to between 4 and 7 pixels
    trunk = Trunk(channels, width, layers)
    return nn.Sequential(trunk, nn.Flatten(), nn.Linear(trunk.out_channels * (height >> layers) * (wide >> layers), 1))
