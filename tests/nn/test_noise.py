import pytest
import torch

from dragoman.nn.noise import normal_like


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_standard_normal_and_independent_in_every_place(layout, dtype):
    torch.manual_seed(0)
    x = torch.full((64, 8, 6, 10), 7.0, dtype=dtype).contiguous(memory_format=layout)
    noise = normal_like(x)
    assert noise.shape == x.shape and noise.dtype == dtype
    assert noise.is_contiguous(memory_format=torch.channels_last)
    noise = noise.float()
    assert noise.mean().abs() < 0.02 and abs(noise.std() - 1) < 0.02
    for dim in range(4):
        neighbours = (noise * noise.roll(1, dim)).mean()
        assert neighbours.abs() < 0.03
