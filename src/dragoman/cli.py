"""The command line: parses and calls; holds no logic."""

import contextlib
import dataclasses
import functools
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table
from tyro.conf import Positional, arg

from dragoman.errors import UserError, one_line, suggest


def methods(*, json: bool = False) -> None:
    """List every method with its paper, the data it needs and its recipes.

    Args:
        json: Print JSON instead of a table.
    """
    from dragoman import methods as all_methods
    from dragoman import recipes

    found: dict[str, Any] = {}
    for name in all_methods.names():
        method = all_methods.find(name)
        mine = {r: recipes.summary(r) for r in recipes.names() if r.startswith(f"{name}.")}
        found[name] = {"paper": method.paper, "needs": method.needs, "recipes": mine}
    if json:
        _print_json(found)
        return
    for name, facts in found.items():
        table = Table(title=f"{name}: {facts['paper']}", caption=f"needs {facts['needs']}", title_justify="left",
                      caption_justify="left", show_header=False, box=None)  # fmt: skip
        table.add_column(no_wrap=True)  # names are to be copied
        table.add_column()
        for recipe, what in facts["recipes"].items():
            table.add_row(recipe, what)
        Console().print(table, "")


def data_check(folder: Annotated[Path, Positional, arg(metavar="FOLDER")], /, *, json: bool = False) -> int:
    """Say what is in a data set folder, what is wrong with it, and what to do.

    Args:
        folder: The data set: train/<domain>/*.jpg and test/<domain>/*.jpg, or a folder with metadata.jsonl, or, for
            generators, train/*.jpg and test/*.jpg.
        json: Print JSON instead of tables.

    Returns exit code 1 if something is wrong.
    """
    from dragoman.data.check import check, survey

    with _progress("checking", len(survey(folder)[0].rows)) as advance:
        found = check(folder, advance)
    if json:
        _print_json(found.as_json())
        return int(bool(found.problems))
    console = Console()
    domains = list(next(iter(found.counts.values())))
    title = f"images per {'domain' if found.exclusive else 'attribute'} of {folder}"
    table = Table("split", *map(escape, domains), title=escape(title))
    for split, counts in found.counts.items():
        table.add_row(escape(split), *(str(counts[d]) for d in domains))
    console.print(table)
    for title, values in (("size", found.sizes), ("mode", found.modes)):
        shown = ", ".join(f"{k}: {v}" for k, v in list(values.items())[:6])
        console.print(f"{title}: {shown}{f' and {len(values) - 6} more' if len(values) > 6 else ''}", highlight=False)
    for kind in ("corrupt", "flat", "small", "duplicates"):
        console.print(f"{kind}: {len(getattr(found, kind))}", highlight=False)
    if found.plain:
        console.print("images of one kind, for generators; between domains put them into train/<domain>/", markup=False)
    for line in found.problems or ["nothing is wrong"]:
        console.print(f"- {line}", highlight=False, markup=False)
    return int(bool(found.problems))


MAKE_HELP = """usage: dragoman data make WORLD OUT [--size PIXELS] [--seed 0] [--FIELD VALUE]

Write a built-in world as an ordinary data set folder with metadata.jsonl.

  OUT         the folder to write; it must not exist
  --n 10000   train images, of streets and faces; the others have --images or --variants
  --set NAME  what is written beside the images, or how they differ, of streets and faces
  --json      print JSON

dragoman data make WORLD --help explains every field. The worlds:
"""


