"""What leaves: the folder comes back the same, any size goes through, and no image depends on its neighbours."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import MODAL, every_modal, every_recipe, every_sampler, every_translator, train

from dragoman import load, load_sampler
from dragoman.data.modality import pack, unpack
from dragoman.errors import UserError
from dragoman.inference.modal import ModalTranslator
from dragoman.inference.sampler import Sampler
from dragoman.inference.translator import Translator
from dragoman.model import load_model, save_model


@dataclasses.dataclass
class Saved:
    path: object
    model: Translator | ModalTranslator | Sampler
    run: object


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model after a few steps, in its folder and in memory."""
    found = {}

    def of(recipe):
        if recipe not in found:
            run = train(recipe, 3)
            nets, path = run.averages.nets(run.method), tmp_path_factory.mktemp("model") / "model"
            with run.leaving() as core:
                save_model(path, run.method, nets, {"recipe": recipe, "steps": 3})
                kind = Sampler if run.method.generates else ModalTranslator if recipe in MODAL else Translator
                model = kind(core, run.method.task)
            found[recipe] = Saved(path, model, run)
        return found[recipe]

    return of


def inputs(translator, count=3, height=24, width=20):
    """Images, codes and styles."""
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(count, translator.task.channels, height, width, generator=generator) * 2 - 1
    c = torch.stack([translator.code(translator.domains[i % len(translator.domains)], x[i]) for i in range(count)])
    return x, c, torch.stack([translator.style(code, seed) for seed, code in enumerate(c)])


@every_translator
def test_the_folder_gives_the_same_translator(recipe, saved):
    one = saved(recipe)
    torch.manual_seed(77)  # what a fresh model would be drawn with must not matter
    back = load_model(one.path)
    (y, mask), (y2, mask2) = one.model.translate(*inputs(back)), back.translate(*inputs(back))
    assert torch.equal(y, y2)
    assert (mask is None) == (mask2 is None)
    assert mask is None or torch.equal(mask, mask2)
    assert back.task == one.run.method.task
    assert (back.facts["method"], back.facts["facts"]["steps"]) == (recipe.partition(".")[0], 3)


@every_recipe
def test_the_folder_holds_every_network_averaged_where_there_is_an_average_and_no_memory(recipe, saved):
    from safetensors.torch import load_file

    one = saved(recipe)
    tensors = load_file(one.path / "model.safetensors")
    memories = one.run.method.memories
    assert set(memories) <= {name for name, _ in one.run.method.named_children()}
    assert not any(p for name in memories for p in one.run.method.get_submodule(name).parameters())
    expected = {f"{name}.{key}": value for name, net in one.run.averages.nets(one.run.method).items()
                for key, value in net.state_dict().items() if name not in memories}  # fmt: skip
    kept = {key for key in one.run.method.state_dict() if key.partition(".")[0] not in memories}
    assert tensors.keys() == expected.keys() == kept
    assert all(torch.equal(value, expected[name]) for name, value in tensors.items())


@every_translator
def test_alone_and_in_a_batch(recipe, saved):
    translator = load(saved(recipe).path)
    x, c, s = inputs(translator, count=5)
    together, masks = translator.translate(x, c, s)
    for i in range(5):
        alone, mask = translator.translate(x[i : i + 1], c[i : i + 1], s[i : i + 1])
        torch.testing.assert_close(alone[0], together[i], rtol=0, atol=1e-5)
        if mask is not None:
            torch.testing.assert_close(mask[0], masks[i], rtol=0, atol=1e-5)


@every_translator
def test_the_target_matters_and_outputs_are_images(recipe, saved):
    """Else the tests around this one would hold for a constant."""
    translator = load(saved(recipe).path)
    x, c, s = inputs(translator, count=2)
    one, mask = translator.translate(x, c, s)
    styles = torch.stack([translator.style(code, seed) for seed, code in enumerate(c.flip(0))])
    other, _ = translator.translate(x, c.flip(0), styles)  # of some methods the target is in the style
    assert not torch.equal(one, other)
    assert not torch.equal(one[0], one[1])
    assert one.abs().max() <= 1 and one.std() > 0
    assert mask is None or (mask.shape == (2, 1, 24, 20) and 0 <= mask.min() <= mask.max() <= 1)


@every_sampler
def test_the_folder_gives_the_same_sampler(recipe, saved):
    one, seeds = saved(recipe), [3, 1, 4]
    torch.manual_seed(77)
    back = load_sampler(one.path)
    images = back.generate(back.codes(seeds), seeds)
    assert torch.equal(images, one.model.generate(one.model.codes(seeds), seeds))
    task = one.run.method.task
    assert images.shape == (3, task.channels, task.size, task.size) and images.abs().max() <= 1 and images.std() > 0
    assert back.task == task and back.facts["method"] == recipe.partition(".")[0]


@every_sampler
def test_an_image_of_a_seed_is_the_same_in_any_batch(recipe, saved):
    sampler = load_sampler(saved(recipe).path)
    seeds = list(range(5))
    codes = sampler.codes(seeds)
    together = sampler.generate(codes, seeds)
    for i in seeds:
        torch.testing.assert_close(sampler.generate(codes[i : i + 1], [i])[0], together[i], rtol=0, atol=1e-5)
    assert not torch.allclose(together[0], together[len(sampler.domains)])  # another seed of the same domain
    if len(sampler.domains) > 1:
        assert not torch.allclose(together[0], sampler.generate(codes[1:2], [0])[0])


