"""Generated images as files: restartable, and never mixed with another model's."""

import pytest
import torch
from PIL import Image

from dragoman.data.batch import Task
from dragoman.errors import UserError
from dragoman.inference.sampler import GeneratorCore, Sampler
from dragoman.report.grids import generated
from dragoman.report.samples import write_samples


class Shades(GeneratorCore):
    """A flat image as bright as its noise, red for the first domain and blue for the second."""

    noise_dim = 1

    def __init__(self):
        super().__init__()
        self.colours = torch.nn.Parameter(torch.tensor([[1.0, 0, 0], [0, 0, 1]]))

    def forward(self, u, c):
        return (torch.sigmoid(u)[:, :, None, None] * (c @ self.colours)[:, :, None, None]).expand(-1, -1, 8, 8) * 2 - 1


def sampler(sha: str = "one") -> Sampler:
    return Sampler(Shades(), Task(domains=("red", "blue"), size=8), {"sha256": sha})


def test_a_file_for_each_seed_and_a_grid(tmp_path):
    counted = []
    done = write_samples(sampler(), tmp_path, range(5, 9), None, counted.append)
    files = done.files
    assert done.made == 4 and done.seconds_per_image == done.seconds / 4 > 0
    assert [file.name for file in files] == ["000005.png", "000006.png", "000007.png", "000008.png", "grid.png"]
    assert sum(counted) == 4
    colours = [Image.open(file).convert("RGB").getpixel((0, 0)) for file in files[:4]]
    assert [colour[0] == 0 for colour in colours] == [True, False, True, False]  # blue, red, blue, red by the seed
    assert Image.open(files[-1]).size == (4 * 34 + 2, 34 + 2)
    assert not list(tmp_path.glob("*.tmp*"))


def test_what_is_there_stays_and_the_rest_is_made(tmp_path):
    files = write_samples(sampler(), tmp_path, range(3), "red").files
    before = files[0].read_bytes()
    files[0].write_bytes(files[1].read_bytes())
    files[2].unlink()
    assert write_samples(sampler(), tmp_path, range(3), "red").made == 1
    assert files[0].read_bytes() == files[1].read_bytes() != before
    assert files[2].exists()
    assert write_samples(sampler(), tmp_path, range(3), "red").seconds_per_image == 0


def test_another_model_or_label_is_refused(tmp_path):
    write_samples(sampler(), tmp_path, range(2), "red")
    with pytest.raises(UserError, match=r"holds .* with another model"):
        write_samples(sampler("two"), tmp_path, range(2), "red")
    with pytest.raises(UserError, match=r"holds .* with another label"):
        write_samples(sampler(), tmp_path, range(2), "blue")


def test_an_unknown_label_leaves_nothing_behind(tmp_path):
    with pytest.raises(UserError, match="unknown domain 'green'"):
        write_samples(sampler(), tmp_path / "out", range(2), "green")
    assert not (tmp_path / "out").exists()


def test_a_grid_has_a_row_for_each_domain():
    picture = generated(sampler(), 6)
    assert picture.size == (3 * 34 + 2, 2 * 34 + 2)
    assert picture.getpixel((10, 10))[2] == 0 and picture.getpixel((10, 44))[0] == 0
    assert generated(sampler(), 20, label="red").size == (8 * 34 + 2, 3 * 34 + 2)