def data_make(arguments: Sequence[str]) -> None:
    """Write a built-in world as a data set folder."""
    from dragoman import worlds

    words = list(arguments)
    if not words or words[0] in ("-h", "--help"):
        print(MAKE_HELP + "\n".join(f"  {name:16} {worlds.summary(name)}" for name in worlds.WORLDS))
        return
    as_json = _take(words, "--json", value=False)
    name = words.pop(0)
    world, prog = worlds.find(name), f"dragoman data make {name}"
    out = words.pop(0) if words and not words[0].startswith("-") else ""
    config = _parse(world, words, prog)
    if not out:
        raise UserError(f"name the folder to write: {prog} OUT")
    total = sum(len(config.open(split)) for split in worlds.SPLITS)
    with _progress("drawing", total) as advance:
        manifest = worlds.make(config, Path(out), advance)
    if as_json:
        _print_json({"root": out, "images": len(manifest.rows)})
        return
    print(f"{len(manifest.rows)} images in {out}; next: dragoman data check {out}")


def data_import(
    family: Annotated[str, Positional, arg(metavar="FAMILY")],
    src: Annotated[Path, Positional, arg(metavar="SRC")],
    out: Annotated[Path, Positional, arg(metavar="OUT")],
    /,
    *,
    json: bool = False,
) -> None:
    """Read a published data set in its official layout and write it as a data set folder with metadata.jsonl.

    Args:
        family: Of robotcar, bdd100k, celeba, camvid, cityscapes and others; docs/datasets.md has them all.
        src: The folder in the official layout. Files are linked where that is possible, else copied.
        out: The folder to write; it must not exist.
        json: Print JSON.
    """
    from dragoman.data.adapters import import_family

    manifest, skipped = import_family(family, src, out)
    if json:
        _print_json({"root": str(out), "images": len(manifest.rows), "skipped": skipped})
        return
    for line in skipped:
        _warn(f"left out: {line}")
    print(f"{len(manifest.rows)} images in {out}, {len(skipped)} left out; next: dragoman data check {out}")


def data_pairs(
    folder: Annotated[Path, Positional, arg(metavar="FOLDER")],
    /,
    *,
    max_distance: float = 5,
    max_angle: float = 15,
    json: bool = False,
) -> None:
    """Find weak pairs, images of the same place in different domains, by their poses; write FOLDER/pairs.jsonl.

    Args:
        folder: A data set folder whose metadata.jsonl has poses.
        max_distance: Most metres between two positions.
        max_angle: Most degrees between two headings.
        json: Print JSON.
    """
    from dragoman.data import pairing
    from dragoman.data.manifest import Manifest

    reach = pairing.Reach(max_distance=max_distance, max_angle=max_angle)
    rows = Manifest.open(folder).rows
    pairs = pairing.weak_pairs(rows, reach)
    pairing.write_pairs(folder / pairing.PAIRS, pairs)
    found = pairing.summary(pairs, rows, reach)
    if json:
        _print_json(found)
        return
    table = Table("split: domains", "pairs")
    for name, count in found["counts"].items():
        table.add_row(escape(name), str(count))
    Console().print(table)
    most = max(found["histogram"])
    for low, high, count in zip(found["metres"], found["metres"][1:], found["histogram"], strict=False):
        print(f"{low:6.2f} - {high:5.2f} m  {count:7d} {'#' * round(40 * count / most)}")
    print(f"{len(pairs)} pairs in {folder / pairing.PAIRS}")


