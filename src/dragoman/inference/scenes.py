"""Many scenes through a translator between modalities: restartable, names kept, a bad one skipped and named."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dragoman.data.image import SUFFIXES
from dragoman.data.maps import ARRAY
from dragoman.data.modality import Modality
from dragoman.errors import UserError
from dragoman.inference.files import Summary, claim, listed, remember
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
        inputs: Of one modality files and folders; of several a file of each, in their order.
        names: Modalities of the inputs.
        to: The modality that is wanted: a depth becomes .npy where the input is one, else .png, as segmentations do.
        out: The output folder.

    Raises:
        UserError: an unknown modality, a translation that the model does not know, an input that does not exist, a
            folder without files, a number of inputs that does not fit, or two files that would get the same name.
    """
    target, given = translator.modality(to), [translator.modality(name) for name in names]
    if not given:
        raise UserError(f"--from is missing: say what the inputs are, of {', '.join(translator.domains)}")
    translator.need([m.name for m in given], target.name)
    if len(given) == 1:
        suffixes = SUFFIXES | {ARRAY} if given[0].kind == "depth" else SUFFIXES
        scenes = [({given[0].name: path}, name) for path, name in listed(inputs, out, suffixes)]
    else:
        shown = " ".join(m.name for m in given)
        if len({m.name for m in given}) < len(given):
            raise UserError(f"--from {shown} names a modality twice; name each once")
        if len(inputs) != len(given) or any(path.is_dir() for path in inputs):
            raise UserError(f"--from {shown} needs {len(given)} files of one scene in that order; folders go with one "
                            "modality")  # fmt: skip
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
    """Translate scenes; what is done already is skipped, and no output is ever half-written.

    Args:
        translator: The model.
        scenes: From `plan_scenes`.
        out: The output folder; it remembers its settings, so that different ones do not mix.
        to: The modality that is wanted.
        scale: See `ModalTranslator.translate_at`.
        advance: Called with the number of scenes dealt with.
        warn: Called with a line for each scene that could not be translated.

    Raises:
        UserError: the output folder cannot be written or has translations of other settings.
    """
    target = translator.modality(to)
    names = [*scenes[0].sources]
    remember(out, {"model": translator.facts.get("sha256"), "from": names, "to": target.name, "scale": scale})
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
