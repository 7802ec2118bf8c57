"""Pictures: where each cell is, and what is in it."""

import pytest
import torch
from torch import Tensor, nn

from dragoman.data.batch import Task
from dragoman.inference.translator import Core, Translator
from dragoman.report.grids import grid, translations

CELL, GAP, TOP = 64, 2, 14


def _flat(*values: float, size: int = 8) -> Tensor:
    """[C, size, size], a value per channel."""
    return torch.tensor(values)[:, None, None].expand(-1, size, size)


def _grey(value: float) -> tuple[int, int, int]:
    return (round((value + 1) * 127.5),) * 3


def _corners(column: int, row: int, top: int) -> list[tuple[int, int]]:
    """The first and the last pixel of a cell."""
    x, y = GAP + column * (CELL + GAP), top + GAP + row * (CELL + GAP)
    return [(x, y), (x + CELL - 1, y + CELL - 1)]


@pytest.mark.parametrize("header", [(), ("input", "red", "green")])
def test_cells_are_where_they_belong(header):
    rows = [[_flat(-1.0, -0.5, 0.0), _flat(0.5)], [_flat(1.0, -1.0, -1.0), _flat(-1.0), _flat(0.0, 1.0, 0.0)]]
    top = TOP if header else 0
    picture = grid(rows, header)
    assert picture.size == (3 * (CELL + GAP) + GAP, 2 * (CELL + GAP) + GAP + top) and picture.mode == "RGB"
    for r, row in enumerate(rows):
        for c, image in enumerate(row):
            colour = tuple(round((v.item() + 1) * 127.5) for v in image[:, 0, 0].expand(3))
            for place in _corners(c, r, top):
                assert picture.getpixel(place) == colour
    white = (255, 255, 255)
    (x, y), _ = _corners(1, 1, top)
    assert picture.getpixel((x - 1, y)) == picture.getpixel((x, y - 1)) == white
    assert picture.getpixel(_corners(2, 0, top)[0]) == white  # the first row has no third image


def test_names_stand_over_their_columns():
    rows = [[_flat(0.0), _flat(0.0)]]
    picture = grid(rows, ["", "red"])
    left, right = picture.crop((0, 0, GAP + CELL, TOP)), picture.crop((GAP + CELL + GAP, 0, picture.width, TOP))
    assert left.getextrema() == ((255, 255),) * 3
    assert right.convert("L").getextrema()[0] < 128


def test_long_names_take_several_lines():
    rows = [[_flat(0.0), _flat(0.0)]]
    picture = grid(rows, ["red", "black_and_white"])
    top = TOP + 12
    assert picture.height == top + GAP + CELL + GAP
    lower = [picture.crop((x, TOP, x + CELL, top)).convert("L") for x in (GAP, GAP + CELL + GAP)]
    assert [part.getextrema()[0] < 128 for part in lower] == [False, True]


def test_pixels_are_enlarged_not_blurred():
    image = torch.tensor([[[-1.0, 1.0], [1.0, -1.0]]])
    picture = grid([[image]], cell=8).crop((GAP, GAP, GAP + 8, GAP + 8)).convert("L")
    assert [picture.getpixel(place) for place in ((3, 3), (4, 3), (3, 4), (4, 4))] == [0, 255, 255, 0]


class Known(Core):
    """Paints a grey that tells domain and style; its mask tells the domain."""

    style_dim = 1

    def __init__(self, mask: bool):
        super().__init__()
        self.levels, self.mask = nn.Parameter(torch.tensor([-0.8, 0.0, 0.8])), mask

    def forward(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, Tensor | None]:
        level = c @ self.levels[:, None] + 0.1 * torch.tanh(s)
        image = level[:, :, None, None].expand_as(x)
        return image, (c @ torch.tensor([[0.0], [0.4], [1.0]]))[:, :, None, None].expand_as(x) if self.mask else None


def _greys(seed: int, styles: int) -> list[float]:
    return [0.1 * torch.tanh(torch.randn(1, generator=torch.Generator().manual_seed(seed + s))).item()
            for s in range(styles)]  # fmt: skip


TASK = Task(domains=("a", "b", "c"), size=16, channels=1)


