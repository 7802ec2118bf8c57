"""CycleGAN between two modalities that were never seen together, as a baseline of mix-and-match networks."""

from collections.abc import Mapping
from functools import partial
from itertools import combinations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from dragoman.config import Config
from dragoman.data.batch import Batch, Task
from dragoman.data.modality import Modality, known, pack, unpack
from dragoman.engine.method import Losses, Method, Phase, Stage
from dragoman.engine.schedules import linear_decay
from dragoman.errors import suggest
from dragoman.inference.modal import ModalCore, alike, readable
from dragoman.losses.gan import least_squares_discriminator, least_squares_generator
from dragoman.losses.modality import distance
from dragoman.nets.cyclegan import Generator, ImagePool
from dragoman.nets.patchgan import PatchGAN
from dragoman.nn.init import gaussian


class ModalCycleGANConfig(Config):
    """CycleGAN between modalities; defaults are CycleGAN's published values (256 x 256)."""

    pair: tuple[str, str] | None = None
    """The two modalities; the one pair that was not seen together if not given."""
    width: int = Field(64, ge=1)
    """Channels of the first layer of every network."""
    downs: int = Field(2, ge=0, le=2)
    """Strided convolutions of G and F, and as many transposed ones; fewer keep small images sharp."""
    blocks: int = Field(9, ge=0)
    """Residual blocks of G and F."""
    d_layers: int = Field(3, ge=1)
    """Strided convolutions of the discriminators; 3 see 70 x 70 pixels, 2 see 34 x 34, 1 sees 16 x 16."""
    pool: int = Field(50, ge=1)
    """Earlier translations kept for each discriminator."""
    w_rec: float = Field(10, ge=0)
    """lambda, Eq. 3, of L1 and cross-entropy alike."""
    lr: float = Field(2e-4, gt=0)
    """Learning rate, decaying linearly to 0 over the last half of the steps."""
    betas: tuple[float, float] = (0.5, 0.999)
    """Of Adam."""


