"""The model folder: config.json, model.safetensors and a model card; what leaves a training run."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

import dragoman
from dragoman.config import Config
from dragoman.data.batch import Task
from dragoman.engine.method import Method
from dragoman.errors import UserError, one_line
from dragoman.inference.modal import ModalCore, ModalTranslator
from dragoman.inference.sampler import Sampler
from dragoman.inference.translator import Translator
from dragoman.methods import find, name_of

FORMAT = 1


class ModelConfig(Config):
    """config.json of a model folder: everything needed to rebuild and use the model."""

    format: int
    """Version of this layout."""
    dragoman: str
    """Version that wrote it."""
    method: str
    """The method's name."""
    config: dict[str, Any]
    """The method's own configuration."""
    task: Task
    """Domains and images."""
    sha256: str
    """Of model.safetensors and of the three fields above, so that a damaged or edited file is noticed."""
    facts: dict[str, Any] = {}
    """Where it comes from: recipe, steps, seed."""


def save_model(path: Path, method: Method, nets: dict[str, torch.nn.Module], facts: dict[str, Any]) -> None:
    """Write the model folder whole: every network, discriminators too, averaged where an average is kept.

    What a method names its memories stays behind.
    """
    beside = path.with_name(f".{path.name}.tmp")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    tensors = {
        # A copy of each, since networks may share a layer and safetensors refuses one tensor under two names.
        f"{name}.{key}": t.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, net in nets.items()
        if name not in method.memories
        for key, t in net.state_dict().items()
    }
    save_file(tensors, beside / "model.safetensors")
    record = ModelConfig(
        format=FORMAT, dragoman=dragoman.__version__, method=name_of(type(method)),
        config=method.config.model_dump(mode="json"), task=method.task, sha256="", facts=facts,
    )  # fmt: skip
    record = record.model_copy(update={"sha256": _digest(beside / "model.safetensors", record)})
    (beside / "config.json").write_text(record.model_dump_json(indent=2) + "\n")
    (beside / "README.md").write_text(_card(method, record))
    shutil.rmtree(path, ignore_errors=True)
    beside.rename(path)


def load_model(path: Path) -> Translator | ModalTranslator | Sampler:
    """Rebuild the translator, or sampler, of a model folder.

    Raises:
        UserError: a file is missing, damaged, edited, or not what it should be.
    """
    method, record = load_method(path)
    facts, nets = record.model_dump(exclude={"config", "task"}), dict(method.named_children())
    if method.generates:
        return Sampler(method.sampler(nets), record.task, facts)
    core = method.translator(nets)
    if isinstance(core, ModalCore):
        return ModalTranslator(core, record.task, facts)
    return Translator(core, record.task, facts)


def load_method(path: Path) -> tuple[Method, ModelConfig]:
    """Rebuild the method of a model folder, with all its networks.

    Raises:
        UserError: a file is missing, damaged, edited, or not what it should be.
    """
    record = read_config(path)
    method_type = find(record.method)
    try:
        config = method_type.config_type.model_validate(record.config)
        method = method_type(config, record.task)
    except (ValueError, RuntimeError) as error:
        raise UserError(f"{path / 'config.json'} was edited: {one_line(error)}; restore the original file") from None
    load_weights(path, method, record)
    return method, record


def read_config(path: Path) -> ModelConfig:
    """config.json of a model folder.

    Raises:
        UserError: it is missing or not of this format.
    """
    file = path / "config.json"
    if not path.is_dir():
        raise UserError(f"no model folder {path}; train one with: dragoman train RECIPE --out DIR")
    if not (path / "model.safetensors").exists() and (path / "model").is_dir():
        raise UserError(f"{path} is the folder of a run, not of a model; give {path / 'model'}")
    try:
        record = ModelConfig.model_validate_json(file.read_text())
    except OSError:
        raise UserError(
            f"{path} is not a model folder: config.json is missing; give the folder .../model of a run"
        ) from None
    except ValueError as error:
        raise UserError(f"{file} is damaged or was edited: {one_line(error)}; restore the original file") from None
    if record.format != FORMAT:
        raise UserError(f"{file} has format {record.format}, this is dragoman {dragoman.__version__}, which reads "
                        f"format {FORMAT}; use the version that wrote it ({record.dragoman})")  # fmt: skip
    return record


def load_weights(path: Path, method: Method, record: ModelConfig) -> None:
    """Read model.safetensors into a method.

    Raises:
        UserError: it is missing, damaged, another kind of file, or of another model.
    """
    file = path / "model.safetensors"
    if not file.is_file():
        raise UserError(f"{path} is not a whole model folder: model.safetensors is missing; copy the folder again")
    try:
        tensors = load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        with file.open("rb") as handle:
            pickled = handle.read(2)[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
        kind = "a pickle, which is never loaded" if pickled else f"damaged ({one_line(error)})"
        raise UserError(f"{file} is {kind}; replace it by the original safetensors file") from None
    if _digest(file, record) != record.sha256:
        raise UserError(f"{file} and config.json do not belong together or were edited (other SHA-256); "
                        "copy the folder again")  # fmt: skip
    try:
        method.load_state_dict(_memories(method) | tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{file} does not fit {path / 'config.json'}: {reason}; copy the folder again") from None


def _memories(method: Method) -> dict[str, torch.Tensor]:
    """What a fresh method has where a model folder holds nothing."""
    return {key: value for key, value in method.state_dict().items() if key.partition(".")[0] in method.memories}


def _digest(weights: Path, record: ModelConfig) -> str:
    with weights.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256")
    digest.update(record.model_dump_json(include={"method", "config", "task"}).encode())
    return digest.hexdigest()


TRANSLATES = """An image-to-image translator between the {kind} above, written by dragoman {version}.

{facts}

```python
import dragoman

translator = dragoman.load("this-folder")
translator("photo.jpg", to="{first}", seed=3).image.save("out.png")
```

Any image size goes in and the same size comes out. Shapes outside the training data may be changed; look before use.
"""

TRANSLATES_MODALITIES = """A translator between the pictures of a scene above, written by dragoman {version}.

{facts}

```python
import dragoman

translator = dragoman.load("this-folder")
translator({{"{first}": "{first}.png"}}, to="{last}").save("{last}.png")
```

Any image size goes in and the same size comes out. What a scene does not show is guessed; look before use.
"""

GENERATES = """A generator of images of the {kind} above, written by dragoman {version}.

{facts}

```python
import dragoman

sampler = dragoman.load_sampler("this-folder")
sampler("{first}", seed=3).save("out.png")
```

The same seed gives the same image. Images may resemble those of the training data closely; look before you publish.
"""


def _card(method: Method, record: ModelConfig) -> str:
    """The model card."""
    facts = {
        "method": method.paper,
        "parameters": f"{sum(p.numel() for p in method.parameters()):,} (discriminator included, for fine-tuning)",
        "trained on": f"{record.task.size} x {record.task.size} pixels, {record.task.channels} channels",
    }
    first, last = record.task.domains[0], record.task.domains[-1]
    if record.task.modalities:
        core = method.translator(dict(method.named_children()))
        first, last = (getattr(core, "pairs", None) or [(first, last)])[0]
    translates = TRANSLATES_MODALITIES if record.task.modalities else TRANSLATES
    text = (GENERATES if method.generates else translates).format(
        kind="domains" if record.task.exclusive else "attributes", version=record.dragoman,
        first=first, last=last,
        facts="\n".join(f"- {name}: {value}" for name, value in (facts | record.facts).items()),
    )  # fmt: skip
    return f"# {record.method}: {', '.join(record.task.domains)}\n\n{text}"