@every_recipe
def test_each_kind_is_loaded_by_its_own_function(recipe, saved):
    one = saved(recipe)
    wrong, hint = (load, "dragoman generate") if one.run.method.generates else (load_sampler, "dragoman translate")
    with pytest.raises(UserError, match=hint):
        wrong(one.path)


SIZES = [(1, 1), (1, 2), (3, 1), (2, 40), (15, 17), (16, 16), (53, 37), (37, 53), (64, 5), (33, 100)]


@every_translator
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_any_size_in_the_same_size_out(recipe, size, saved):
    translator = load(saved(recipe).path)
    width, height = size
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    result = translator(Image.fromarray(pixels), to=translator.domains[-1], seed=2)
    assert result.image.size == size
    assert result.mask is None or result.mask.size == size


def known_to(translator):
    """The translations that a model knows: of all from one modality, its own among them, and of one from all."""
    names = translator.domains
    every = [*(([a], b) for a in names for b in names), (names, names[-1])]
    return [(sources, target) for sources, target in every if translator.knows(sources, target)]


def scenes(translator, count=3, height=24, width=20):
    """Packed scenes, what each gives and what is wanted: all known translations in turn."""
    generator = torch.Generator().manual_seed(1)
    parts = {}
    for m in translator.task.modalities:
        values = torch.rand(count, m.channels, height, width, generator=generator)
        if m.kind == "segmentation":
            parts[m.name] = torch.eye(m.channels)[values.argmax(1)].permute(0, 3, 1, 2)
        else:
            parts[m.name] = values * 2 - 1
    known = known_to(translator)
    rows = [known[i % len(known)] for i in range(count)]
    given, wanted = [translator.code(sources) for sources, _ in rows], [translator.code([target]) for _, target in rows]
    return pack(parts, translator.task.modalities), torch.stack(given), torch.stack(wanted)


@every_modal
def test_the_folder_gives_the_same_modal_translator(recipe, saved):
    one = saved(recipe)
    torch.manual_seed(77)
    back = load(one.path)
    assert isinstance(back, ModalTranslator)
    assert torch.equal(one.model.translate(*scenes(back, 12)), back.translate(*scenes(back, 12)))
    assert back.task == one.run.method.task
    assert (back.facts["method"], back.facts["facts"]["steps"]) == (recipe.partition(".")[0], 3)


@every_modal
def test_a_scene_alone_and_in_a_batch(recipe, saved):
    """Whatever its neighbours give and want."""
    translator = load(saved(recipe).path)
    x, given, wanted = scenes(translator, 12)
    together = translator.translate(x, given, wanted)
    for i in range(12):
        alone = translator.translate(x[i : i + 1], given[i : i + 1], wanted[i : i + 1])
        torch.testing.assert_close(alone[0], together[i], rtol=0, atol=1e-5)


@every_modal
def test_modalities_matter_and_only_those_that_are_given(recipe, saved):
    translator = load(saved(recipe).path)
    modalities = translator.task.modalities
    x, _, _ = scenes(translator, 2)
    truth = unpack(x, modalities)
    assert known_to(translator)
    for a in modalities:
        given = translator.code([a.name]).expand(2, -1)
        only = pack({a.name: truth[a.name]}, modalities)
        for b in (b for b in modalities if translator.knows([a.name], b.name)):
            wanted = translator.code([b.name]).expand(2, -1)
            y = translator.translate(x, given, wanted)
            assert torch.equal(y, translator.translate(only, given, wanted))
            parts = unpack(y, modalities)
            assert all(not parts[m.name].any() for m in modalities if m != b)
            assert not torch.equal(parts[b.name][0], parts[b.name][1])
            if b.kind == "segmentation":
                assert parts[b.name].min() >= 0
                torch.testing.assert_close(parts[b.name].sum(1), torch.ones_like(parts[b.name][:, 0]))
            else:
                assert parts[b.name].abs().max() <= 1


@every_modal
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_any_size_of_a_scene_in_the_same_size_out(recipe, size, saved):
    translator = load(saved(recipe).path)
    width, height = size
    random = np.random.default_rng(0)
    pictures = {
        m.name: random.integers(0, m.channels, (height, width), np.uint8) if m.kind == "segmentation"
        else random.random((height, width), np.float32) * m.furthest if m.kind == "depth"
        else random.integers(0, 256, (height, width, 3), np.uint8)
        for m in translator.task.modalities
    }  # fmt: skip
    for sources, target in known_to(translator):
        assert translator({name: pictures[name] for name in sources}, to=target).image.size == size


@every_modal
def test_an_unknown_translation_is_an_error_that_names_the_known_ones(recipe, saved):
    translator = load(saved(recipe).path)
    parts = unpack(scenes(translator, 1)[0], translator.task.modalities)
    for source, target in itertools.product(parts, parts):
        given = {source: parts[source]}
        if translator.knows([source], target):
            assert translator.translate_at("native", given, target).shape == parts[target].shape
        else:
            with pytest.raises(UserError, match=f"does not translate {source} to {target}; it knows .* to "):
                translator.translate_at("native", given, target)
