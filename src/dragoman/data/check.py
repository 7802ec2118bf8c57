"""What is in a data set folder, what is wrong with it, and what to do about it."""

import contextlib
import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from dragoman.data.dataset import Images
from dragoman.data.image import BadImage, read
from dragoman.data.manifest import METADATA, Manifest, Row, code
from dragoman.errors import UserError


@dataclass
class Findings:
    """The result of a check; `problems` is what to show and act on."""

    root: str
    exclusive: bool
    counts: dict[str, dict[str, int]]
    """Split -> domain -> images."""
    sizes: dict[str, int] = field(default_factory=dict)
    """"width x height" -> images, the commonest first."""
    modes: dict[str, int] = field(default_factory=dict)
    """Pixel mode (RGB, L, P, CMYK, I;16 ...) -> images."""
    corrupt: list[str] = field(default_factory=list)
    """One line each."""
    flat: list[str] = field(default_factory=list)
    """Images of one colour."""
    small: list[str] = field(default_factory=list)
    """Images under 8 pixels on a side, which training leaves out."""
    columns: list[str] = field(default_factory=list)
    """Further pictures or boxes that do not fit their image, a line each."""
    duplicates: list[list[str]] = field(default_factory=list)
    """Groups of files with the same pixels."""
    leaks: list[list[str]] = field(default_factory=list)
    """Duplicates across splits."""
    plain: bool = False
    """Whether it has no domains: images of one kind, as generators take them."""
    problems: list[str] = field(default_factory=list)
    """What is wrong and what to do, a line each; empty if all is well."""

    def as_json(self) -> dict[str, Any]:
        """Everything, for machines."""
        return vars(self)


def survey(root: Path) -> tuple[Manifest, bool]:
    """The data set of a folder, and whether it is plain: without folders for domains, as `Images` reads it.

    Raises:
        UserError: there is no data set.
    """
    try:
        return Manifest.open(root), False
    except UserError:
        if not root.is_dir() or (root / METADATA).is_file():
            raise
        rows: list[Row] = []
        for split in ("train", "test"):
            with contextlib.suppress(UserError):  # of an empty folder the first complaint says more
                rows += [row.model_copy(update={"domain": "images"}) for row in Images(root=root).open(split).rows]
        if not rows:
            raise
        return Manifest(root, rows), True


def check(root: Path, advance: Callable[[int], None] = lambda _: None) -> Findings:
    """Decode every image of a data set folder and say what is wrong.

    Args:
        root: The folder.
        advance: Called with the number of images looked at.

    Raises:
        UserError: there is no data set.
    """
    manifest, plain = survey(root)
    domains, exclusive = manifest.domains()
    counts = {split: dict.fromkeys(domains, 0) for split in manifest.splits()}
    found = Findings(str(root), exclusive, counts, plain=plain)
    sizes: Counter[str] = Counter()
    modes: Counter[str] = Counter()
    seen: dict[str, list[tuple[str, str]]] = {}
    for row in manifest.rows:
        path = root / row.file_name
        for domain, value in zip(domains, code(row, domains, exclusive), strict=True):
            counts[row.split][domain] += int(value)
        try:
            image = read(path)
            with Image.open(path) as header:
                modes[header.mode] += 1
        except BadImage as error:
            found.corrupt.append(str(error))
            advance(1)
            continue
        _, height, width = image.tensor.shape
        sizes[f"{width} x {height}"] += 1
        if min(width, height) < 8:
            found.small.append(str(path))
        elif image.tensor.flatten(1).amin(1).equal(image.tensor.flatten(1).amax(1)):
            found.flat.append(str(path))
        found.columns += _misfits(root, row, width, height)
        digest = hashlib.sha256(image.tensor.numpy().tobytes()).hexdigest()
        seen.setdefault(digest, []).append((str(path), row.split))
        advance(1)
    found.sizes, found.modes = dict(sizes.most_common()), dict(modes.most_common())
    same = [files for files in seen.values() if len(files) > 1]
    found.duplicates = [[name for name, _ in files] for files in same]
    found.leaks = [[name for name, _ in files] for files in same if len({split for _, split in files}) > 1]
    found.problems = _problems(found, manifest, domains)
    return found


def _misfits(root: Path, row: Row, width: int, height: int) -> list[str]:
    """What of a row's further columns does not fit its image of that many pixels."""
    lines = []
    for name, file in row.modalities.items():
        try:
            with Image.open(root / file) as header:
                if header.size != (width, height):
                    lines.append(f"{root / file}: {name} has {header.width} x {header.height} pixels, "
                                 f"{row.file_name} {width} x {height}")  # fmt: skip
        except OSError:
            if not (file.endswith(".npy") and (root / file).is_file()):
                lines.append(f"{root / file}: no such {name} image, named by {row.file_name}")
    for box in row.boxes:
        left, top, right, bottom = box.box
        if left < 0 or top < 0 or right > width or bottom > height:
            lines.append(f"{root / row.file_name}: box {[*box.box]} is outside the {width} x {height} pixels")
    return lines


def _problems(found: Findings, manifest: Manifest, domains: tuple[str, ...]) -> list[str]:
    """Lines that say what is wrong and what to do."""
    lines = []
    scenes = not domains and any(row.modalities for row in manifest.rows)  # these have modalities instead
    if not found.plain and not scenes:
        try:
            manifest.need_domains("train" if "train" in found.counts else next(iter(found.counts)))
        except UserError as error:
            lines.append(str(error))
    if "test" not in found.counts:
        also = "" if found.plain else ", dragoman evaluate needs --split train"
        below = "" if found.plain else "<domain>/"
        lines.append(f"no test split: training measures on train images{also}; put some images into test/{below} and "
                     f"the others into train/{below}")  # fmt: skip
    for kind, files, advice in (
        ("damaged", found.corrupt, "replace or remove them; training leaves them out"),
        ("blank", found.flat, "remove them; training leaves them out"),
        ("tiny (under 8 pixels)", found.small, "remove them; training leaves them out"),
    ):
        if files:
            lines.append(
                f"{len(files)} {kind} image{'s' * (len(files) > 1)} ({files[0]}{', ...' * (len(files) > 1)}): {advice}"
            )
    if found.columns:
        lines.append(f"{len(found.columns)} further pictures or boxes do not fit ({found.columns[0]}): correct "
                     "metadata.jsonl or replace the files")  # fmt: skip
    if found.leaks:
        lines.append(
            f"{len(found.leaks)} images are in more than one split ({found.leaks[0][0]}): remove them from one of them"
        )
    elif found.duplicates:
        lines.append(
            f"{len(found.duplicates)} images are there more than once ({found.duplicates[0][0]}): remove the copies"
        )
    train = found.counts.get("train", {})
    if found.exclusive and train and min(train.values()) and max(train.values()) > 10 * min(train.values()):
        few, many = min(train, key=lambda d: train[d]), max(train, key=lambda d: train[d])
        lines.append(
            f"{many} has {train[many]} train images, {few} only {train[few]}: "
            f"domains are drawn equally often, but add images of {few} if you can"
        )
    if not found.exclusive:
        total = max(1, sum(row.split == "train" for row in manifest.rows))
        for name in domains:
            if train.get(name, 0) in (0, total):
                lines.append(f"attribute {name} is the same on every train image: leave it out of --data.domains")
    return lines
