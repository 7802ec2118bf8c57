"""Many files through a translator: restartable, names kept, a bad image skipped and named."""

import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from dragoman.data.image import SUFFIXES, BadImage, Picture, find, read, write, write_whole
from dragoman.data.manifest import METADATA, Manifest, Row, code
from dragoman.errors import UserError
from dragoman.inference.scale import Scale
from dragoman.inference.translator import Translator

SETTINGS = ".dragoman.json"
BATCH_PIXELS = 2**18
"""Pixels that go through the network at once."""


@dataclass
class Summary:
    """What became of the files."""

    translated: int = 0
    skipped: int = 0
    """Already there."""
    failed: dict[str, str] = field(default_factory=dict)
    """One line for each bad image, by path."""
    seconds: float = 0.0

    @property
    def images_per_s(self) -> float:
        """Input images per second."""
        return self.translated / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Job:
    """One input and where its translations go, one per style."""

    source: Path
    outputs: list[Path]
    masks: list[Path] = field(default_factory=list)
    """Where the masks of the outputs go; empty where they are not wanted."""


def listed(inputs: Sequence[Path], out: Path, suffixes: Collection[str] = SUFFIXES) -> Iterator[tuple[Path, Path]]:
    """Every input file, of folders those with the suffixes, and the name it has below what was given.

    Raises:
        UserError: an input does not exist, or a folder has no image.
    """
    if not inputs:
        raise UserError("nothing to translate; name image files or folders")
    for given in inputs:
        if given.is_dir():
            found = find(given, suffixes)
            if out.resolve() != given.resolve():  # what was translated before is no input
                found = [path for path in found if out.resolve() not in path.resolve().parents]
            if not found:
                raise UserError(f"no image files in {given}; give a folder with .jpg or .png files")
            yield from ((path, path.relative_to(given)) for path in found)
        elif given.exists():
            yield given, Path(given.name)
        else:
            raise UserError(f"{given}: no such file or folder; check the path")


def plan(inputs: Sequence[Path], out: Path, samples: int, masks: bool = False) -> list[Job]:
    """What to translate to where: files keep their names, folders their tree; several samples get -0, -1, ... ; the
    mask of NAME.jpg is NAME.mask.png.

    Raises:
        UserError: an input does not exist, a folder has no image, or two files would get the same name.
    """
    jobs: list[Job] = []
    taken: dict[Path, Path] = {}
    for path, name in listed(inputs, out):
        named = [name] if samples == 1 else [name.with_name(f"{name.stem}-{k}{name.suffix}") for k in range(samples)]
        beside = [n.with_name(f"{n.stem}.mask.png") for n in named] if masks else []
        claim(taken, path, [name, *named, *beside], out)
        jobs.append(Job(path, [out / n for n in named], [out / n for n in beside]))
    return jobs


def claim(taken: dict[Path, Path], path: Path, written: Sequence[Path], out: Path) -> None:
    """Note in `taken` that an input is written to these names below `out`.

    Raises:
        UserError: that is the input itself, or what another input is written to.
    """
    for name in written:
        if (out / name).resolve() == path.resolve():
            raise UserError(f"{path} would be written onto itself; choose another --out")
        if (other := taken.setdefault(name, path)) != path:
            raise UserError(f"{other} and {path} would both be written to {out / name}; translate them to two folders")


