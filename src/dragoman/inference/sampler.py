"""The sampler: what leaves a training run of a method that makes images from noise."""

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor, nn

from dragoman.data.image import to_pil
from dragoman.errors import UserError, suggest
from dragoman.inference.model import Model

BATCH = 64
"""Images at once."""


class GeneratorCore(nn.Module):
    """The generation itself, tensors only, so that it exports."""

    noise_dim: int
    """U."""

    def forward(self, u: Tensor, c: Tensor) -> Tensor:
        """Generate.

        Args:
            u: [N, U] noise.
            c: [N, K] domain codes; of one domain only, an unconditional generator ignores them.

        Returns:
            Images [N, C, H, W] in [-1, 1]; none depends on what else is in the batch.
        """
        raise NotImplementedError

    def sample_noise(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Noise [count, U], drawn on the CPU."""
        return torch.randn(count, self.noise_dim, generator=generator)


class Sampler(Model[GeneratorCore]):
    """A trained generator. Example: `dragoman.load_sampler("runs/mnist/model")("7", seed=3).save("7.png")`."""

    def __call__(self, label: str | None = None, seed: int = 0) -> Image.Image:
        """One image.

        Args:
            label: The domain; of a conditional generator the seed chooses one if none is given.
            seed: Of the noise.

        Raises:
            UserError: an unknown domain.
        """
        return to_pil(self.generate(self.codes([seed], label), [seed])[0])

    def codes(self, seeds: Sequence[int], label: str | None = None) -> Tensor:
        """Domain codes [N, K]: the label's, else image by image the domains in turn.

        Raises:
            UserError: an unknown domain.
        """
        if label is None:
            return torch.eye(len(self.domains))[[seed % len(self.domains) for seed in seeds]]
        if label not in self.domains:
            raise UserError(f"unknown domain {label!r} in --label; {suggest(label, list(self.domains))}")
        return self.task.code(label).expand(len(seeds), -1)

    @torch.no_grad()
    def generate(self, codes: Tensor, seeds: Sequence[int]) -> Tensor:
        """Images [N, C, H, W] in [-1, 1] on the CPU, each from its own seed's noise: the same in any batch.

        Args:
            codes: [N, K].
            seeds: N of them.
        """
        noise = torch.cat([self.core.sample_noise(1, torch.Generator().manual_seed(seed)) for seed in seeds])
        parts = zip(noise.split(BATCH), codes.split(BATCH), strict=True)
        return torch.cat([self.core(u.to(self.device), c.to(self.device)).float().cpu() for u, c in parts])
