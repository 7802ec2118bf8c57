"""MineGAN: miners steer the noise of pretrained generators to a target with few images."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from dragoman.config import Config
from dragoman.data.batch import Batch, Task
from dragoman.engine.method import Losses, Method, Phase, Stage
from dragoman.inference.sampler import GeneratorCore
from dragoman.losses.gan import hinge_discriminator, wasserstein_critic, wasserstein_generator
from dragoman.losses.penalties import gradient_penalty
from dragoman.methods.progressive_gan import ProgressiveGAN
from dragoman.methods.transfer_gan import TransferGAN
from dragoman.nets.gan import BATCH, BATCHES, RANDOM, GANConfig, critic, generator, inherited, need_like
from dragoman.nets.miner import Miner
from dragoman.nn.statistics_norm import BatchStatistics, collect_statistics

MINIBATCHES = 1000
"""Over which the selector averages (3.3.3)."""


class MineGANConfig(Config):
    """MineGAN; defaults are the published values for MNIST (A.2.1)."""

    gan: GANConfig = GANConfig(network="wgan_mnist")
    """The networks of every source."""
    sources: tuple[Path, ...] = ()
    """Model folders of the pretrained GANs; D starts from the first one's. `random` is one that learnt nothing."""
    labels: int = Field(0, ge=0)
    """Domains of a conditional source, each of which then counts as a generator (A.2.2), unless it is a biggan."""
    miner: tuple[int, ...] = (128, 128, 128)
    """Widths of the miner: of its input u, of each layer in between, of z."""
    miner_c: tuple[int, ...] = ()
    """The same of M^c, from u to the class embedding; for biggan, and only for it (Fig. 3.2)."""
    pixel_norm: bool = False
    """Whether pixel norm follows each ReLU of the miner (Progressive GAN)."""
    mining: float = Field(0.5, gt=0, le=1)
    """Share of the steps in which the generators are fixed; 1 is MineGAN (w/o FT)."""
    n_critic: int = Field(5, ge=1)
    """D is updated this many times as often as the rest."""
    w_gp: float = Field(10, ge=0)
    """Weight of the gradient penalty."""
    lr: float = Field(4e-4, gt=0)
    """Learning rate."""
    lr_d: float | None = Field(None, gt=0)
    """Of D, where it is another."""
    betas: tuple[float, float] = (0.5, 0.999)
    """Of Adam."""

    @model_validator(mode="after")
    def _consistent(self) -> "MineGANConfig":
        if len(self.miner) < 2 or self.miner[-1] != self.gan.z_dim:
            raise ValueError(f"miner {self.miner} must end with gan.z_dim, {self.gan.z_dim}")
        big = self.gan.network == "biggan"
        if self.labels and len(self.sources) > 1 and not big:
            raise ValueError("the labels of a conditional source are the generators: name one source, or labels 0")
        if big and (
            len(self.miner_c) < 2 or (self.miner_c[0], self.miner_c[-1]) != (self.miner[0], self.gan.embed_dim)
        ):
            raise ValueError(f"miner_c {self.miner_c} must lead from miner's {self.miner[0]} to gan.embed_dim, "
                             f"{self.gan.embed_dim}")  # fmt: skip
        if self.miner_c and not big:
            raise ValueError("miner_c is for gan.network biggan; leave it out")
        return self

    @property
    def generators(self) -> int:
        """How many pretrained generators there are."""
        return max(1, len(self.sources))

    @property
    def family(self) -> int:
        """N: generators, or labels."""
        return self.generators if self.gan.network == "biggan" else self.labels or self.generators


class Selector(nn.Module):
    """Which generator to sample from: p_i is how often it won, on average over the last 1,000 minibatches (3.3.3).

    Those of the critic and those of the miners both count.
    """

    shares: Tensor
    """[1000, N], the empirical probabilities of each minibatch."""
    count: Tensor
    """Minibatches so far."""

    def __init__(self, family: int):
        super().__init__()
        self.register_buffer("shares", torch.zeros(MINIBATCHES, family))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def record(self, winner: Tensor) -> None:
        """Note which generator [K] won each supersample of a minibatch."""
        share = nn.functional.one_hot(winner, self.shares.shape[1]).float().mean(0)
        self.shares.index_copy_(0, self.count[None] % MINIBATCHES, share[None])
        self.count += 1

    def probabilities(self) -> Tensor:
        """p [N]; uniform before the first minibatch."""
        seen = self.count.clamp(max=MINIBATCHES)
        uniform = torch.full_like(self.shares[0], 1 / self.shares.shape[1])
        return torch.where(seen > 0, self.shares.sum(0) / seen.clamp(min=1), uniform)


