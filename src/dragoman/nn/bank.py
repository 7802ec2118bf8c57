"""A bank of styles: those of the last training exemplars, for translating when no exemplar is given."""

import torch
from torch import Tensor, nn


class StyleBank(nn.Module):
    """The styles of the last `size` exemplars of each of K domains; what is in several counts for the first."""

    styles: Tensor
    """[K, size, S]."""
    count: Tensor
    """[K], how many have been put in so far."""

    def __init__(self, domains: int, size: int, dim: int):
        super().__init__()
        self.register_buffer("styles", torch.zeros(domains, size, dim))
        self.register_buffer("count", torch.zeros(domains, dtype=torch.int64))

    @torch.no_grad()
    def put(self, style: Tensor, label: Tensor) -> None:
        """Keep styles [N, S] of exemplars of the domains [N, K], in place of the oldest."""
        domains, size, _ = self.styles.shape
        # At most `size` at a time, so that no two are written to one place.
        for part, domain in zip(style.split(size), label.argmax(1).split(size), strict=True):
            one = (domain[:, None] == torch.arange(domains, device=domain.device)).long()
            place = (self.count + one.cumsum(0) - 1).gather(1, domain[:, None])[:, 0] % size
            self.styles[domain, place] = part.to(self.styles.dtype)
            self.count += one.sum(0)

    def draw(self, c: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A style [N, S] of the domain of each code [N, K], drawn on the CPU; zeros where the bank is still empty."""
        domain = c.argmax(1).to(self.count.device)
        known = self.count.clamp(max=self.styles.shape[1])[domain]
        place = (torch.rand(len(c), generator=generator).to(known.device) * known).long()
        return self.styles[domain, place]