def test_every_input_in_every_domain_and_style():
    images = torch.stack([_flat(-0.4, size=16), _flat(0.6, size=16)])
    picture, masks = translations(Translator(Known(False), TASK), images, styles=2, seed=5)
    assert masks is None
    assert picture.size == (7 * (CELL + GAP) + GAP, 2 * (CELL + GAP) + GAP + TOP)
    expected = [level + shade for level in (-0.8, 0.0, 0.8) for shade in _greys(5, 2)]
    for r, given in enumerate((-0.4, 0.6)):
        for c, value in enumerate([given, *expected]):
            assert picture.getpixel(_corners(c, r, TOP)[0]) == _grey(value)


def test_masks_stand_beside_the_translations_of_the_first_style():
    images = _flat(-0.4, size=16)[None]
    picture, masks = translations(Translator(Known(True), TASK), images, styles=2)
    assert masks.size == (7 * (CELL + GAP) + GAP, (CELL + GAP) + GAP + TOP) == picture.size
    (shade,) = _greys(0, 1)
    expected = [-0.4]
    for level, mask in zip((-0.8, 0.0, 0.8), (0.0, 0.4, 1.0), strict=True):
        expected += [level + shade, mask * 2 - 1]
    for c, value in enumerate(expected):
        assert masks.getpixel(_corners(c, 0, TOP)[0]) == _grey(value)


class Code(Core):
    """Deterministic; paints the target code as a number and reads the code (1, 0) off every image."""

    def __init__(self):
        super().__init__()
        self.values = nn.Parameter(torch.tensor([[0.8], [0.4]]))

    def forward(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, None]:
        return ((c @ self.values)[:, :, None, None] - 0.6).expand_as(x), None

    def classify(self, x: Tensor) -> Tensor:
        return torch.tensor([[3.0, -3.0]]).expand(len(x), -1)


def test_attributes_are_flipped_and_a_deterministic_translator_has_one_style():
    task = Task(domains=("hat", "smile"), size=16, channels=1, exclusive=False)
    picture, _ = translations(Translator(Code(), task), _flat(0.0, size=16)[None], styles=3)
    assert picture.size[0] == 3 * (CELL + GAP) + GAP
    values = [picture.getpixel(_corners(c, 0, TOP)[0]) for c in range(3)]
    assert values == [_grey(0.0), _grey(-0.6), _grey(0.8 + 0.4 - 0.6)]  # (1, 0) -> (0, 0) and (1, 1)


class Across(Known):
    """The same, for images of the other domains only."""

    one_way = True


@pytest.mark.parametrize("core, blank", [(Across, True), (Known, False)])
def test_a_one_way_translator_leaves_the_cells_of_the_own_domain_blank(core, blank):
    images, white = torch.stack([_flat(-0.4, size=16), _flat(0.6, size=16)]), (255, 255, 255)
    labels = torch.tensor([[0.0, 1, 0], [1, 0, 0]])  # b, a
    picture, masks = translations(Translator(core(True), TASK), images, labels, styles=2)
    expected = [level + shade for level in (-0.8, 0.0, 0.8) for shade in _greys(0, 2)]
    for r, own in enumerate((1, 0)):
        for c, value in enumerate(expected):
            colour = white if blank and c // 2 == own else _grey(value)
            assert picture.getpixel(_corners(c + 1, r, TOP)[1]) == colour, (r, c)
        for c, mask in enumerate((0.0, 0.4, 1.0)):
            colour = white if blank and c == own else _grey(mask * 2 - 1)
            assert masks.getpixel(_corners(2 * c + 2, r, TOP)[0]) == colour
    everything, _ = translations(Translator(core(True), TASK), images, styles=2)  # labels not known: nothing is blank
    assert everything.getpixel(_corners(3, 0, TOP)[0]) == _grey(expected[2])


def test_labels_that_are_known_are_not_read_off_the_images():
    task = Task(domains=("hat", "smile"), size=16, channels=1, exclusive=False)
    picture, _ = translations(Translator(Code(), task), _flat(0.0, size=16)[None], torch.tensor([[0.0, 1]]))
    values = [picture.getpixel(_corners(c, 0, TOP)[0]) for c in range(3)]
    assert values == [_grey(0.0), _grey(0.8 + 0.4 - 0.6), _grey(-0.6)]  # (0, 1) -> (1, 1) and (0, 0)


@pytest.mark.parametrize("size, cell", [(16, 64), (96, 96), (200, 128)])
def test_cells_follow_the_size_of_the_images(size, cell):
    images = torch.zeros(1, 1, size, size)
    picture, _ = translations(Translator(Known(False), TASK), images, styles=1)
    assert picture.size == (4 * (cell + GAP) + GAP, cell + 2 * GAP + TOP)
