"""Mix-and-match networks: an encoder and a decoder per modality, which also fit where no pairs were ever seen."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import combinations, permutations
from typing import Literal, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from dragoman.config import Config
from dragoman.data.batch import Batch, Task
from dragoman.data.modality import Modality, known, pack, unpack
from dragoman.engine.method import Losses, Method, Phase, Stage
from dragoman.inference.cascade import Cascade
from dragoman.inference.modal import ModalCore, alike, readable
from dragoman.losses.gan import least_squares_discriminator, least_squares_generator
from dragoman.losses.modality import Distance, distance
from dragoman.nets import pooled_resnet, segnet
from dragoman.nets.segnet import Code, Side, Start
from dragoman.nets.vgg import VGG16
from dragoman.nn.init import gaussian
from dragoman.nn.noise import normal_like

Images = dict[tuple[int, str], Tensor]
"""(set, modality) -> images [n, C, H, W], n rows of each set."""

Codes = dict[tuple[int, str], Code]
"""The same, encoded."""

Levels = dict[tuple[int, str], tuple[list[Tensor], list[Tensor]]]
"""The same, with the features that latent consistency may be asked of, the code last; and the side information."""

Route = tuple[int, str, str]
"""A translation of the rows of a set, from a modality to a modality."""

Terms = defaultdict[str, defaultdict[tuple[str, str], list[Tensor]]]
"""Of each term, for each pair of modalities, a value for each set."""


class MixAndMatchConfig(Config):
    """Mix-and-match networks; defaults are the published values (thesis 4.6.1, A.3.1). Weights are per stage."""

    network: Literal["segnet", "resnet"] = "segnet"
    """SegNet for modalities (Tables A.3 to A.6), or residual networks for channels of images (A.9, A.11, A.12)."""
    width: int = Field(64, ge=1)
    """Channels of the first block of every network."""
    blocks: tuple[int, ...] = VGG16
    """Convolutions between two poolings, in encoders and decoders; fewer blocks keep small images sharp."""
    resblocks: int = Field(6, ge=0)
    """Residual blocks, where the network has them."""
    d_layers: int = Field(4, ge=1)
    """Strided convolutions of the discriminator."""
    side: Side = "indices"
    """What decoders see beside the latent code: pooling indices, skip connections, or none (Table 4.2)."""
    start: Start = "vgg16"
    """Weights that the RGB encoder starts from; random for none (Table 4.2)."""
    autoencoders: bool = True
    """Whether every modality is also translated to itself (Table 4.3)."""
    w_auto: float | None = Field(None, ge=0)
    """Weight of the autoencoders of all modalities but RGB; without, that of translation (Eqs. 4.5, 4.8). The published
    code has 10."""
    noise: float = Field(0.5, ge=0)
    """Standard deviation of the noise on the latent codes; 0 leaves it out (Table 4.3)."""
    noise_of: Literal["all", "rgb"] = "all"
    """Whose codes have noise: those of all encoders, or RGB's alone, its absolute value, as in the published code."""
    w_l2: tuple[float, float] = (1, 100)
    """lambda_R lambda_L2, of Eqs. 4.1 to 4.3: in the first stage, then."""
    w_gan: tuple[float, float] = (1, 10)
    """lambda_R: in the first stage, then."""
    w_depth: float = Field(10, ge=0)
    """lambda_D, of Eqs. 4.4 and 4.5; of near infrared too."""
    depth_loss: Literal["berhu", "l1"] = "berhu"
    """The distance of these: Eq. 4.6, or what is left of it in the published code."""
    w_seg: float = Field(100, ge=0)
    """lambda_S, of Eqs. 4.7 and 4.8."""
    w_latent: float = Field(10, ge=0)
    """lambda_A, of Eq. 4.9, from the second stage on; 0 leaves it out (Table 4.3). Of the squared distance between the
    codes of a place, averaged over places."""
    w_pseudo: float = Field(100, ge=0)
    """lambda_PP, of Eqs. 4.12 and 4.13, in the third stage; 0 leaves it out (Table 4.3)."""
    latent_poolings: int = Field(1, ge=1)
    """At how many of the deepest poolings, each with w_latent: 1 is the bottleneck, the published code has 3."""
    alpha: float = Field(0.2, ge=0, le=1)
    """Weight of the modalities beside the anchor where several are given (4.6.2)."""
    cascade: bool = False
    """Whether an unseen translation is a chain of seen ones, through images, instead of an unseen pair of networks
    (Table 4.4, "D -> R -> S"). The RGB encoder is then not frozen."""
    lr: float = Field(2e-4, gt=0)
    """Learning rate."""
    lr_pseudo: float = Field(2e-5, gt=0)
    """That of the third stage, with pseudo-pairs or without."""
    betas: tuple[float, float] = (0.5, 0.999)
    """Of Adam."""

    @model_validator(mode="after")
    def _fits_its_start(self) -> "MixAndMatchConfig":
        if not self.blocks or min(self.blocks) < 1:
            raise ValueError(f"blocks must name at least one block of at least one convolution, got {self.blocks}")
        if self.latent_poolings > (1 if self.network == "resnet" else len(self.blocks)):
            raise ValueError(f"latent_poolings must be at most the {len(self.blocks)} poolings of network segnet, or "
                             f"1 of resnet, got {self.latent_poolings}")  # fmt: skip
        if self.cascade and self.w_pseudo:
            raise ValueError(f"cascade needs w_pseudo 0, got {self.w_pseudo:g}: pseudo-pairs train the unseen "
                             "translations, which a cascade never asks for")  # fmt: skip
        if self.network == "resnet" and (self.side, self.start, set(self.blocks)) != ("indices", "random", {1}):
            raise ValueError("network resnet needs side indices, start random and blocks of one convolution each")
        if self.start == "vgg16" and (self.width, self.blocks) != (64, VGG16[: len(self.blocks)]):
            raise ValueError(f"start vgg16 needs width 64 and blocks {VGG16} or the first of them, got width "
                             f"{self.width} and blocks {self.blocks}; or take start random")  # fmt: skip
        if self.start == "vgg19_distilled" and (self.width != 16 or len(self.blocks) > 5):
            raise ValueError(f"start vgg19_distilled needs width 16 and at most 5 blocks, got {self.width} and "
                             f"{len(self.blocks)}; or take start random")  # fmt: skip
        return self


