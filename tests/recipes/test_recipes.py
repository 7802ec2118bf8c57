"""Recipes: each builds, survives JSON, and the ablations differ from the full model in what the thesis varies."""

from itertools import chain

import pytest
import torch
from pydantic import ValidationError

from dragoman import methods, recipes
from dragoman.data.batch import Task
from dragoman.data.dataset import Folder
from dragoman.data.modal import ModalFolder
from dragoman.data.opponents import Opponents
from dragoman.engine.method import Method
from dragoman.errors import UserError
from dragoman.worlds.faces import Faces
from dragoman.worlds.streets import Streets
from dragoman.worlds.streets.modalities import StreetsModalities
from dragoman.worlds.world import BuiltIn

KINDS = {"faces": Faces, "streets": Streets | StreetsModalities, "opponents": Opponents}
"""Data of a row by the first word of its name; a built-in world of any other."""


def _build(name: str) -> Method:
    """The recipe's networks, without memory: where a folder decides, of four domains, or two if there can be no more,
    or three or four modalities."""
    experiment, method = recipes.find(name), methods.find(name.partition(".")[0])
    data = experiment.data
    task = Task(domains=("a", "b") if method.by_domain else ("a", "b", "c", "d"), size=data.size)
    if method.generates:
        task = getattr(data, "task", Task(domains=("images",), size=data.size))
    elif isinstance(data, ModalFolder):
        known = "mix_and_match.streets_four" if "nir" in {*chain(*data.seen or ())} else "mix_and_match.streets"
        task = recipes.find(known).data.task.model_copy(update={"size": data.size})
    elif hasattr(data, "task"):
        task = data.task
    with torch.device("meta"):
        return method(experiment.method, task)


def test_every_method_has_the_published_setting_and_a_tiny_one():
    for method in methods.names():
        assert {f"{method}.paper", f"{method}.tiny"} <= set(recipes.names())


@pytest.mark.parametrize("name", recipes.names())
def test_it_builds_and_its_weights_match_its_stages(name):
    experiment, method = recipes.find(name), _build(name)
    assert experiment.recipe == name
    assert isinstance(experiment.method, type(method).config_type)
    stages = method.stages(experiment.train.steps)
    assert sum(stage.steps for stage in stages) == experiment.train.steps
    trained = {id(p) for o in method.optimizers().values() for group in o.param_groups for p in group["params"]}
    for network, module in method.named_children():
        assert network in method.frozen or {id(p) for p in module.parameters()} <= trained


@pytest.mark.parametrize("name", recipes.names())
def test_json_and_back(name):
    experiment = recipes.find(name)
    again = type(experiment).model_validate_json(experiment.model_dump_json())
    assert again == experiment and type(again.method) is type(experiment.method)
    assert type(again.data) is type(experiment.data)


@pytest.mark.parametrize("name", recipes.names())
def test_it_has_a_line_of_help(name):
    assert recipes.summary(name).endswith(".") and "\n" not in recipes.summary(name)


def test_the_published_setting():
    for name in ("sdit.paper", "stargan.paper"):
        experiment = recipes.find(name)
        assert experiment.method == methods.find(name.partition(".")[0]).config_type()
        assert (experiment.data.size, experiment.train.batch_size, experiment.train.steps) == (128, 16, 200_000)
        assert experiment.train.ema_decay == 0


def test_what_trains_on_a_folder_and_what_on_a_world():
    for name in recipes.names():
        row, data = name.partition(".")[2], recipes.find(name).data
        if row.partition("_")[0] == "folder":
            assert isinstance(data, Folder | ModalFolder)
        elif not row.startswith("paper"):
            assert isinstance(data, KINDS.get(row.partition("_")[0], BuiltIn)), name


@pytest.mark.parametrize(
    "name, changes",
    [
        ("digits_no_cin", {"cin": "none", "w_lat": 0}),  # Table 6.1: attention Y, CIN N, L_LAT N
        ("digits_no_attention_no_latent", {"attention": False, "w_lat": 0}),  # N, Y, N
        ("digits_no_attention", {"attention": False}),  # N, Y, Y
        ("digits_no_latent", {"w_lat": 0}),  # Y, Y, N
        ("faces_no_cin", {"cin": "none", "w_lat": 0}),
        ("faces_no_attention_no_latent", {"attention": False, "w_lat": 0}),
        ("faces_no_attention", {"attention": False}),
        ("faces_no_latent", {"w_lat": 0}),
        ("digits_gamma", {"attention": False, "w_lat": 0, "cin": "gamma"}),  # Fig. 6.6, left
        ("digits_beta", {"attention": False, "w_lat": 0, "cin": "beta"}),  # Fig. 6.6, middle
    ],
)
def test_an_ablation_differs_only_in_what_it_ablates(name, changes):
    full, ablated = recipes.find(f"sdit.{name.partition('_')[0]}"), recipes.find(f"sdit.{name}")
    assert (full.method.attention, full.method.cin, full.method.w_lat > 0) == (True, "both", True)
    assert ablated.method.model_dump() == full.method.model_dump() | changes
    for part in ("data", "train", "evaluate"):
        assert getattr(ablated, part) == getattr(full, part)