def translate_files(
    translator: Translator,
    jobs: Sequence[Job],
    out: Path,
    to: str,
    *,
    exemplar: Path | None = None,
    seed: int = 0,
    scale: Scale = "train",
    advance: Callable[[int], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
) -> Summary:
    """Translate files; what is done already, of the same file, is skipped, and no output is ever half-written.

    Args:
        translator: The model.
        jobs: From `plan`; with masks only for methods that have one.
        out: The output folder; it remembers its settings, with what the exemplar holds, so that different ones do not
            mix, and what each file was made of, so that another image of the same name is not taken for done.
        to: The target domain or attributes.
        exemplar: The image whose style to take.
        seed: Of the first sample's style; sample k has seed + k.
        scale: Of inputs and exemplar; see `Translator.rescale`.
        advance: Called with the number of inputs dealt with.
        warn: Called with a line for each bad image.

    Raises:
        UserError: the output folder cannot be written, or has translations of other settings or of other files; masks
            or an exemplar are wanted of a method without.
    """
    known = translator.code(to, given=torch.zeros(len(translator.domains)))  # a mistake is found before any writing
    style_of = None if exemplar is None else read(exemplar, translator.task.channels).tensor
    style = translator.style(known, seed, style_of, scale)
    if any(job.masks for job in jobs):
        blank = torch.zeros(1, translator.task.channels, translator.task.size, translator.task.size)
        if translator.translate(blank, known[None], style[None])[1] is None:
            raise UserError("this model has no masks; leave --masks out")
    look = None
    if exemplar is not None:  # by what it holds: another picture can be of the same name
        look = f"{exemplar.name}, SHA-256 {digest(exemplar)[:16]}..."
    model = translator.facts.get("sha256")
    settings = {"model": model, "to": to, "seed": seed, "scale": scale, "exemplar": look}
    of = [(job.outputs, digest(job.source)) for job in jobs]
    remember(out, settings, {path.relative_to(out).as_posix(): content for outputs, content in of for path in outputs})
    summary, start = Summary(), time.perf_counter()
    todo = [job for job in jobs if not all(path.exists() for path in (*job.outputs, *job.masks))]
    summary.skipped = len(jobs) - len(todo)
    advance(summary.skipped)
    for group in _groups(todo, translator, to, summary, advance, warn):
        images, codes = torch.stack([p.tensor for _, p, _ in group]), torch.stack([c for _, _, c in group])
        for sample in range(len(group[0][0].outputs)):
            styles = torch.stack([translator.style(c, seed + sample, style_of, scale) for c in codes])
            outputs, masks = translator.translate_at(scale, images, codes, styles)
            for number, (job, picture, _) in enumerate(group):
                done = translator.finish(picture, outputs[number], None if masks is None else masks[number])
                write(done.image, job.outputs[sample])
                if job.masks and done.mask is not None:
                    write(done.mask, job.masks[sample])
        summary.translated += len(group)
        advance(len(group))
    summary.seconds = time.perf_counter() - start
    return summary


Item = tuple[Job, Picture, Tensor]


def _groups(
    jobs: Sequence[Job],
    translator: Translator,
    to: str,
    summary: Summary,
    advance: Callable[[int], None],
    warn: Callable[[str], None],
) -> Iterator[list[Item]]:
    """Neighbouring images of one size, as many as fit."""
    group: list[Item] = []
    for job in jobs:
        try:
            picture = read(job.source, translator.task.channels)
        except BadImage as error:
            summary.failed[str(job.source)] = str(error)
            warn(str(error))
            advance(1)
            continue
        shape = picture.tensor.shape
        if group and (shape != group[0][1].tensor.shape or (len(group) + 1) * shape[1] * shape[2] > BATCH_PIXELS):
            yield group
            group = []
        group.append((job, picture, translator.code(to, picture.tensor, known_code(job.source, translator))))
    if group:
        yield group


def known_code(path: Path, translator: Translator) -> Tensor | None:
    """The code that a metadata.jsonl beside or above an input says it has, for models of attributes."""
    if translator.task.exclusive:
        return None
    for folder in list(path.resolve().parents)[:3]:
        if (folder / METADATA).is_file():
            row = _rows(folder).get(path.resolve().relative_to(folder).as_posix())
            if row and all(name in row.attributes for name in translator.domains):
                return torch.tensor(code(row, translator.domains, exclusive=False))
    return None


@lru_cache
def _rows(folder: Path) -> dict[str, Row]:
    return {row.file_name: row for row in Manifest.open(folder).rows}


def digest(path: Path) -> str:
    """SHA-256 of a file; empty if it cannot be read, which is found later."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def remember(out: Path, settings: dict[str, object], made: Mapping[str, str] | None = None) -> None:
    """Note the settings in the output folder, or check that they are the ones it was made with.

    Args:
        out: The folder.
        settings: What its files have in common.
        made: Of files that are to be in it, by name, the digest of what they are made of. One that is there already
            must have been made of the same.

    Raises:
        UserError: the settings are others, a file is made of something else, or the folder cannot be written.
    """
    file = out / SETTINGS
    try:
        before = dict(json.loads(file.read_text())) if file.exists() else None
        known = dict(before.pop("made", {})) if before else {}
        if before is not None and before != settings:
            name = next(k for k in [*settings, *before] if before.get(k) != settings.get(k))
            raise UserError(f"{out} holds translations with another {name} ({before.get(name)}); use another --out")
        for name, digest in (made or {}).items():
            if known.get(name) != digest and (out / name).exists():
                raise UserError(f"{out / name} is the translation of other files; use another --out")
        if before is None or made:
            write_whole(file, json.dumps(settings | ({"made": known | dict(made)} if made else {})).encode())
    except UserError:
        raise
    except (ValueError, TypeError):
        raise UserError(f"{file} is damaged; remove it, or use another --out") from None
    except OSError as error:
        raise UserError(f"cannot write in {out}: {error.strerror or error}; choose another --out") from None
