"""A method with everything the engine has to carry through: two stages, a frozen network, a stage that starts with
random numbers, running statistics, `every`, `repeat`, a schedule and an average; small enough to train in a second.

As a script it trains: `python toy.py DIR STEPS [--slow]`, resuming what is in DIR.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from dragoman.config import Config
from dragoman.data.batch import Batch, Task
from dragoman.data.dataset import Arrays
from dragoman.data.stream import Stream
from dragoman.engine.fit import Hook, Run, fit
from dragoman.engine.hooks import Save
from dragoman.engine.method import Losses, Method, Phase, Stage
from dragoman.engine.runtime import Runtime
from dragoman.engine.schedules import linear_decay
from dragoman.inference.translator import Core

TASK = Task(domains=("a", "b"), size=16)


class Toy(Method):
    """G translates and D criticises in the first stage; D is frozen and G goes on in the second."""

    paper, needs, config_type = "none", "any images", Config
    ema = ("G", "nothing")

    def __init__(self) -> None:
        super().__init__(Config(), TASK)
        self.G = nn.Sequential(
            nn.Conv2d(5, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1), nn.Tanh()
        )
        self.D = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 1, 1))
        self.nothing = nn.Identity()
        self.register_buffer("memory", torch.zeros(3))
        self.seen: list[tuple[str, Tensor]] = []
        """Which phase was given which images."""

    def translate(self, x: Tensor, label: Tensor) -> Tensor:
        """[N, 3, H, W] and [N, 2] to [N, 3, H, W]."""
        return self.G(torch.cat([x, label[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1))

    def d_losses(self, batch: Batch) -> Losses:
        """A hinge on noisy images."""
        self.seen.append(("D", batch.image))
        fake = self.translate(batch.image + 0.1 * torch.randn_like(batch.image), batch.label)
        return {"real": F.relu(1 - self.D(batch.image)).mean(), "fake": F.relu(1 + self.D(fake)).mean()}

    def g_losses(self, batch: Batch) -> Losses:
        """Fool D; keep the image, dimmed by what the second stage drew."""
        self.seen.append(("G", batch.image))
        y = self.translate(batch.image, batch.label)
        keep = (y - batch.image * (1 + self.memory[:, None, None])).abs().mean()
        return {"gan": -self.D(y).mean(), "rec": keep}

    def optimizers(self) -> dict[str, Optimizer]:
        """One for each network."""
        return {n: Adam(self.get_submodule(n).parameters(), lr=1e-2, fused=True) for n in ("G", "D")}

    def stages(self, steps: int) -> list[Stage]:
        """Half the steps with both networks, half with D frozen and G three times a step."""
        lr = linear_decay(1, steps)
        d = Phase(name="D", updates=["D"], losses=self.d_losses, weights={"real": 1, "fake": 1}, lr=lr)
        g = Phase(name="G", updates=["G"], losses=self.g_losses, weights={"gan": 0.1, "rec": lr}, every=2)
        more = Phase(name="more", updates=["G"], losses=self.g_losses, weights={"gan": 0.1, "rec": 1}, repeat=3)
        return [
            Stage(name="both", steps=steps // 2, phases=[d, g]),
            Stage(name="alone", steps=steps - steps // 2, phases=[more], enter=self.remember),
        ]

    @torch.no_grad()
    def remember(self, run: Run) -> None:
        """Draw the memory."""
        self.memory.normal_()

    def translator(self, nets: Mapping[str, nn.Module]) -> Core:
        """G."""
        return ToyCore(nets["G"])


class ToyCore(Core):
    """G behind the translator's interface."""

    def __init__(self, G: nn.Module):
        super().__init__()
        self.G = G

    def forward(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, None]:
        """G(x, c)."""
        return self.G(torch.cat([x, c[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1)), None


def images() -> Arrays:
    """Forty random images of two domains."""
    rng = np.random.default_rng(0)
    return Arrays(TASK, rng.integers(0, 256, (40, 16, 16, 3), np.uint8), torch.eye(2).repeat(20, 1), {})


def stream_of(runtime: Runtime) -> Callable[[str, int, int], Iterator[Any]]:
    """Batches of four of them."""
    return lambda split, stage, first: Stream(images(), 4, (0, stage), runtime.rank, runtime.world).start(first)


def train(method: Method, steps: int, directory: Path | None = None, hooks: list[Hook] | None = None,
          **settings: Any) -> Run:  # fmt: skip
    """`fit` on these images, fp32 on the CPU, saving every step when there is a directory."""
    runtime = settings.pop("runtime", None) or Runtime.start("cpu")
    used: list[Hook] = [*(hooks or []), *([Save(1, keep=steps)] if directory else [])]
    settings = {"precision": "fp32", "ema_decay": 0.9} | settings
    return fit(method, stream_of(runtime), steps=steps, directory=directory, runtime=runtime, hooks=used, **settings)


def toy() -> Toy:
    """The same weights every time."""
    torch.manual_seed(0)
    return Toy()


class Slow:
    """Sleeps after every step, so that there is time to be killed."""

    def start(self, run: Run) -> None:
        """Nothing to do."""

    def __call__(self, run: Run) -> None:
        time.sleep(0.02)

    def end(self, run: Run) -> None:
        """Nothing to do."""


if __name__ == "__main__":
    torch.set_num_threads(1)
    train(toy(), int(sys.argv[2]), Path(sys.argv[1]), [Slow()] if "--slow" in sys.argv else [], resume=True)
