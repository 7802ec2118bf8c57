"""The progress bar of a run."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

from dragoman.engine.fit import Run


class _Rate(ProgressColumn):
    """Images per second."""

    def render(self, task: Any) -> str:
        return f"{(task.speed or 0) * task.fields['batch']:.0f} images/s"


class Bar:
    """A progress bar: stage, step, images/s, time left; nothing where there is no terminal."""

    def __init__(self, console: Console, batch_size: int):
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f}"),
                   _Rate(), TimeRemainingColumn())  # fmt: skip
        shown = console.is_terminal and not console.quiet
        self.console, self.batch_size = console, batch_size
        self.progress = Progress(*columns, console=console, disable=not shown)

    def __enter__(self) -> "Bar":
        """Leave the terminal in order, whatever happens."""
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def start(self, run: Run) -> None:
        """Show it."""
        self.console.print(f"precision {run.precision_note}, device {run.runtime.device}", highlight=False)
        self.task = self.progress.add_task(run.stage.name, total=run.steps, completed=run.step, batch=self.batch_size)
        self.progress.start()

    def __call__(self, run: Run) -> None:
        """One step further."""
        self.progress.update(self.task, completed=run.step, description=run.stage.name)

    def end(self, run: Run) -> None:
        """Nothing to do."""
