"""Many scenes through a translator between modalities: restartable, names kept, a bad one skipped and named."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from dragoman.data.image import SUFFIXES
from dragoman.data.maps import ARRAY
from dragoman.data.modality import Modality
from dragoman.errors import UserError
from dragoman.inference.files import Summary, claim, digest, listed, remember
from dragoman.inference.modal import ModalTranslator, Prediction
from dragoman.inference.scale import Scale


@dataclass(frozen=True)
class Scene:
    """The pictures of one scene and where its translation goes."""

    sources: dict[str, Path]
    """By modality."""
    output: Path


def plan_scenes(
    translator: ModalTranslator, inputs: Sequence[Path], names: Sequence[str], to: str, out: Path
) -> list[Scene]:
    """What to translate to where: files keep their names, the first input's where a scene has several.

    Args:
        translator: The model.
        inputs: Of one modality files and folders; of several a file of each, in their order, or a folder of each,
            whose files are matched by their names without suffix.
        names: Modalities of the inputs.
        to: The modality that is wanted: a depth becomes .npy where the input is one, else .png, as segmentations do.
        out: The output folder.

    Raises:
        UserError: an unknown modality, a translation that the model does not know, an input that does not exist, a
            folder without files, a number of inputs that does not fit, folders whose files have different names, or two
            files that would get the same name.
    """
    target, given = translator.modality(to), [translator.modality(name) for name in names]
    if not given:
        raise UserError(f"--from is missing: say what the inputs are, of {', '.join(translator.domains)}")
    translator.need([m.name for m in given], target.name)
    if len(given) == 1:
        scenes = [({given[0].name: path}, name) for path, name in listed(inputs, out, _suffixes(given[0]))]
    else:
        shown = " ".join(m.name for m in given)
        if len({m.name for m in given}) < len(given):
            raise UserError(f"--from {shown} names a modality twice; name each once")
        folders = [path for path in inputs if path.is_dir()]
        if len(inputs) != len(given) or len(folders) not in (0, len(given)):
            raise UserError(f"--from {shown} needs {len(given)} files of one scene in that order, or {len(given)} "
                            "folders with files of the same names")  # fmt: skip
        if folders:
            scenes = _matched(given, folders, out)
        else:
            found = [path for path, _ in listed(inputs, out)]
            scenes = [({m.name: path for m, path in zip(given, found, strict=True)}, Path(found[0].name))]
    planned, taken = [], dict[Path, Path]()
    for sources, name in scenes:
        named = name.with_suffix(_suffix(target, name.suffix))
        for path in sources.values():
            claim({}, path, [named], out)
        claim(taken, next(iter(sources.values())), [named], out)
        planned.append(Scene(sources, out / named))
    return planned


def _suffixes(modality: Modality) -> Collection[str]:
    return SUFFIXES | {ARRAY} if modality.kind == "depth" else SUFFIXES


def _matched(given: Sequence[Modality], folders: Sequence[Path], out: Path) -> list[tuple[dict[str, Path], Path]]:
    """The scenes of a folder for each modality, and the names of their files in the first one.

    Raises:
        UserError: a file of a folder has no partner in another one, or two have one name.
    """
    by_name: list[dict[Path, Path]] = []
    for modality, folder in zip(given, folders, strict=True):
        mine: dict[Path, Path] = {}
        for path, name in listed([folder], out, _suffixes(modality)):
            if (other := mine.setdefault(name.with_suffix(""), path)) != path:
                raise UserError(f"{other} and {path} are both called {name.stem}; leave one of them")
        by_name.append(mine)
    for mine in by_name:
        for folder, theirs in zip(folders, by_name, strict=True):
            if alone := next((name for name in mine if name not in theirs), None):
                raise UserError(f"{folder} has no file for {mine[alone]}; give a scene the same name in each folder")
    first = folders[0]
    return [
        ({m.name: mine[name] for m, mine in zip(given, by_name, strict=True)}, path.relative_to(first))
        for name, path in by_name[0].items()
    ]


def _suffix(target: Modality, of_input: str) -> str:
    if target.kind == "depth" and of_input.lower() == ARRAY:
        return ARRAY
    return of_input if target.kind == "image" and of_input.lower() != ARRAY else ".png"


def translate_scenes(
    translator: ModalTranslator,
    scenes: Sequence[Scene],
    out: Path,
    to: str,
    *,
    scale: Scale = "train",
    advance: Callable[[int], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
) -> Summary:
    """Translate scenes; what is done already, of the same files, is skipped, and no output is ever half-written.

    Args:
        translator: The model.
        scenes: From `plan_scenes`.
        out: The output folder; it remembers its settings, so that different ones do not mix, and what each file was
            made of, so that another scene with the same file names is not taken for done.
        to: The modality that is wanted.
        scale: See `ModalTranslator.translate_at`.
        advance: Called with the number of scenes dealt with.
        warn: Called with a line for each scene that could not be translated.

    Raises:
        UserError: the output folder cannot be written, or has translations of other settings or of other files.
    """
    target = translator.modality(to)
    names = [*scenes[0].sources]
    settings = {"model": translator.facts.get("sha256"), "from": names, "to": target.name, "scale": scale}
    remember(out, settings, {s.output.relative_to(out).as_posix(): _digest(s) for s in scenes})
    summary, start = Summary(), time.perf_counter()
    for scene in scenes:
        if scene.output.exists():
            summary.skipped += 1
        else:
            try:
                pictures = translator.read(scene.sources)
            except UserError as error:
                summary.failed[str(next(iter(scene.sources.values())))] = str(error)
                warn(str(error))
            else:
                parts = {name: values[None] for name, values in pictures.items()}
                Prediction(target, translator.translate_at(scale, parts, target.name)[0]).save(scene.output)
                summary.translated += 1
        advance(1)
    summary.seconds = time.perf_counter() - start
    return summary


def _digest(scene: Scene) -> str:
    """Of all its files."""
    return " ".join(digest(path) for path in scene.sources.values())