@pytest.mark.parametrize(
    "name, changes",
    [
        ("digits_no_mask", {"eta": 1}),  # Table 2 of EGSC-IT
        ("digits_no_adain", {"adain": False}),
        ("digits_no_perceptual", {"w_content": 0, "w_style": 0}),
    ],
)
def test_an_ablation_of_egsc_it_differs_only_in_what_it_ablates(name, changes):
    full, ablated = recipes.find("egsc_it.digits"), recipes.find(f"egsc_it.{name}")
    assert full.method.eta < 1 and full.method.adain and full.method.w_content > 0 and full.method.w_style > 0
    assert ablated.method.model_dump() == full.method.model_dump() | changes
    for part in ("data", "train", "evaluate"):
        assert getattr(ablated, part) == getattr(full, part)


def test_egsc_it_and_unit_are_compared_on_equal_terms():
    """Also in the steps of translation: EGSC-IT's first ones are F's."""
    egsc_it, unit = recipes.find("egsc_it.digits"), recipes.find("unit.digits")
    assert (egsc_it.data, egsc_it.evaluate) == (unit.data, unit.evaluate)
    for field in type(unit.method).model_fields:
        assert getattr(egsc_it.method, field) == getattr(unit.method, field), field
    ours, theirs = egsc_it.train.model_dump(), unit.train.model_dump()
    assert round(ours.pop("steps") * (1 - egsc_it.method.pretrain)) == theirs.pop("steps")
    assert ours == theirs


@pytest.mark.parametrize(
    "full, name, changes",
    [
        ("streets", "streets_noise", {"w_pseudo": 0}),  # Table 4.3, from below: without pseudo-pairs
        ("streets_noise", "streets_latent", {"noise": 0}),
        ("streets_latent", "streets_autoencoders", {"w_latent": 0}),
        ("streets_autoencoders", "streets_seen", {"autoencoders": False}),
        ("streets_noise", "streets_skip", {"side": "skip"}),  # Table 4.2
        ("streets_noise", "streets_no_side", {"side": "none"}),
        ("streets_noise", "streets_pretrained", {"start": "vgg19_distilled"}),
        ("streets", "streets_oracle", {}),
        ("streets", "streets_four", {}),
    ],
)
def test_a_row_of_mix_and_match_differs_only_in_what_its_table_varies(full, name, changes):
    whole, row = recipes.find(f"mix_and_match.{full}"), recipes.find(f"mix_and_match.{name}")
    before = whole.method.model_dump()
    assert all(before[field] != value for field, value in changes.items())
    assert row.method.model_dump() == before | changes
    assert (row.train, row.evaluate) == (whole.train, whole.evaluate)
    more = {"streets_oracle": (("rgb", "depth", "segmentation"),),
            "streets_four": (("rgb", "segmentation"), ("rgb", "depth", "nir"))}  # fmt: skip
    assert row.data == whole.data.model_copy(update={"seen": more[name]} if name in more else {})


@pytest.mark.parametrize(
    "name",
    ["pix2pix.streets", "modal_cyclegan.streets", "modal_stargan.streets_paired", "modal_stargan.streets_unpaired"],
)
def test_the_baselines_of_mix_and_match_have_its_data_and_budget(name):
    ours, theirs = recipes.find("mix_and_match.streets"), recipes.find(name)
    for part in ("data", "train", "evaluate"):
        assert getattr(theirs, part) == getattr(ours, part)
    assert theirs.method.width == ours.method.width


def test_the_methods_are_compared_on_equal_terms():
    sdit, stargan = recipes.find("sdit.digits"), recipes.find("stargan.digits")
    assert (sdit.data, sdit.train, sdit.evaluate) == (stargan.data, stargan.train, stargan.evaluate)
    for field in ("width", "downs", "blocks", "d_layers", "n_critic", "w_gp", "w_rec", "lr", "betas"):
        assert getattr(sdit.method, field) == getattr(stargan.method, field)


def test_an_unknown_name_is_an_error_with_a_suggestion():
    with pytest.raises(UserError, match=r"unknown recipe 'sdit.digit'; did you mean sdit.digits"):
        recipes.find("sdit.digit")
    with pytest.raises(UserError, match="unknown recipe 'experiment'"):
        recipes.find("experiment")


@pytest.mark.parametrize("change", [{"steps": 0}, {"batch_size": 0}, {"ema_decay": 1.0}, {"speed": 1}])
def test_a_training_that_cannot_be_meant_is_an_error(change):
    experiment = recipes.find("sdit.tiny")
    record = experiment.model_dump()
    record["train"] |= change
    with pytest.raises(ValidationError, match=next(iter(change))):
        type(experiment).model_validate(record)
