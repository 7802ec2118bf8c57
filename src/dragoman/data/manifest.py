"""A data set as rows: folders are domains, or one metadata.jsonl beside the images says more."""

import codecs
import json
from collections import Counter
from pathlib import Path

from pydantic import Field, NonNegativeInt, ValidationError, field_validator

from dragoman.config import Config
from dragoman.data.image import find
from dragoman.errors import UserError, one_line

METADATA = "metadata.jsonl"

UNSET = Path("DIR")
"""Stands in recipes for the folder that the user has to name."""


def give(root: Path) -> str:
    """How to say that another folder is needed: by the option, where none was named."""
    return "give --data.root" if root == UNSET else "give"


class Box(Config):
    """An instance in an image: a car, a pedestrian."""

    class_: str = Field(alias="class")
    """Its class."""
    box: tuple[float, float, float, float]
    """left, top, right and bottom in pixels."""

    @field_validator("box")
    @classmethod
    def _not_empty(cls, box: tuple[float, ...]) -> tuple[float, ...]:
        if box[0] >= box[2] or box[1] >= box[3]:
            raise ValueError(f"box must be [left, top, right, bottom] with left < right and top < bottom, got {[*box]}")
        return box


class Row(Config):
    """One image and what is known of it."""

    file_name: str
    """Path below the data set's folder, with forward slashes."""
    split: str = "train"
    """"train", "test" or another name."""
    domain: str | None = None
    """The exclusive domain."""
    attributes: dict[str, NonNegativeInt] = {}
    """Attributes: 0 or 1 for binary ones, a class number for others."""
    group: str | None = None
    """Images of one group are the same scene, aligned to the pixel: exact pairs. Weak pairs come from poses."""
    pose: tuple[float, float, float] | None = None
    """x and y in metres and heading in radians."""
    boxes: list[Box] = []
    """Instances: {"class": name, "box": [left, top, right, bottom]} in pixels."""
    modalities: dict[str, str] = {}
    """Paths of further pictures of the same pixels by name; depth, nir, segmentation and instances have a format."""


class Manifest:
    """The rows of a data set and where it lies."""

    def __init__(self, root: Path, rows: list[Row]):
        self.root, self.rows = root, rows

    @classmethod
    def open(cls, root: Path | str) -> "Manifest":
        """Read `root/metadata.jsonl`, else take folders as domains: `split/domain/image` or `domain/image`.

        Raises:
            UserError: there is no such folder, or nothing usable in it.
        """
        root = Path(root)
        if not root.is_dir():
            raise UserError(f"no folder {root}; {give(root)} a folder with train/<domain>/*.jpg (or <domain>/*.jpg)")
        rows = _from_metadata(root) if (root / METADATA).is_file() else _from_folders(root)
        if not rows:
            raise UserError(f"no images in {root}; expected train/<domain>/*.jpg (or <domain>/*.jpg)")
        return cls(root, rows)

    def write(self) -> None:
        """Write metadata.jsonl, so that the folder says all that the rows say."""
        facts = ((row.model_dump(exclude_defaults=True, by_alias=True), row.split) for row in self.rows)
        lines = [json.dumps(row | {"split": split}) for row, split in facts]
        (self.root / METADATA).write_text("\n".join(lines) + "\n")

    def splits(self) -> list[str]:
        """Names of the splits."""
        return sorted({row.split for row in self.rows})

    def of(self, split: str) -> list[Row]:
        """The rows of a split.

        Raises:
            UserError: the split is empty.
        """
        rows = [row for row in self.rows if row.split == split]
        if not rows:
            there = ", ".join(self.splits())
            advice = "" if split == "train" else f"; add some, or take these: --split {self.splits()[0]}"
            raise UserError(f"no {split} images in {self.root}; there is: {there}{advice}")
        return rows

    def domains(self) -> tuple[tuple[str, ...], bool]:
        """The domains' names in alphabetical order, and whether they exclude each other.

        Exclusive domains are what the rows' `domain` says; where no row has one, every binary attribute is a domain.
        """
        named = sorted({row.domain for row in self.rows if row.domain is not None})
        if named:
            return tuple(named), True
        values: dict[str, set[int]] = {}
        for row in self.rows:
            for name, value in row.attributes.items():
                values.setdefault(name, set()).add(value)
        return tuple(sorted(name for name, seen in values.items() if seen <= {0, 1})), False

    def need_domains(self, split: str = "train", only: tuple[str, ...] | None = None) -> tuple[tuple[str, ...], bool]:
        """`domains`, checked to be enough to learn a translation from.

        Args:
            split: Where every domain must have an image.
            only: Attributes to check, if not all are wanted.

        Raises:
            UserError: fewer than two domains, or one without an image in the split.
        """
        domains, exclusive = self.domains()
        if len(domains) < (2 if exclusive else 1):
            have = f"one domain ({domains[0]})" if domains else "no domain"
            raise UserError(f"{self.root} has {have}; translation needs two: add another folder beside it")
        counts = count(self.of(split), exclusive)
        for domain in domains:
            if not counts[domain] and (exclusive or only is None or domain in only):
                raise UserError(
                    f"domain {domain!r} has no {split} image in {self.root}; add images or remove the folder"
                )
        if exclusive:
            for empty in _empty_folders(self.root, split):
                raise UserError(f"domain folder {empty} is empty; add images or remove it")
        return domains, exclusive


def count(rows: list[Row], exclusive: bool) -> Counter[str]:
    """Images per domain."""
    if exclusive:
        return Counter(row.domain for row in rows if row.domain is not None)
    return Counter(name for row in rows for name, value in row.attributes.items() if value)


def code(row: Row, domains: tuple[str, ...], exclusive: bool) -> list[float]:
    """The domain code [K] of a row."""
    if exclusive:
        return [float(row.domain == domain) for domain in domains]
    return [float(row.attributes.get(domain, 0)) for domain in domains]


def _from_folders(root: Path) -> list[Row]:
    rows = []
    split_folders = (root / "train").is_dir() or (root / "test").is_dir()
    for path in find(root):
        parts = path.relative_to(root).parts
        if len(parts) < 2 + split_folders:
            continue  # beside the domains: not part of any
        split, domain = parts[:2] if split_folders else ("train", parts[0])
        rows.append(Row(file_name=path.relative_to(root).as_posix(), split=split, domain=domain))
    return rows


def _empty_folders(root: Path, split: str) -> list[Path]:
    if (root / METADATA).is_file() or not (root / split).is_dir():
        return []
    return [p for p in sorted((root / split).iterdir()) if p.is_dir() and p.name[0] != "." and not find(p)]


def _from_metadata(root: Path) -> list[Row]:
    rows = []
    text = (root / METADATA).read_bytes().removeprefix(codecs.BOM_UTF8)
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        where = f"{root / METADATA} line {number}"
        try:
            row = Row.model_validate_json(line)
        except ValidationError as error:
            raise UserError(f"{where}: {one_line(error)}; correct or remove the line") from None
        for name, file in {"file_name": row.file_name, **row.modalities}.items():
            if Path(file).is_absolute() or ".." in Path(file).parts:
                raise UserError(f"{where}: {name} {file!r} must stay inside the folder; use a relative path")
        rows.append(row)
    return rows