def translate(
    model: Annotated[Path, Positional, arg(metavar="MODEL")],
    inputs: Annotated[list[Path], Positional, arg(metavar="INPUT [INPUT ...]")],
    /,
    *,
    to: str,
    out: Path,
    from_: Annotated[tuple[str, ...], arg(name="from")] = (),
    exemplar: Path | None = None,
    exemplar_dir: Path | None = None,
    seed: int | None = None,
    samples: int | None = None,
    masks: bool = False,
    scale: Literal["train", "native"] = "train",
    device: str = "cpu",
    quiet: bool = False,
    json: bool = False,
) -> int:
    """Translate files or folders; any size and mode in, the same size out, names kept. Skips what is done already.

    Args:
        model: A model folder, for example runs/demo/model.
        inputs: Image files, or folders of them.
        to: The target domain; with attributes what to set, for example smiling,no-hat. What is not named comes from
            a metadata.jsonl beside the input, else from the model's classifier. Between modalities the wanted one.
        out: Where to write.
        from_: Between modalities, what the inputs are: one, of files and folders, or several, of as many files of one
            scene or as many folders, in that order, whose files are matched by their names without suffix. Depths are
            16-bit grey with 256 to the metre or .npy of floats in metres, segmentations class numbers.
        exemplar: An image whose style to take instead of a random one, for methods that can.
        exemplar_dir: A folder of them: writes one picture, OUT/matrix.png, of every input in the style of every
            exemplar (at most 16 of each, the first by name), and no other file.
        seed: Of the random style, 0 if not given; the same seed gives the same style to every image.
        samples: Styles per image, 1 if not given, with seeds from `seed` on; the files get -0, -1, ... .
        masks: Also write the method's own mask, as NAME.mask.png beside the image: SDIT's attention, EGSC-IT's feature
            mask. Other methods have none.
        scale: train resizes to the scale of the training images and back, native does not resize.
        device: cpu, cuda or mps.
        quiet: No progress bar.
        json: Print the summary as JSON.

    Returns exit code 2 if nothing could be translated.
    """
    import dragoman
    from dragoman.inference.files import plan, translate_files
    from dragoman.inference.modal import ModalTranslator
    from dragoman.inference.scenes import plan_scenes, translate_scenes
    from dragoman.report.matrix import write_matrix

    styled = {"--exemplar": exemplar, "--samples": samples, "--seed": seed, "--masks": masks or None}
    given = [flag for flag, value in styled.items() if value is not None]
    if exemplar_dir is not None and given:
        raise UserError(f"--exemplar-dir and {given[0]} do not go together; leave one out")
    if exemplar is not None and (random := [flag for flag in ("--samples", "--seed") if flag in given]):
        raise UserError(f"--exemplar and {random[0]} do not go together; leave one out")  # it has one style
    if samples is not None and samples < 1:
        raise UserError(f"--samples must be at least 1, got {samples}")
    if seed is not None and not 0 <= seed < 2**32:
        raise UserError(f"--seed must be from 0 to {2**32 - 1}, got {seed}")
    translator = dragoman.load(model, device)
    if isinstance(translator, ModalTranslator):
        if exemplar_dir is not None or given:
            raise UserError(f"this model translates between modalities; leave {[*given, '--exemplar-dir'][0]} out")
        scenes = plan_scenes(translator, inputs, from_, to, out)
        with _progress("translating", len(scenes), quiet) as advance:
            summary = translate_scenes(translator, scenes, out, to, scale=scale, advance=advance, warn=_warn)
        return _summed_up(summary, out, json)
    if from_:
        raise UserError(f"this model translates between domains ({', '.join(translator.domains)}); leave --from out")
    if exemplar_dir is not None:
        with Console(stderr=True, quiet=quiet).status("translating"):
            done = write_matrix(translator, inputs, exemplar_dir, out, to, scale=scale, warn=_warn)
        if json:
            sources, exemplars = [*map(str, done.sources)], [*map(str, done.exemplars)]
            _print_json({"path": str(done.path), "sources": sources, "exemplars": exemplars, "failed": done.failed})
        else:
            print(f"{len(done.sources)} sources in the style of {len(done.exemplars)} exemplars, "
                  f"{len(done.failed)} bad images left out; in {done.path}")  # fmt: skip
        return 0
    seed, samples = seed or 0, 1 if samples is None else samples
    if samples > 1 and not translator.core.style_dim:
        raise UserError("this model has one translation of an image in a domain, no styles; leave --samples out")
    jobs = plan(inputs, out, samples, masks)
    with _progress("translating", len(jobs), quiet) as advance:
        summary = translate_files(
            translator, jobs, out, to, exemplar=exemplar, seed=seed, scale=scale, advance=advance, warn=_warn
        )
    return _summed_up(summary, out, json)