class MixAndMatch(Method):
    """Mix and match networks: encoder-decoder alignment for zero-pair image translation."""

    paper = "Wang et al., Mix and Match Networks: Cross-Modal Alignment for Zero-Pair Image Translation, IJCV 2020"
    needs = "images, depth, segmentations or other modalities, aligned in sets of two or more"
    ema = ("R", "E", "G")
    by_domain = True
    fits = "l2"
    config_type = MixAndMatchConfig
    config: MixAndMatchConfig

    def __init__(self, config: MixAndMatchConfig, task: Task):
        super().__init__(config, task)
        colours = [m.name for m in task.modalities if m.kind == "image" and m.channels == 3]
        _check(config, task, colours)
        self.modalities = {m.name: m for m in task.modalities}
        self.colour = colours[0] if colours else None
        self.seen = {pair for names in task.seen for pair in permutations(names, 2)}
        self.R, self.E, self.G = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        for m in task.modalities:
            anchor = m.name == self.colour and config.network == "segnet"  # by itself, because it is frozen
            (self.R if anchor else self.E)[m.name], self.G[m.name] = self._networks(m)
        if self.colour and config.network == "segnet":
            self.D: nn.Module = segnet.Discriminator(config.width, config.d_layers)
        elif self.colour:
            self.D = pooled_resnet.Discriminator(3, config.width, config.d_layers)
        gaussian(self)

    def _networks(self, modality: Modality) -> tuple[nn.Module, nn.Module]:
        """Encoder and decoder."""
        c, channels = self.config, modality.channels
        if c.network == "resnet":
            shape = (channels, c.width, len(c.blocks), c.resblocks)
            return pooled_resnet.Encoder(*shape), pooled_resnet.Decoder(*shape)
        if modality.name == self.colour:
            first: nn.Module = segnet.colour_encoder(c.start, c.width, c.blocks, c.side)
            return first, segnet.ColourDecoder(c.width, len(c.blocks), c.side)
        encoder = segnet.encoder(channels, c.width, c.blocks, c.side)
        return encoder, segnet.Decoder(channels, c.width, c.blocks, c.side)

    def adopt(self, models: Sequence[Method]) -> None:
        """Start the RGB encoder from published weights.

        Raises:
            UserError: they are not on this machine.
        """
        if self.config.start != "random":
            for net in self.R.values():
                segnet.load_published(cast(segnet.Encoder, net), self.config.start)

    def term(self, modality: Modality) -> Distance:
        """Which distance a modality's predictions are measured by (4.4.3, A.3.3)."""
        if modality.kind == "segmentation":
            return "ce"
        return "l2" if modality.channels == 3 or self.config.network == "resnet" else self.config.depth_loss

    def routes(self, autoencoders: bool) -> list[Route]:
        """Every translation within every seen set, with autoencoders also of each modality to itself."""
        within = [(s, pair) for s, names in enumerate(self.task.seen) for pair in permutations(names, 2)]
        own = [(s, (name, name)) for s, names in enumerate(self.task.seen) for name in names if autoencoders]
        return [(s, source, target) for s, (source, target) in [*within, *own]]

    def pseudo(self) -> dict[Route, Route]:
        """Unseen translations of a seen set's rows -> the seen one of the same rows that makes their target (4.5.2).

        That is one from RGB where RGB has been seen with the target, else from the first modality that has; without
        any in the set, what only a longer chain leads to, there is no pseudo-pair.
        """
        found: dict[Route, Route] = {}
        for s, names in enumerate(self.task.seen):
            for target in self.modalities:
                anchors = sorted((a for a in names if (a, target) in self.seen), key=lambda a: a != self.colour)
                if target not in names and anchors:
                    found |= {
                        (s, source, target): (s, anchors[0], target)
                        for source in names
                        if (source, target) not in self.seen
                    }
        return found

    def _images(self, batch: Batch) -> Images:
        scenes = enumerate(batch.scenes(self.task))
        return {(s, name): image for s, parts in scenes for name, image in parts.items()}

    def _encode(self, images: Images, wanted: Iterable[tuple[int, str]]) -> Levels:
        """The wanted images encoded, those of a modality together."""
        found: Levels = {}
        for name, net in [*self.R.items(), *self.E.items()]:
            keys = [key for key in dict.fromkeys(wanted) if key[1] == name]
            if keys:
                both = cast(segnet.Encoder, net).levels(torch.cat([images[key] for key in keys]))
                levels, side = ([each.chunk(len(keys)) for each in of] for of in both)
                found |= {key: ([x[i] for x in levels], [x[i] for x in side]) for i, key in enumerate(keys)}
        return found

    def _decode(self, codes: Codes, routes: Sequence[Route]) -> dict[Route, Tensor]:
        """What comes out of each route; those to a modality together, so that batch norm does not tell sources apart.

        In the same proportion they make up its running statistics.
        """
        found: dict[Route, Tensor] = {}
        for name, net in self.G.items():
            to = [route for route in routes if route[2] == name]
            if to:
                h, side = zip(*(codes[s, source] for s, source, _ in to), strict=True)
                y = net((torch.cat(h), [torch.cat(each) for each in zip(*side, strict=True)]))
                found |= zip(to, y.chunk(len(to)), strict=True)
        return found

    def _noisy(self, found: Levels, aligned: bool) -> Codes:
        """The codes, later with Gaussian noise on the output of every encoder (4.3.2)."""
        c, noisy = self.config, dict[tuple[int, str], Code]()
        for key, ((*_, h), side) in found.items():
            if aligned and c.noise and (c.noise_of == "all" or key[1] == self.colour):
                noise = c.noise * normal_like(h)
                h = h + (noise if c.noise_of == "all" else noise.abs())
            noisy[key] = h, side
        return noisy

    def d_losses(self, batch: Batch, aligned: bool) -> Losses:
        """The discriminator's part of L_GAN, on the RGB images of all sets and all translations to RGB."""
        images = self._images(batch)
        routes = [route for route in self.routes(aligned and self.config.autoencoders) if route[2] == self.colour]
        codes = self._noisy(self._encode(images, [(s, source) for s, source, _ in routes]), aligned)
        fake = torch.cat([*self._decode(codes, routes).values()])
        real = torch.cat([image for (_, name), image in images.items() if name == self.colour])
        return {"gan": least_squares_discriminator(self.D(real), self.D(fake))}

    def g_losses(self, batch: Batch, aligned: bool, pseudo: bool) -> Losses:
        """Eqs. 4.1 to 4.13: sums over translations of the average over all rows that have both modalities.

        Args:
            batch: Rows of every seen set.
            aligned: With autoencoders, latent consistency and noise (second stage on).
            pseudo: With pseudo-pairs (third stage).
        """
        c, images = self.config, self._images(batch)
        found = self._encode(images, images)
        routes, unseen = self.routes(aligned and c.autoencoders), self.pseudo() if pseudo else {}
        # Targets are decoded in the same pass: with statistics or noise of their own they differ from what learns from
        # them by a little that is always the same, and the decoder, which makes both, drifts away with it.
        y = self._decode(self._noisy(found, aligned), [*dict.fromkeys([*routes, *unseen, *unseen.values()])])
        terms: Terms = defaultdict(lambda: defaultdict(list))
        for route in routes:  # Eqs. 4.1 to 4.8
            modality, target = self.modalities[route[2]], images[route[0], route[2]]
            apart = distance(self.term(modality), y[route], target, known(modality, target))
            own = c.w_auto is not None and route[1] == route[2] != self.colour
            terms["auto" if own else self.term(modality)][route[1:]].append(apart)
        if self.colour:
            fake = torch.cat([y[route] for route in routes if route[2] == self.colour])
            terms["gan"][self.colour, self.colour].append(least_squares_generator(self.D(fake)))
        if aligned and c.w_latent:
            for s, names in enumerate(self.task.seen):
                for a, b in combinations(names, 2):  # Eqs. 4.10, 4.11
                    levels = zip(*(found[s, name][0][-c.latent_poolings :] for name in (a, b)), strict=True)
                    at_each = [(one.float() - other.float()).square().sum(1).mean() for one, other in levels]
                    terms["latent"][a, b].append(torch.stack(at_each).sum())
        if pseudo:
            for route, other in unseen.items():  # Eqs. 4.12, 4.13
                modality = self.modalities[route[2]]
                target = readable(modality, y[other].detach())  # else both ends meet halfway (4.5.2)
                terms["pseudo"][route[1:]].append(distance(self.term(modality), y[route], target))
        return {
            name: torch.stack([torch.stack(values).mean() for values in of.values()]).sum()
            for name, of in terms.items()
        }

    def optimizers(self) -> dict[str, Optimizer]:
        """R for the RGB encoder, G for the other encoders and all decoders, D."""
        adam = partial(Adam, lr=self.config.lr, betas=self.config.betas, fused=True)
        made: dict[str, Optimizer] = {"G": adam([*self.E.parameters(), *self.G.parameters()])}
        if len(self.R):
            made["R"] = adam(self.R.parameters())
        if self.colour:
            made["D"] = adam(self.D.parameters())
        return made

    def stages(self, steps: int) -> list[Stage]:
        """The seen translations; alignment, with the RGB encoder frozen; pseudo-pairs. As 2 to 2 to 1 (4.6.1).

        Where there are no pseudo-pairs the last stage goes on as before at its own learning rate, so that what they
        change is not what a smaller rate changes. As a cascade, for which nothing has to be aligned, the RGB encoder
        learns to the end.
        """
        c, pseudo = self.config, self.config.w_pseudo > 0 and bool(self.pseudo())
        span = steps * 2 // 5
        return [
            Stage(name="seen", steps=span, phases=self._phases(False, False, 1)),
            Stage(name="align", steps=span, phases=self._phases(True, False, 1)),
            Stage(name="pseudo" if pseudo else "settle", steps=steps - 2 * span,
                  phases=self._phases(True, pseudo, c.lr_pseudo / c.lr)),
        ]  # fmt: skip

    def _phases(self, aligned: bool, pseudo: bool, lr: float) -> list[Phase]:
        c = self.config
        of_kind = {"l2": c.w_l2[aligned], "ce": c.w_seg, c.depth_loss: c.w_depth}
        weights: dict[str, float] = {self.term(m): of_kind[self.term(m)] for m in self.modalities.values()}
        if self.colour:
            weights["gan"] = c.w_gan[aligned]
        if aligned and c.autoencoders and c.w_auto is not None:
            weights["auto"] = c.w_auto
        if aligned and c.w_latent:
            weights["latent"] = c.w_latent
        if pseudo:
            weights["pseudo"] = c.w_pseudo
        frozen = aligned and not c.cascade  # only what is aligned with RGB's codes needs them to stand still
        updates = ["G"] if frozen or not len(self.R) else ["G", "R"]
        phases = [Phase(name="G", updates=updates, losses=partial(self.g_losses, aligned=aligned, pseudo=pseudo),
                        weights=weights, lr=lr)]  # fmt: skip
        if self.colour:
            phases.insert(0, Phase(name="D", updates=["D"], losses=partial(self.d_losses, aligned=aligned),
                                   weights={"gan": 1}, every=2, lr=lr))  # fmt: skip
        return phases

    def translator(self, nets: Mapping[str, nn.Module]) -> ModalCore:
        """Any encoder with any decoder; as a cascade those that were trained together."""
        core = MixAndMatchCore(nets, self.task, self.colour, self.config.alpha, 2 ** len(self.config.blocks))
        return Cascade(core, self.task) if self.config.cascade else core


