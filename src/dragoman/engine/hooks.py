"""Hooks: they read a run and never steer it."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dragoman.engine.fit import Run


class Every:
    """A hook that acts after every n-th step and at the end of the run."""

    def __init__(self, every: int):
        self.every = every

    def start(self, run: Run) -> None:
        """Before the first step."""

    def __call__(self, run: Run) -> None:
        """After a step."""
        if run.step % self.every == 0 or run.step == run.steps:
            self.act(run)

    def end(self, run: Run) -> None:
        """After the last step."""

    def act(self, run: Run) -> None:
        """What to do."""
        raise NotImplementedError


class Log(Every):
    """Appends a line of JSON to `log.jsonl`: step, stage, seconds, images/s and every raw term."""

    def __init__(self, path: Path, every: int, batch_size: int):
        super().__init__(every)
        self.path, self.batch_size = path, batch_size

    def start(self, run: Run) -> None:
        """Forget what an interrupted run wrote after the state that this one resumes from; go on with its seconds.

        Lines of other hooks have none.
        """
        self.since, self.seconds, self.last = time.perf_counter(), 0.0, run.step
        if not run.runtime.main:
            return
        lines = self.path.read_text().splitlines() if run.step and self.path.exists() else []
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= run.step]
        self.seconds = max((json.loads(line).get("seconds", 0.0) for line in kept), default=0.0)
        self.path.write_text("".join(line + "\n" for line in kept))

    def act(self, run: Run) -> None:
        """Write the line; this is where the loop waits for the device, and so where it learns of a non-finite term."""
        run.check()
        names = list(run.losses)
        values = torch.stack([run.losses[name].float() for name in names]).tolist() if names else []
        elapsed = time.perf_counter() - self.since
        rate = (run.step - self.last) * self.batch_size * run.runtime.world / max(elapsed, 1e-9)
        self.seconds, self.since, self.last = self.seconds + elapsed, time.perf_counter(), run.step
        record = {
            "step": run.step,
            "stage": run.stage.name,
            "seconds": round(self.seconds, 2),
            "images_per_s": round(rate, 1),
        }
        append(self.path, run, record | dict(zip(names, values, strict=True)))


def append(path: Path, run: Run, record: Mapping[str, Any]) -> None:
    """Add a line to the log, on the main rank."""
    if run.runtime.main:
        with path.open("a") as file:
            file.write(json.dumps(record) + "\n")


class Save(Every):
    """Writes a state to resume from."""

    def __init__(self, every: int, keep: int):
        super().__init__(every)
        self.keep = keep

    def act(self, run: Run) -> None:
        """All ranks take part."""
        run.save(self.keep)


class Draw(Every):
    """Hands the core that would leave to a function that draws, on the main rank: `draw(core, step)`."""

    def __init__(self, every: int, draw: Callable[[Any, int], None]):
        super().__init__(every)
        self.draw = draw

    def act(self, run: Run) -> None:
        """Draw."""
        if run.runtime.main:
            with run.leaving() as core:
                self.draw(core, run.step)


class Evaluate(Every):
    """Measures the core that would leave and logs the numbers as "eval/name", on the main rank."""

    def __init__(self, every: int, measure: Callable[[Any], Mapping[str, float]], path: Path):
        super().__init__(every)
        self.measure, self.path = measure, path

    def act(self, run: Run) -> None:
        """Measure."""
        if run.runtime.main:
            with run.leaving() as core:
                values = self.measure(core)
            append(
                self.path,
                run,
                {"step": run.step, "stage": run.stage.name} | {f"eval/{k}": v for k, v in values.items()},
            )


class Guard(Every):
    """Warns in plain words when what would leave makes bad images: `look(core)` says what is wrong with them.

    Non-finite losses are stopped by the loop itself, before the update.
    """

    def __init__(self, every: int, look: Callable[[Any], list[str]], warn: Callable[[str], None], path: Path):
        super().__init__(every)
        self.look, self.warn, self.path = look, warn, path
        self.said: set[str] = set()

    def act(self, run: Run) -> None:
        """Look at the outputs; each warning is given once, and none in the first tenth of the run."""
        if not run.runtime.main or run.step * 10 < run.steps:
            return
        with run.leaving() as core:
            found = self.look(core)
        for warning in found:
            if warning not in self.said:
                self.said.add(warning)
                self.warn(f"step {run.step}: {warning}")
                append(self.path, run, {"step": run.step, "stage": run.stage.name, "warning": warning})


def symptoms(images: Tensor, outputs: Tensor) -> list[str]:
    """What is wrong with outputs [N, C, H, W] for inputs of the same shape, in words.

    * collapse: the outputs differ from each other less than a tenth of what the inputs do;
    * does nothing: the mean change is under 1 % of the range;
    * inverted: lightness of input and output correlate below -0.5 on average.
    """
    found = []
    if collapsed(images, outputs):
        found.append("every input gives almost the same output (collapse): lower the learning rate or raise the "
                     "weight of the reconstruction")  # fmt: skip
    if (images - outputs).abs().mean().item() < 0.02:
        found.append("outputs equal inputs (the translator does nothing): raise the weight of the adversarial or "
                     "classification loss, or train longer")  # fmt: skip
    grey_in, grey_out = (t.mean(1).flatten(1) - t.mean(1).flatten(1).mean(1, keepdim=True) for t in (images, outputs))
    norms = grey_in.norm(dim=1) * grey_out.norm(dim=1)
    if ((grey_in * grey_out).sum(1) / norms.clamp_min(1e-6)).mean().item() < -0.5:
        found.append("light and dark are swapped (inverted colours): restart with another seed or raise the weight of "
                     "the reconstruction")  # fmt: skip
    return found


def collapse(real: Tensor, made: Tensor) -> list[str]:
    """What is wrong with generated images [N, C, H, W] beside real ones, in words: they hardly differ, or nothing."""
    if not collapsed(real, made):
        return []
    return ["every noise gives almost the same image (collapse): lower the learning rate or train the critic more"]


def collapsed(real: Tensor, made: Tensor) -> bool:
    """Whether images differ from each other less than a tenth of what real ones do."""
    spread, own = (t.std(0, correction=0).mean().item() for t in (real, made))
    return own < 0.1 * spread
