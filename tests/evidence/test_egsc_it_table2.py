import pytest
import torch
from egsc_it_table2 import COLOURED, LOOKS, ROWS, blank, budgeted, foreground, measure, nearest_looks

from dragoman import recipes
from dragoman.worlds.mnist import MNISTSingle


@pytest.fixture(scope="module")
def data():
    return MNISTSingle(source="small", images=8, test_images=12).open("test")


def truth(data):
    return lambda rows, exemplars: torch.stack([data.truth(i, e) for i, e in zip(rows, exemplars, strict=True)])


def test_the_true_translations_are_perfect(data):
    values = measure(truth(data), data, pairs=12)
    assert values["ssim_a_to_b"] == values["ssim_b_to_a"] == pytest.approx(1)
    assert values["foreground_a_to_b"] == values["foreground_b_to_a"] == 1 and values["nothing_drawn"] == 0


def test_drawing_nothing_has_no_foreground_but_an_ssim(data):
    values = measure(lambda rows, exemplars: blank(data, rows, exemplars), data, pairs=12)
    assert values["foreground_a_to_b"] == values["foreground_b_to_a"] == 0 and values["nothing_drawn"] == 1
    assert 0.2 < values["ssim_a_to_b"] < 0.8


def test_looks_are_those_of_the_exemplars(data):
    a, b = list(range(12)), list(range(12, 24))
    looks = nearest_looks(truth(data)(a, b), data, a)
    for look, exemplar in zip(looks, b, strict=True):
        assert (LOOKS[look] == data.palettes[exemplar]).all()
    assert (LOOKS[0] == COLOURED[0]).all() and (LOOKS[6:, 0] == LOOKS[6:, 1]).all()


def test_exchanged_colours_and_halves_of_digits(data):
    rows, exemplars = [0, 1], [12, 13]
    true = truth(data)(rows, exemplars)
    half = torch.cat([true[..., :14], blank(data, rows, exemplars)[..., 14:]], -1)
    fronts = torch.stack([torch.from_numpy(data.regions(row)).bool() for row in rows])
    left = (fronts[..., :14].flatten(1).sum(1) / fronts.flatten(1).sum(1)).mean()
    assert foreground(half, true, data, rows) == pytest.approx(left.item())
    exchanged = torch.stack([true[n].clone() for n in range(2)])
    for n, exemplar in enumerate(exemplars):
        both = torch.from_numpy(data.palettes[exemplar] / 127.5 - 1).float()
        exchanged[n] = torch.where(fronts[n], both[0][:, None, None], both[1][:, None, None])
    assert foreground(exchanged, true, data, rows) == 0


def test_every_row_has_the_same_updates():
    for row, recipe in ROWS.items():
        experiment, method = budgeted(recipe, 400, 16, 60), recipes.find(recipe).method
        if row in ("adain_style", "wct"):
            continue
        before = 60 if recipe.startswith("egsc_it") else 0
        assert experiment.train.batch_size == 16
        assert (experiment.train.steps - before) * getattr(method, "g_updates", 1) == 400
        if before:
            assert round(experiment.method.pretrain * experiment.train.steps) == before