def _summed_up(summary: Any, out: Path, as_json: bool) -> int:
    """Print what became of files to translate; the exit code."""
    if as_json:
        _print_json(vars(summary) | {"images_per_s": summary.images_per_s})
    else:
        print(f"{summary.translated} translated, {summary.skipped} were done already, {len(summary.failed)} left out; "
              f"{summary.images_per_s:.1f} images/s; in {out}")  # fmt: skip
    return 2 if summary.failed and not (summary.translated or summary.skipped) else 0


def generate(
    model: Annotated[Path, Positional, arg(metavar="MODEL")],
    /,
    *,
    out: Path,
    n: int = 64,
    seed: int = 0,
    label: str | None = None,
    device: str = "cpu",
    quiet: bool = False,
    json: bool = False,
) -> None:
    """Make images from noise with a generator: OUT/SEED.png for each seed, and OUT/grid.png of them all.

    Args:
        model: A model folder of a method that generates, for example runs/mnist/model.
        out: Where to write. What is there already is kept and not made again.
        n: How many images, with seeds from `seed` on; the same seed always gives the same image.
        seed: Of the first image.
        label: The domain; without, a conditional generator makes its domains in turn.
        device: cpu, cuda or mps.
        quiet: No progress bar.
        json: Print the files as JSON.
    """
    import dragoman
    from dragoman.report.samples import write_samples

    if n < 1:
        raise UserError(f"--n must be at least 1, got {n}")
    if not 0 <= seed < 2**32 - n:
        raise UserError(f"--seed must be from 0 to {2**32 - n - 1}, got {seed}")
    sampler = dragoman.load_sampler(model, device)
    with _progress("generating", n, quiet) as advance:
        done = write_samples(sampler, out, range(seed, seed + n), label, advance)
    if json:
        _print_json([str(file) for file in done.files])
    else:
        print(f"{n} images in {out}, all of them in {done.files[-1]}; {done.made} made, "
              f"{done.seconds_per_image:.4f} s each")  # fmt: skip