class Family(nn.ModuleList):
    """The pretrained generators G_1 ... G_N, or one conditional generator with N labels."""

    def __init__(self, config: MineGANConfig, task: Task):
        source = task.model_copy(update={"domains": tuple(map(str, range(config.labels or 1)))})
        super().__init__(generator(config.gan, source) for _ in range(config.generators))
        self.labels = config.labels

    def forward(self, z: Tensor, members: Sequence[int], embeddings: Sequence[Tensor]) -> Tensor:
        """Noise [n, K, Z] of n members, of a biggan also class embeddings, to their images [n, K, C, H, W].

        Labels of one generator go through it in one batch, so that its batch norms see them together, as its source's.
        """
        if embeddings:
            return torch.stack([self[i](z[n], embedding=embeddings[n]) for n, i in enumerate(members)])
        if self.labels:
            code = torch.eye(self.labels, device=z.device)[list(members)].repeat_interleave(z.shape[1], 0)
            return cast(Tensor, self[0](z.flatten(0, 1), code)).unflatten(0, z.shape[:2])
        return torch.stack([self[i](z[n]) for n, i in enumerate(members)])


def mined(nets: Mapping[str, nn.Module], u: Tensor, members: Sequence[int]) -> Tensor:
    """G_i(M_i(u)), or G_i(M_i^c(u), M_i^z(u)) of a biggan: noise [n, K, U] of n members to images [n, K, C, H, W]."""
    miners, embedders = (list(nets[name].children()) for name in ("M", "C"))
    z = torch.stack([miners[i](u[n]) for n, i in enumerate(members)])
    return nets["G"](z, members, [embedders[i](u[n]) for n, i in enumerate(members)] if embedders else [])


