"""Image files to tensors in [-1, 1] and back: the one place where either is converted."""

import contextlib
import io
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from dragoman.errors import UserError, one_line

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"}
MAX_PIXELS = 100_000_000
"""Larger images are refused: their header may be a lie, and they would not fit in memory."""


class BadImage(UserError):
    """A file that is not an image, or not one that can be used."""


@dataclass(frozen=True)
class Picture:
    """An image as a tensor, with what is needed to write it back in the format it came in."""

    tensor: Tensor
    """[C, H, W] float in [-1, 1]; C is what the reader asked for."""
    alpha: Image.Image | None = None
    """The transparency of the original, untouched by translation."""
    depth: int = 8
    """Bits per channel of the original, 8 or 16."""


def read(source: Path | str | Image.Image | np.ndarray, channels: int = 3) -> Picture:
    """Read an image of any mode: EXIF orientation applied, palette, CMYK, grey, 16-bit and transparency understood.

    Args:
        source: A path, a PIL image, or an array [H, W] or [H, W, C] of uint8 or uint16, or of floats in [-1, 1].
        channels: 3 for colour, 1 for grey.

    Raises:
        BadImage: it cannot be read, says in one line why.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, channels)
    name = "the image" if isinstance(source, Image.Image) else str(source)
    with decoding(name):
        if isinstance(source, Image.Image):
            return _from_pil(source, channels, name)
        with Image.open(source) as opened:
            return _from_pil(opened, channels, name)


@contextlib.contextmanager
def decoding(name: str) -> Iterator[None]:
    """Whatever a decoder raises within, as a BadImage that says in one line what is wrong with `name`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about large images, which are refused here, and about odd tags
            yield
    except BadImage:
        raise
    except UnidentifiedImageError:
        raise BadImage(f"{name}: not an image file; remove it or convert it to PNG or JPEG") from None
    except Image.DecompressionBombError:
        raise BadImage(f"{name}: more than {MAX_PIXELS // 1_000_000} million pixels; shrink or tile it first") from None
    except Exception as error:  # Pillow's decoders raise almost anything on damaged bytes
        if isinstance(error, OSError) and error.errno:
            raise BadImage(f"{name}: {error.strerror}; check the path") from None
        raise BadImage(f"{name}: damaged image ({one_line(error)}); replace or remove it") from None


def bounded(image: Image.Image, name: str) -> None:
    """Raise BadImage if an image has no pixels, or too many."""
    if not image.width * image.height:
        raise BadImage(f"{name}: has no pixels ({image.width} x {image.height}); replace or remove it")
    if image.width * image.height > MAX_PIXELS:
        limit = MAX_PIXELS // 1_000_000
        raise BadImage(
            f"{name}: {image.width} x {image.height} is more than {limit} million pixels; shrink or tile it first"
        )


def _from_pil(image: Image.Image, channels: int, name: str) -> Picture:
    bounded(image, name)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":  # 16- or 32-bit grey
        values = np.asarray(image).astype(np.float32)
        top = 65535.0 if values.max(initial=0) > 1 or image.mode != "F" else 1.0
        grey = torch.from_numpy(np.clip(values / top, 0, 1) * 2 - 1)[None]
        return Picture(grey.expand(channels, -1, -1).contiguous(), depth=16)
    alpha = None
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
    image = image.convert("RGB" if channels == 3 else "L")
    return Picture(from_uint8(np.asarray(image)), alpha)


def _from_array(array: np.ndarray, channels: int) -> Picture:
    if array.ndim not in (2, 3) or 0 in array.shape or (array.ndim == 3 and array.shape[2] not in (1, 3, channels)):
        raise BadImage(f"an image array must be [H, W] or [H, W, C] with C 1 or {channels}, got shape {array.shape}")
    if array.dtype == np.uint8:
        tensor = from_uint8(array)
    elif array.dtype == np.uint16:
        tensor = from_uint8(array.astype(np.float32) / 257)
    elif np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all() or np.abs(array).max() > 1:
            raise BadImage("an image array of floats must be finite and in [-1, 1]")
        tensor = torch.from_numpy(np.atleast_3d(array).astype(np.float32)).permute(2, 0, 1).contiguous()
    else:
        raise BadImage(f"an image array must be uint8, uint16 or float, got {array.dtype}")
    if tensor.shape[0] != channels:
        tensor = tensor.expand(channels, -1, -1) if tensor.shape[0] == 1 else tensor.mean(0, keepdim=True)
    return Picture(tensor.contiguous(), depth=16 if array.dtype == np.uint16 else 8)


def from_uint8(array: np.ndarray) -> Tensor:
    """[H, W] or [H, W, C] in 0..255 to [C, H, W] float in [-1, 1]."""
    return torch.from_numpy(np.atleast_3d(array).astype(np.float32)).permute(2, 0, 1).contiguous().div_(127.5).sub_(1)


def to_uint8(tensor: Tensor) -> Tensor:
    """[...] float in [-1, 1] to uint8 in 0..255, rounded."""
    return tensor.detach().float().clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)


def to_pil(tensor: Tensor, alpha: Image.Image | None = None, depth: int = 8) -> Image.Image:
    """[1 or 3, H, W] in [-1, 1] to a PIL image; one channel of 16-bit origin stays 16-bit."""
    if depth == 16 and tensor.shape[0] == 1:
        values = tensor[0].detach().float().clamp(-1, 1).add(1).mul(32767.5).round().cpu().numpy().astype(np.uint16)
        return Image.fromarray(values)
    values = to_uint8(tensor).cpu().permute(1, 2, 0).numpy()
    image = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
    if alpha is not None:
        image.putalpha(alpha)
    return image


def write(image: Image.Image, path: Path) -> None:
    """Write an image whole or not at all, in the format of the path's suffix.

    Raises:
        UserError: the place cannot be written.
    """
    if path.suffix.lower() in (".jpg", ".jpeg", ".bmp", ".ppm", ".pgm") and image.mode in ("RGBA", "LA"):
        image = image.convert("RGB" if image.mode == "RGBA" else "L")  # these formats have no transparency
    try:
        kind = Image.registered_extensions().get(path.suffix.lower())
        if kind is None:
            raise ValueError(f"unknown file extension {path.suffix!r}")
        buffer = io.BytesIO()  # Pillow takes half a write to a full disk for a whole one
        image.save(buffer, kind, **({"quality": 95} if kind in ("JPEG", "WEBP") else {}))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot write {path}: {one_line(error)}; choose another format") from None
    write_whole(path, buffer.getvalue())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, and its folder if there is none: whole or not at all.

    Raises:
        UserError: the place cannot be written.
    """
    beside = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        reason = error.strerror or error
        raise UserError(f"cannot write {path}: {reason}; free space or choose another place") from None


def find(folder: Path, suffixes: Collection[str] = SUFFIXES) -> list[Path]:
    """All image files below a folder by suffix, sorted; hidden files and folders are left out."""
    return sorted(
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in suffixes
        and not any(part.startswith(".") for part in p.relative_to(folder).parts)
        and p.is_file()
    )