def rank_sources(
    target: Annotated[Path, Positional, arg(metavar="TARGET")],
    models: Annotated[list[Path], Positional, arg(metavar="MODEL [MODEL ...]")],
    /,
    *,
    features: Literal["squeezenet", "inception"] = "squeezenet",
    n: int = 1000,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Order pretrained generators by the Frechet distance of their images to those of a target folder (Table 2.5).

    The nearest is the one to transfer from first; it is a rough guide (thesis 2.3.7), and the rougher the fewer target
    images there are: of less than some hundred, the distance favours sources that vary little.

    Args:
        target: A folder of images.
        models: Model folders of methods that generate.
        features: What the distance is measured on.
        n: Images made with each generator, and most target images.
        seed: Of the first image.
        json: Print the distances as JSON.
    """
    import dragoman
    from dragoman.data.dataset import Images
    from dragoman.metrics.generation import rank
    from dragoman.metrics.protocol import Protocol

    if not models:
        raise UserError(f"nothing to rank for {target}; name at least one MODEL")
    samplers = {str(model): dragoman.load_sampler(model) for model in models}
    task = next(iter(samplers.values())).task
    data = Images(root=target, size=task.size, channels=task.channels).open("train")
    protocol = Protocol(features=features, inputs=n, reference=n, seed=seed)
    with Console(stderr=True).status("measuring"):
        found = rank(samplers, data, protocol)
    if json:
        _print_json(dict(found))
        return
    table = Table("source", f"distance to {escape(str(target))}")
    for name, distance in found:
        table.add_row(escape(name), f"{distance:.2f}")
    Console().print(table)


def evaluate(
    model: Annotated[Path, Positional, arg(metavar="MODEL")],
    data: Annotated[str, Positional, arg(metavar="DATA")],
    /,
    *,
    metrics: tuple[str, ...] = (),
    features: Literal["classifier", "squeezenet", "inception"] = "classifier",
    lpips: Literal["squeeze", "alex", "vgg"] = "squeeze",
    split: str = "test",
    inputs: int = 400,
    styles: int = 3,
    seed: int = 0,
    out: Path | None = None,
    device: str = "cpu",
    json: bool = False,
) -> None:
    """Measure a model on a data set; every number comes with its protocol.

    Args:
        model: A model folder.
        data: A data set folder with train and test splits, or the name of a built-in world (digits, faces, mnist,
            mnist-multiple, mnist-single, streets).
        metrics: What to measure; everything that the data allow if not given. docs/metrics.md has them all.
        features: What distances between sets of images are measured on.
        lpips: Network of LPIPS.
        split: Split the inputs are taken from.
        inputs: Most input images.
        styles: Styles per input and target domain.
        seed: Of styles and classifiers.
        out: Also write metrics.json and report.html there. In the folder of a run, that run's report gets a section
            more. Not given, that is the run which the model belongs to, if it belongs to one.
        device: cpu, cuda or mps.
        json: Print JSON instead of a table.
    """
    import dragoman
    from dragoman import run, worlds
    from dragoman.inference.modal import ModalTranslator
    from dragoman.metrics.measure import Measure
    from dragoman.metrics.measurements import METRICS
    from dragoman.metrics.modal import MeasureScenes
    from dragoman.metrics.protocol import Protocol
    from dragoman.report import evaluation

    place = evaluation.place(model, data, split, out)
    translator = dragoman.load(model, device)
    source = worlds.open_source(data, translator.task)
    protocol = Protocol(split=split, inputs=inputs, styles=styles, features=features, lpips=lpips, seed=seed)
    kept = evaluation.kept(translator.task)
    if isinstance(translator, ModalTranslator):
        if metrics:
            raise UserError("all metrics of a model between modalities are measured; leave --metrics out")
        scenes = MeasureScenes(source.open(split), protocol)
        measured, on = functools.partial(scenes, translator), scenes.test
    else:
        measure = Measure(source.open("train"), source.open(split), protocol, metrics or tuple(METRICS))
        for name, reason in measure.left_out.items():
            if name in metrics:
                raise UserError(f"metric {name} needs {reason}")
        measured, on = functools.partial(measure, translator, kept=kept), measure.test
    if place is not None:
        run.make_folder(place.record.parent)
    with Console(stderr=True).status("measuring") as status:
        result = measured(lambda what: status.update(what))
    written: list[str] = []
    if place is not None:
        about = {"model": str(model), "data": data, "split": split}
        written = [*map(str, evaluation.write_evaluation(place, about, result, translator, on, kept, _warn))]
    if json:
        _print_json(result | {"written": written})
        return
    print_metrics(result)
    print(f"written: {', '.join(written)}" if written else "nothing was written; --out DIR writes a report")


def report(run: Annotated[Path, Positional, arg(metavar="RUN")], /) -> None:
    """Write RUN/report.html again from what the run's folder holds.

    Args:
        run: The folder of a run, for example runs/demo.
    """
    from dragoman.report.html import report as write

    print(write(run))


TRAIN_HELP = """usage: dragoman train RECIPE [--method.FIELD VALUE] [--data.FIELD VALUE] [--train.FIELD VALUE]
                      [--out DIR] [--resume] [--dry-run] [--quiet] [--json]
       dragoman train --config RUN/config.json [...]

Train a recipe: its networks, on its data, into runs/<recipe> with a model, pictures, metrics and a report.

  --out DIR      the run's folder (default: runs/<recipe>)
  --resume       continue the run in that folder, or begin it if there is none
  --dry-run      build everything, run a few steps, print sizes, time and memory, write nothing
  --config FILE  repeat the run of that config.json
  --quiet        no progress bar
  --json         print the metrics, or what a dry run found, as JSON

dragoman train RECIPE --help explains every field. The recipes:
"""


def train(arguments: Sequence[str]) -> None:
    """Train a recipe, or the experiment of a config.json."""
    from dragoman import plan, recipes, run

    words = list(arguments)
    if not words or words[0] in ("-h", "--help"):
        print(TRAIN_HELP + "\n".join(f"  {name:40} {recipes.summary(name)}" for name in recipes.names()))
        return
    options = {flag: _take(words, flag, value=True) for flag in ("--out", "--config")}
    switches = {flag: _take(words, flag, value=False) for flag in ("--resume", "--dry-run", "--quiet", "--json")}
    if options["--config"]:
        base = run.read_experiment(Path(options["--config"]))
    elif words and not words[0].startswith("-"):
        base = recipes.find(words.pop(0))
    else:
        raise UserError("name a recipe, or --config FILE; dragoman methods lists them")
    experiment = _parse(type(base), words, f"dragoman train {base.recipe}", default=base)
    if experiment.recipe != base.recipe:
        raise UserError(f"--recipe cannot be changed; run: dragoman train {experiment.recipe}")
    memory = _enough_memory(f"a smaller {plan.less(experiment)}")
    if switches["--dry-run"]:
        with memory:
            found = plan.plan(experiment)
        if switches["--json"]:
            _print_json(dataclasses.asdict(found))
        else:
            plan.show(found, Console())
        return
    out = Path(options["--out"] or f"runs/{base.recipe}")
    with memory:
        result = run.train(experiment, out, resume=bool(switches["--resume"]), quiet=bool(switches["--quiet"]))
    if not result:
        return
    if switches["--json"]:
        _print_json(result)
        return
    print_metrics(result)
    print(f"{out / 'report.html'}\n{out / 'grid.png'}\nnext: dragoman {_next(base.recipe, out / 'model', result)}")


def _next(recipe: str, model: Path, result: dict[str, Any]) -> str:
    """The command that uses a model of a recipe."""
    from dragoman import methods

    if methods.find(recipe.partition(".")[0]).generates:
        return f"generate {model} --n 64 --out generated"
    if "unseen" in result:  # between modalities
        source, _, target = next(iter(result["unseen"] or result["per_domain"])).partition(" to ")
        return f"translate {model} IMAGE --from {source} --to {target} --out translated"
    return f"translate {model} IMAGE --to {next(iter(result['per_domain']))} --out translated"


def print_metrics(result: dict[str, Any]) -> None:
    """A table of metrics with their protocol."""
    table = Table("metric", "value")
    for name, value in result["metrics"].items():
        table.add_row(name, f"{value:.4f}")
    Console().print(table)
    print(f"N = {result['n']}; {result['protocol']}")
    cost = result["model"]
    print(f"translator: {cost['parameters']:,} parameters, {cost['mebibytes']:.1f} MiB, "
          f"{cost['multiply_adds'] / 1e9:.3f} billion multiply-adds for one image")  # fmt: skip


COMMANDS: dict[str, tuple[Callable[..., Any], str]] = {
    "methods": (methods, "every method with its paper, the data it needs and its recipes"),
    "data check": (data_check, "what is in a data set folder, what is wrong, what to do"),
    "data import": (data_import, "write a published data set, in its official layout, as a data set folder"),
    "data make": (data_make, "write a built-in world as a data set folder"),
    "data pairs": (data_pairs, "find images of the same place by their poses"),
    "train": (train, "train a recipe, or repeat a run"),
    "translate": (translate, "translate files or folders with a model"),
    "generate": (generate, "make images from noise with a generator"),
    "rank-sources": (rank_sources, "order pretrained generators by their distance to a target folder"),
    "evaluate": (evaluate, "measure a model on a data set"),
    "report": (report, "write the HTML report of a run again"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point: exit code 0, 1 for a negative answer, 2 for a user's mistake, 130 when interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    group = "data " if words[:1] == ["data"] else ""
    if (words[1:] if group else words)[:1] in ([], ["-h"], ["--help"]):
        print("usage: dragoman COMMAND ...\n")
        print("\n".join(f"  {n:12} {what}" for n, (_, what) in COMMANDS.items() if n.startswith(group)))
        print("\ndragoman COMMAND --help explains every field.")
        return 0
    if words[0] == "--version":
        import dragoman

        print(dragoman.__version__)
        return 0
    try:
        name = " ".join(words[:2]) if group else words[0]
        if name not in COMMANDS:
            raise UserError(f"unknown command {name!r}; {suggest(name, list(COMMANDS))}")
        call, rest = COMMANDS[name][0], words[len(name.split()) :]
        with _enough_memory("smaller images, or fewer at once"):
            if call in (train, data_make):  # their fields are those of the recipe or world that they name
                call(rest)
                return 0
            return _parse(_deferred(call), rest, f"dragoman {name}")() or 0
    except UserError as error:
        _warn(str(error))
        return 2
    except ValidationError as error:  # a value out of range that only the library's own check sees
        _warn(f"{one_line(error)}; see dragoman {name} --help")
        return 2
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        _warn("interrupted; a training run continues with --resume")
        return 130


@contextlib.contextmanager
def _enough_memory(instead: str) -> Iterator[None]:
    """Where memory runs out, a line that says what to take instead."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not re.search("out of memory|allocate memory", str(error)):
            raise
        raise UserError(f"not enough memory; take {instead}") from None


def _parse(what: Any, words: Sequence[str], prog: str, **settings: Any) -> Any:
    """tyro, with its boxed complaints as one line."""
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(what, args=list(words), prog=prog, **settings)
    except SystemExit as stop:
        if not stop.code:
            raise
        text = complaint.getvalue().split("For full helptext")[0]
        text = re.sub(r"^\u256d.*", "", text, flags=re.MULTILINE)  # the box's upper border, with a title
        text = " ".join(re.sub(r"https?://\S+|For further information visit|[\u2500-\u257f]+|-{4,}", " ", text).split())
        text = re.sub(r"^(Unrecognized options) \1", r"\1", text)
        text = re.sub(r"(Value error )?Error parsing \S+: \d+ validation errors? for \S+ (\S+) ", r"\2: ", text)
        text = re.sub(r" \[type=.*?input_type=\w+\]", "", text)
        raise UserError(f"{text}; see {prog} --help") from None


def _deferred(function: Callable[..., Any]) -> Callable[..., Callable[[], Any]]:
    """The function as the parser sees it, but not called yet: its own errors and output are not the parser's."""

    @functools.wraps(function)
    def later(*args: Any, **kwargs: Any) -> Callable[[], Any]:
        return functools.partial(function, *args, **kwargs)

    return later


def _take(words: list[str], flag: str, *, value: bool) -> str:
    """Remove a flag (and its value) from the words; "" where it is not there."""
    for place, word in enumerate(words):
        if word == flag and not value:
            del words[place]
            return flag
        if word == flag and value:
            found = words[place + 1] if place + 1 < len(words) else ""
            if not found or found.startswith("--"):
                raise UserError(f"{flag} needs a value")
            del words[place : place + 2]
            return found
        if value and word.startswith(f"{flag}="):
            if not (found := word.partition("=")[2]):
                raise UserError(f"{flag} needs a value")
            del words[place]
            return found
    return ""


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2))


def _warn(line: str) -> None:
    print(f"dragoman: {line}", file=sys.stderr)


@contextlib.contextmanager
def _progress(what: str, total: int, quiet: bool = False) -> Any:
    """A progress bar on stderr where that is a terminal; yields advance(n)."""
    console = Console(stderr=True)
    with Progress(console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda n: bar.advance(task, n)