class ModalCycleGAN(Method):
    """CycleGAN from a modality X to a modality Y and back, unpaired; other modalities are not looked at."""

    paper = "Zhu et al., CycleGAN, ICCV 2017, between modalities as in Wang et al., Mix and Match Networks, IJCV 2020"
    needs = "pictures of two modalities, for example depth and segmentation, in different sets"
    ema = ("G", "F")
    memories = ("pools",)
    by_domain = True
    config_type = ModalCycleGANConfig
    config: ModalCycleGANConfig

    def __init__(self, config: ModalCycleGANConfig, task: Task):
        super().__init__(config, task)
        task.need_modalities()
        if task.size % 2**config.downs or task.size >> config.d_layers < 3:
            raise ValueError(f"size {task.size} must be a multiple of {2**config.downs} for downs {config.downs} "
                             f"and at least {3 * 2**config.d_layers} for d_layers {config.d_layers}")  # fmt: skip
        self.pair = _pair(config, task)
        modalities = {m.name: m for m in task.modalities}
        self.X, self.Y = (modalities[name] for name in self.pair)
        self.G, self.F = self._generator(self.X, self.Y), self._generator(self.Y, self.X)
        self.D_X, self.D_Y = (PatchGAN(m.channels, config.width, config.d_layers) for m in (self.X, self.Y))
        sides = {"X": self.X, "Y": self.Y}
        self.pools = nn.ModuleDict({
            side: ImagePool(config.pool, Task(domains=(m.name,), size=task.size, channels=m.channels))
            for side, m in sides.items()
        })  # fmt: skip
        gaussian(self)

    def _generator(self, source: Modality, target: Modality) -> Generator:
        """To values in [-1, 1], or of a segmentation to logits."""
        c = self.config
        bounded = target.kind != "segmentation"
        return Generator(source.channels, target.channels, c.width, c.downs, c.blocks, bounded)

    def sides(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The pictures of X and of Y, unpaired: each of all sets that lack the other, or of all if none does."""
        scenes = batch.scenes(self.task)
        found = []
        for name, other in (self.pair, self.pair[::-1]):
            having = [parts for parts in scenes if name in parts]
            alone = [parts for parts in having if other not in parts]
            found.append(torch.cat([parts[name] for parts in alone or having]))
        x, y = found
        return x, y

    def d_losses(self, batch: Batch) -> Losses:
        """The discriminators' part of Eq. 3, as least squares, on translations out of the pools.

        Of a segmentation they see labels one-hot, and of translations probabilities.
        """
        x, y = self.sides(batch)
        to_y, to_x = readable(self.Y, self.G(x)), readable(self.X, self.F(y))
        of_x = least_squares_discriminator(self.D_X(x), self.D_X(self.pools["X"](to_x)))
        of_y = least_squares_discriminator(self.D_Y(y), self.D_Y(self.pools["Y"](to_y)))
        return {"adv": of_x + of_y}  # Eq. 1

    def g_losses(self, batch: Batch) -> Losses:
        """The generators' part of Eq. 3, each term the sum of both directions."""
        x, y = self.sides(batch)
        to_y, to_x = readable(self.Y, self.G(x)), readable(self.X, self.F(y))
        return {
            "adv": least_squares_generator(self.D_Y(to_y)) + least_squares_generator(self.D_X(to_x)),  # Eq. 1
            "rec": _returned(self.X, self.F(to_y), x) + _returned(self.Y, self.G(to_x), y),  # Eq. 2
        }

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for both generators, one for both discriminators."""
        adam = partial(Adam, lr=self.config.lr, betas=self.config.betas, fused=True)
        return {
            "G": adam([*self.G.parameters(), *self.F.parameters()]),
            "D": adam([*self.D_X.parameters(), *self.D_Y.parameters()]),
        }

    def stages(self, steps: int) -> list[Stage]:
        """D, then G, at every step."""
        lr = linear_decay(steps // 2, steps)
        return [
            Stage(name="train", steps=steps, phases=[
                # CycleGAN, section 4: D's loss is halved, so that it learns more slowly.
                Phase(name="D", updates=["D"], losses=self.d_losses, lr=lr, weights={"adv": 0.5}),
                Phase(name="G", updates=["G"], losses=self.g_losses, lr=lr,
                      weights={"adv": 1, "rec": self.config.w_rec}),
            ])
        ]  # fmt: skip

    def translator(self, nets: Mapping[str, nn.Module]) -> ModalCore:
        """G from X to Y, F from Y to X, and nothing else; deterministic."""
        return ModalCycleGANCore(nets, self.task, self.pair, 2**self.config.downs)


def _pair(config: ModalCycleGANConfig, task: Task) -> tuple[str, str]:
    """The two modalities that are wanted, or the only two that were never seen together.

    Raises:
        ValueError: there are several such pairs or none, or the named ones are not two of the data's.
    """
    if config.pair is None:
        unseen = [pair for pair in combinations(task.domains, 2) if not any({*pair} <= {*seen} for seen in task.seen)]
        if len(unseen) == 1:
            return unseen[0]
        found = ", ".join(f"{a} {b}" for a, b in unseen) or "none"
        raise ValueError(f"needs one pair of modalities that were not seen together, got {found}; "
                         "name one with --method.pair A B")  # fmt: skip
    for name in config.pair:
        if name not in task.domains:
            raise ValueError(f"--method.pair names {name!r}, which the data lack; {suggest(name, list(task.domains))}")
    if config.pair[0] == config.pair[1]:
        raise ValueError(f"--method.pair needs two modalities, got {config.pair[0]} twice")
    return config.pair


def _returned(modality: Modality, back: Tensor, x: Tensor) -> Tensor:
    """How far a picture came back from itself where it is known: L1, of a segmentation cross-entropy."""
    return distance("ce" if modality.kind == "segmentation" else "l1", back, x, known(modality, x))


class ModalCycleGANCore(ModalCore):
    """G and F behind the translator's interface."""

    pairs: tuple[tuple[str, str], ...]

    def __init__(self, nets: Mapping[str, nn.Module], task: Task, pair: tuple[str, str], stride: int):
        super().__init__()
        self.G, self.F, self.stride = nets["G"], nets["F"], stride
        self.pairs, self.modalities = (pair, pair[::-1]), task.modalities

    def forward(self, x: Tensor, given: Tensor, c: Tensor) -> Tensor:
        """G(x) of rows that give X and want Y, F(x) the other way; see `ModalCore`."""
        y, kinds = torch.zeros_like(x), {m.name: m for m in self.modalities}
        for rows, (source,), (target,) in alike(given, c, self.modalities):
            net = (self.G, self.F)[self.pairs.index((source, target))]
            made = readable(kinds[target], net(unpack(x[rows], self.modalities)[source]))
            y[rows] = pack({target: made}, self.modalities).to(y.dtype)
        return y