def _check(config: MixAndMatchConfig, task: Task, colours: Sequence[str]) -> None:
    """Raise ValueError unless the networks can work on the task."""
    task.need_modalities()
    if len(colours) > 1:
        raise ValueError(f"needs at most one modality of colour images, got {', '.join(colours)}")
    stride = 2 ** len(config.blocks)
    if task.size % stride or task.size >> config.d_layers < 1:
        raise ValueError(f"size {task.size} must be a multiple of {stride} for {len(config.blocks)} blocks and at "
                         f"least {2**config.d_layers} for d_layers {config.d_layers}")  # fmt: skip


class MixAndMatchCore(ModalCore):
    """Encoders and decoders behind the translator's interface."""

    def __init__(self, nets: Mapping[str, nn.Module], task: Task, colour: str | None, alpha: float, stride: int):
        super().__init__()
        self.R, self.E, self.G = (cast(nn.ModuleDict, nets[name]) for name in ("R", "E", "G"))
        self.alpha, self.stride, self.smallest = alpha, stride, max(stride, 16)
        self.modalities = task.modalities
        seen = [name for names in task.seen for name in names]
        self.anchors = sorted(task.domains, key=lambda name: (-seen.count(name), name != colour))

    def forward(self, x: Tensor, given: Tensor, c: Tensor) -> Tensor:
        """The code of what is given, decoded to what is wanted, row by row of one kind together."""
        y, kinds = torch.zeros_like(x), {m.name: m for m in self.modalities}
        for rows, sources, targets in alike(given, c, self.modalities):
            images = unpack(x[rows], self.modalities)
            code = self.encode({name: images[name] for name in sources})
            made = {name: readable(kinds[name], self.G[name](code)) for name in targets}
            y[rows] = pack(made, self.modalities).to(y.dtype)
        return y

    def latent(self, name: str, x: Tensor) -> Tensor:
        """As the base class: the output of the encoder."""
        return self.encode({name: x})[0]

    def encode(self, images: Mapping[str, Tensor]) -> Code:
        """The code of images [N, C, H, W] of one modality; of several y = (1 - alpha) x + alpha z (4.6.2).

        There x and the side information are of the anchor, which is in most seen sets (RGB where several are), and z is
        the mean of the others.
        """
        names = sorted(images, key=self.anchors.index)
        (x, side), *others = ((self.R if name in self.R else self.E)[name](images[name]) for name in names)
        if not others:
            return x, side
        return (1 - self.alpha) * x + self.alpha * torch.stack([z for z, _ in others]).mean(0), side