class MineGAN(Method):
    """MineGAN: effective knowledge transfer from GANs to target domains with few images."""

    paper = "Wang et al., MineGAN: Effective Knowledge Transfer from GANs to Target Domains with Few Images, CVPR 2020"
    needs = "few images of one kind, and one or more models trained on many images"
    ema = ("M", "C", "G")
    generates = True
    config_type = MineGANConfig
    config: MineGANConfig

    def __init__(self, config: MineGANConfig, task: Task):
        super().__init__(config, task)
        if len(task.domains) != 1:
            raise ValueError(f"mines for one target, got {len(task.domains)} domains ({', '.join(task.domains)}); "
                             "give images of one kind")  # fmt: skip
        self.M = nn.ModuleList(Miner(config.miner, config.pixel_norm) for _ in range(config.family))
        self.C = nn.ModuleList(Miner(config.miner_c) for _ in range(config.family if config.miner_c else 0))
        self.G, self.D = Family(config, task), critic(config.gan, task)
        self.selector = Selector(config.family)
        if config.mining == 1:
            self.frozen = ("G",)  # type: ignore[misc]

    def sources(self) -> Sequence[Path]:
        """The pretrained GANs.

        Raises:
            ValueError: there are none.
        """
        if not self.config.sources:
            raise ValueError(
                "mines pretrained generators: name their model folders with --method.sources DIR [DIR ...]"
            )
        return tuple(path for path in self.config.sources if path != RANDOM)

    def adopt(self, models: Sequence[Method]) -> None:
        """Take the generators of the sources, and the critic of the first; which one hardly matters (A.2.4).

        Raises:
            ValueError: a source is of another kind, or of other networks, sizes or labels.
        """
        for own, model in zip(self.G, models, strict=True) if models else ():
            if not isinstance(model, TransferGAN | ProgressiveGAN):
                raise ValueError(f"a source must be a GAN, got {model.paper}")
            need_like(model.config.gan, model.task, self.config.gan, self.task)
            if model.classes != self.config.labels:
                raise ValueError(f"the source has {model.classes} labels, not {self.config.labels}; "
                                 f"add --method.labels {model.classes}")  # fmt: skip
            own.load_state_dict(inherited(own, model.G))
        if models:
            state = inherited(self.D, models[0].D)  # type: ignore[arg-type]
            heads = ("aux", "embedding")  # of labels, which the target has not
            theirs = {key: v for key, v in state.items() if not key.startswith(heads)}
            self.D.load_state_dict(self.D.state_dict() | theirs)

    def supersamples(self, count: int, device: torch.device) -> Tensor:
        """G_i(M_i(u_i)), one of each generator a supersample: [N, K, C, H, W] for `count` K of them (3.3.3)."""
        for module in self.G.modules():
            if isinstance(module, BatchStatistics):
                module.train()  # by the batch at hand, as their sources were trained, also while they are fixed
        u = torch.randn(len(self.M), count, self.config.miner[0], device=device)
        return mined(dict(self.named_children()), u, range(len(self.M)))

    def winners(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Of supersamples [N, K, C, H, W] the images [K, C, H, W] that D finds best, and which i they are [K]."""
        count = y.shape[1]
        best = torch.zeros(count, dtype=torch.long, device=y.device)
        if len(y) > 1:
            with torch.no_grad():  # the gradient reaches the winners alone, which D sees again with it
                best = self.D(y.flatten(0, 1))[0].view(len(y), count).argmax(0)
        return y[best, torch.arange(count, device=y.device)], best

    def d_losses(self, batch: Batch) -> Losses:
        """Eq. 3.5 (Eq. 3.3 with one generator): real against the winner of each supersample."""
        x = batch.image
        y, winner = self.winners(self.supersamples(len(x), x.device))
        self.selector.record(winner)
        real, fake = self.D(x)[0], self.D(y)[0]
        if self.config.gan.hinge:
            return {"gan": hinge_discriminator(real, fake)}
        return {"gan": wasserstein_critic(real, fake), "gp": gradient_penalty(lambda i: self.D(i)[0], x, y)}

    def g_losses(self, batch: Batch) -> Losses:
        """Eq. 3.6 (Eq. 3.4 with one generator)."""
        y, winner = self.winners(self.supersamples(len(batch.image), batch.image.device))
        self.selector.record(winner)
        return {"gan": wasserstein_generator(self.D(y)[0])}

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam each for miners, generators (if they are ever tuned) and critic."""
        c = self.config
        adam = partial(Adam, lr=c.lr, betas=c.betas, fused=True)
        found: dict[str, Optimizer] = {
            "M": adam([*self.M.parameters(), *self.C.parameters()]),
            "D": adam(self.D.parameters(), lr=c.lr_d or c.lr),
        }
        return found | ({"G": adam(self.G.parameters())} if self.config.mining < 1 else {})

    def stages(self, steps: int) -> list[Stage]:
        """Mining with the generators fixed (3.3.2), then fine-tuning of miners and generators (3.3.4)."""
        c = self.config
        first = steps if c.mining == 1 else min(max(1, round(c.mining * steps)), steps - 1)
        penalty: dict[str, float] = {} if c.gan.hinge else {"gp": c.w_gp}
        d = Phase(name="D", updates=["D"], losses=self.d_losses, weights={"gan": 1.0} | penalty)
        m = Phase(name="M", updates=["M"], losses=self.g_losses, weights={"gan": 1}, every=c.n_critic)
        g = Phase(name="G", updates=["M", "G"], losses=self.g_losses, weights={"gan": 1}, every=c.n_critic)
        found = [Stage(name="mine", steps=first, phases=[d, m])]
        return found + ([Stage(name="finetune", steps=steps - first, phases=[d, g])] if first < steps else [])

    def settle(self, nets: Mapping[str, nn.Module]) -> None:
        """Collect the statistics of batch norm of each generator, from what its miner gives it, or all its miners."""
        random = torch.Generator().manual_seed(0)
        device = next(nets["M"].parameters()).device
        everyone = range(len(self.M))
        for members in [everyone] if len(self.G) == 1 else [range(i, i + 1) for i in everyone]:
            shape = (len(members), BATCH, self.config.miner[0])
            noise = [torch.randn(shape, generator=random).to(device) for _ in range(BATCHES)]
            collect_statistics(_Members(nets, members), [(u, None) for u in noise])

    def sampler(self, nets: Mapping[str, nn.Module]) -> GeneratorCore:
        """Miners, generators and selector."""
        return MineGANCore(nets, self.config.miner[0])


class _Members(nn.Module):
    """Some of the family and their miners, as a generator."""

    def __init__(self, nets: Mapping[str, nn.Module], members: Sequence[int]):
        super().__init__()
        self.nets, self.members = nn.ModuleDict({name: nets[name] for name in ("M", "C", "G")}), members

    def forward(self, u: Tensor, c: Tensor | None) -> Tensor:
        return mined(dict(self.nets.items()), u, self.members)


class MineGANCore(GeneratorCore):
    """Miners, generators and selector behind the sampler's interface."""

    def __init__(self, nets: Mapping[str, nn.Module], u_dim: int):
        super().__init__()
        self.nets = nn.ModuleDict({name: nets[name] for name in ("M", "C", "G")})
        self.selector, self.noise_dim = nets["selector"], u_dim + 1

    def sample_noise(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """u ~ N(0, I), and a uniform number that chooses the generator."""
        u = torch.randn(count, self.noise_dim - 1, generator=generator)
        return torch.cat([u, torch.rand(count, 1, generator=generator)], 1)

    def forward(self, u: Tensor, c: Tensor) -> Tensor:
        """G_i(M_i(u)) with i drawn by the selector's probabilities."""
        nets = dict(self.nets.items())
        borders = self.selector.probabilities().cumsum(0)[:-1]  # type: ignore[operator]
        which = torch.bucketize(u[:, -1].contiguous(), borders, right=True)
        images: list[Tensor] = []
        places: list[Tensor] = []
        for i in range(len(list(nets["M"].children()))):
            rows = (which == i).nonzero()[:, 0]
            if len(rows):
                images.append(mined(nets, u[None, rows, :-1], [i])[0])
                places.append(rows)
        return torch.cat(images)[torch.cat(places).argsort()]
