"""The loop: runs the stages of any method, and resumes it bit for bit."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from dragoman.data.batch import Batch
from dragoman.engine import checkpoint
from dragoman.engine.ema import Averages
from dragoman.engine.method import Method, Phase, Stage, at, weigh
from dragoman.engine.runtime import Runtime


class NonFinite(RuntimeError):
    """A loss or a gradient became infinite or not a number; nothing was updated with it."""


class Hook(Protocol):
    """Reads a run and never steers it. `start` is called before the first step, then itself after every step."""

    def start(self, run: "Run") -> None: ...
    def __call__(self, run: "Run") -> None: ...
    def end(self, run: "Run") -> None: ...


StreamOf = Callable[[str, int, int], Iterator[Any]]
"""(split, stage number, first batch) -> that stage's endless batches, from that batch on."""


@dataclass
class Run:
    """The state of a run, as hooks see it."""

    method: Method
    averages: Averages
    runtime: Runtime
    stages: Sequence[Stage]
    seed: int
    directory: Path | None
    step: int = 0
    """Steps done, over all stages."""
    precision_note: str = ""
    losses: dict[str, Tensor] = field(default_factory=dict)
    """The last raw value of every term, on the device, as "phase/term"."""
    flags: dict[str, tuple[list[str], Tensor]] = field(default_factory=dict)
    """Per phase, the names of what can be non-finite and whether it has been."""

    def __post_init__(self) -> None:
        self.optimizers = self.method.optimizers()
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", group["lr"])

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return sum(stage.steps for stage in self.stages)

    def position(self, done: int) -> tuple[int, int]:
        """(number of the stage that follows so many steps, steps done in it)."""
        for number, stage in enumerate(self.stages):
            if done < stage.steps:
                return number, done
            done -= stage.steps
        return len(self.stages) - 1, self.stages[-1].steps

    @property
    def stage(self) -> Stage:
        """That of the last step."""
        return self.stages[self.position(max(self.step - 1, 0))[0]]

    @contextmanager
    def leaving(self) -> Iterator[Any]:
        """The core that would leave now, of the averaged networks; all in eval mode, without gradients meanwhile."""
        training = {module: module.training for module in self.method.modules()}
        self.method.eval()
        try:
            with torch.no_grad():
                nets = self.averages.nets(self.method)
                self.method.settle(nets)
                core: Any = self.method.sampler(nets) if self.method.generates else self.method.translator(nets)
                yield core.eval()
        finally:
            for module, mode in training.items():
                module.training = mode

    def save(self, keep: int) -> None:
        """Write a state to resume from (all ranks call this)."""
        self.check()
        self.runtime.align(self.method)
        if self.runtime.main and self.directory is not None:
            checkpoint.save(
                self.directory / "state", self.step, {"method": self.method, "averages": self.averages},
                self.optimizers, {"precision": self.runtime.precision, "precision_note": self.precision_note}, keep,
            )  # fmt: skip
        self.runtime.barrier()

    def resume(self) -> bool:
        """Continue from the newest state, if there is one."""
        known = checkpoint.steps(self.directory / "state") if self.directory else []
        if not known or self.directory is None:
            return False
        modules = {"method": self.method, "averages": self.averages}
        newest = self.directory / "state" / str(known[-1])
        facts = checkpoint.load(newest, modules, self.optimizers, needs=["precision", "precision_note"])
        self.step, self.runtime.precision = facts["step"], facts["precision"]
        self.precision_note = facts["precision_note"]
        return True

    def check(self) -> None:
        """Raise `NonFinite` if a term or gradient has been non-finite. Waits for the device."""
        for phase, (names, flags) in self.flags.items():
            if flags.any():
                bad = ", ".join(name for name, flag in zip(names, flags.tolist(), strict=True) if flag)
                raise NonFinite(
                    f"{bad} of phase {phase} is not finite at step {self.step}; nothing was updated with it"
                )

    def _enter(self, number: int) -> None:
        """Put the networks that the stage updates in training mode, everything else in eval mode."""
        stage = self.stages[number]
        moved = {p for phase in stage.phases for p in self._parameters(phase)}
        for child in self.method.children():
            child.train(any(p in moved for p in child.parameters()))

    def _parameters(self, phase: Phase) -> list[Tensor]:
        return [p for name in phase.updates for group in self.optimizers[name].param_groups for p in group["params"]]

    def _compute(
        self, phase: Phase, batch: Batch, step: int, seed: tuple[int, ...]
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """The phase's gradients with respect to exactly what it updates, and its raw terms."""
        self.method.requires_grad_(False)
        parameters = self._parameters(phase)
        for parameter in parameters:
            parameter.requires_grad_(True)
            parameter.grad = None
        self.runtime.seed(*seed)
        with self.runtime.autocast():
            losses = phase.losses(batch, **{name: at(value, step) for name, value in phase.arguments.items()})
        weigh(losses, phase.weights, step).backward()
        for parameter in parameters:
            if parameter.grad is None:  # every rank must reduce the same tensors
                parameter.grad = torch.zeros_like(parameter)
        return [p.grad for p in parameters if p.grad is not None], losses

    def _update(self, phase: Phase, batch: Batch, step: int, seed: tuple[int, ...]) -> None:
        """One optimisation step of one phase, which does nothing if a term or a gradient is non-finite."""
        gradients, losses = self._compute(phase, batch, step, seed)
        watched = [*losses.values(), torch.nn.utils.get_total_norm(gradients)]
        flags = torch.stack([~torch.isfinite(t.detach().float()) for t in watched]).float()
        flags = self.runtime.average(gradients, flags)
        before = self.flags.get(phase.name)
        self.flags[phase.name] = ([*losses, "the gradient"], flags if before is None else before[1] + flags)
        if self.runtime.device.type == "cpu":
            self.check()
        self._apply(phase, step, flags)
        self.losses |= {f"{phase.name}/{name}": loss.detach() for name, loss in losses.items()}

    def _apply(self, phase: Phase, step: int, flags: Tensor) -> None:
        """Step the phase's optimisers, unless a flag is set: fused ones see that on the device, so nothing waits."""
        found_inf = flags.amax().clamp(max=1)  # the flags count ranks, and the kernels compare with exactly 1
        for name in phase.updates:
            optimizer = self.optimizers[name]
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * at(phase.lr, step)
            optimizer.grad_scale, optimizer.found_inf = None, found_inf  # type: ignore[attr-defined]
            optimizer.step()

    def _probe(self, batch: Batch, wish: str) -> None:
        """Time one forward and backward pass of each phase in each precision, then put back every buffer."""
        buffers = {name: value.clone() for name, value in self.method.state_dict().items()}
        phases = self.stage.phases
        jobs = [partial(self._compute, phase, batch, 0, (self.seed, 0)) for phase in phases]
        self.precision_note = self.runtime.choose_precision(wish, jobs)
        self.method.load_state_dict(buffers)


def fit(
    method: Method,
    stream: StreamOf,
    *,
    steps: int,
    stages: Sequence[Stage] | None = None,
    seed: int = 0,
    directory: Path | None = None,
    runtime: Runtime | None = None,
    hooks: Sequence[Hook] = (),
    ema_decay: float = 0.0,
    precision: str = "auto",
    resume: bool = False,
) -> Run:
    """Train a method.

    Everything that varies in time is a function of the step, so a run of n steps equals k steps, a stop at any moment,
    and n - k more; on a CPU bit for bit.

    Args:
        method: Fresh networks; every rank starts from the main one's.
        stream: (split, stage number, first batch) -> endless batches.
        steps: Steps in all stages together.
        stages: Those of the method for so many steps, if none are given.
        seed: Of everything random in the run.
        directory: Where states are written (by a save hook) and resumed from.
        runtime: Device, rank and precision; a plain CPU or GPU process if not given.
        hooks: Read the run after every step.
        ema_decay: Of the running averages; 0 keeps none.
        precision: "auto", "fp32" or "bf16".
        resume: Continue from the newest state in `directory`, if there is one.

    Raises:
        NonFinite: a loss or gradient became non-finite; the last state is a good one.
    """
    runtime = runtime or Runtime.start()
    method.to(runtime.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    runtime.copy_from_main(method)
    run = Run(method, Averages(method, method.ema, ema_decay), runtime, stages or method.stages(steps), seed, directory)
    resumed = resume and run.resume()
    if not resumed:
        first = run.stages[0]
        run._enter(0)
        run._probe(next(stream(first.data, 0, 0)).to(runtime.device), precision)
    for hook in hooks:
        hook.start(run)
    while run.step < run.steps:
        number, done = run.position(run.step)
        stage = run.stages[number]
        run._enter(number)
        if stage.enter and done == 0:
            runtime.seed(seed, run.step, len(stage.phases))  # a key that no phase has
            stage.enter(run)
            runtime.copy_from_main(method)  # every rank goes on with the same draw
        slots = max(phase.repeat for phase in stage.phases)
        batches = stream(stage.data, number, done * slots)
        run.check()  # what happened in the last stage, before its flags are forgotten
        run.flags.clear()
        run.losses.clear()  # nor are its terms logged any longer
        for step in range(done, stage.steps):
            fresh = [next(batches).to(runtime.device) for _ in range(slots)]
            for which, phase in enumerate(stage.phases):
                if (step + 1) % phase.every == 0:
                    for update in range(phase.repeat):
                        run._update(phase, fresh[update], step, (seed, run.step, which, update))
            run.averages.follow(method, run.step)
            run.step += 1
            for hook in hooks:
                hook(run)
    run.check()
    for hook in hooks:
        hook.end(run)
    return run
