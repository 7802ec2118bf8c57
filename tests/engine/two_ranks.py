"""What two ranks do, as a script for torchrun: `torchrun --nproc-per-node 2 two_ranks.py DIR`."""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from toy import Toy, stream_of, toy, train

from dragoman.data.batch import Batch
from dragoman.engine.fit import NonFinite
from dragoman.engine.method import Phase, Stage
from dragoman.engine.runtime import Runtime


def everywhere(value: Tensor) -> list[Tensor]:
    """The value of every rank."""
    found = [torch.empty_like(value) for _ in range(2)]
    dist.all_gather(found, value.contiguous())
    return found


class Plain(Toy):
    """Nothing random and no statistics of the batch, so that two ranks equal one process with their joint batch."""

    def __init__(self) -> None:
        super().__init__()
        self.G[1] = nn.Identity()

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Mean over the batch, so that the ranks' gradients average to the joint one."""
        return {"rec": (self.translate(batch.image, batch.label) - batch.image).square().mean()}

    def stages(self, steps: int) -> list[Stage]:
        """One phase."""
        return [Stage(name="only", steps=steps, phases=[
            Phase(name="G", updates=["G"], losses=self.losses, weights={"rec": 1.0})
        ])]  # fmt: skip


def plain(seed: int) -> Plain:
    torch.manual_seed(seed)
    return Plain()


def collectives(runtime: Runtime) -> None:
    rank = runtime.rank
    gradients = [torch.full((2, 3, 2, 2), float(rank)).to(memory_format=torch.channels_last), torch.arange(3.0) + rank]
    gradients[0][0, 1] = 10.0 * (rank + 1)
    flags = runtime.average(gradients, torch.tensor([float(rank), 1.0]))
    expected = torch.full((2, 3, 2, 2), 0.5)
    expected[0, 1] = 15
    assert torch.equal(gradients[0], expected) and torch.equal(gradients[1], torch.arange(3.0) + 0.5)
    assert flags.tolist() == [1.0, 2.0]

    runtime.seed(1, 2)
    mine, other = everywhere(torch.rand(4))
    assert not torch.equal(mine, other), "the ranks must draw different numbers"
    assert runtime.agree(f"rank {rank}") == "rank 0"


def alignment(runtime: Runtime) -> None:
    torch.manual_seed(runtime.rank)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)
    net[1].running_mean.normal_()
    net[1].num_batches_tracked.fill_(runtime.rank)
    assert not torch.equal(*everywhere(net[0].weight.data))
    runtime.copy_from_main(net)
    for tensor in net.state_dict().values():
        assert torch.equal(*everywhere(tensor))
    net[1].running_mean.fill_(runtime.rank + 5)
    runtime.align(net)
    assert (net[1].running_mean == 5).all(), "align gives every rank the main one's buffers"
    if runtime.rank == 1:
        with torch.no_grad():
            net[0].weight[0, 0, 0, 0] += 1e-4
    try:
        runtime.align(net)
    except RuntimeError as error:
        assert "different parameters" in str(error)
    else:
        raise AssertionError("ranks that drifted apart were not noticed")


def same_as_one_process(runtime: Runtime) -> None:
    method = plain(seed=runtime.rank)  # the main rank's weights count
    train(method, 4, runtime=runtime)
    alone = plain(seed=0)
    two, one = stream_of(runtime), Runtime(torch.device("cpu"))

    def joint(split: str, stage: int, first: int) -> object:
        for batch in two(split, stage, first):
            yield Batch(image=torch.cat(everywhere(batch.image)), label=torch.cat(everywhere(batch.label)))

    from dragoman.engine.fit import fit

    fit(alone, joint, steps=4, runtime=one, precision="fp32")
    start = plain(seed=0)
    for p, q, r in zip(method.G.parameters(), alone.G.parameters(), start.G.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-5)
        assert (p - r).abs().max() > 1e-3


def whole_run(runtime: Runtime, directory: Path) -> None:
    method = toy()
    train(method, 6, directory, runtime=runtime)
    for name, tensor in [*method.named_parameters(), ("memory", method.memory)]:
        assert torch.equal(*everywhere(tensor.data)), f"{name} differs between the ranks"
    images = everywhere(torch.stack([image for _, image in method.seen]))
    assert not torch.equal(*images), "the ranks must see different images"
    again = toy()
    for state in sorted((directory / "state").glob("[456]")) if runtime.main else []:
        state.rename(directory / state.name)
    runtime.barrier()
    assert train(again, 6, directory, runtime=runtime, resume=True).step == 6
    assert len(again.seen) == 9, "three steps were left"
    for p, q in zip(method.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(p, q)


class Broken(Toy):
    """The loss of one or both ranks is not a number at the second step."""

    ranks: tuple[int, ...] = ()
    rank = 0

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        losses = super().d_losses(batch)
        if len(self.seen) == 2 and self.rank in self.ranks:
            losses["real"] = losses["real"] * float("nan")
        return losses


def non_finite(runtime: Runtime) -> None:
    for ranks in ((0,), (1,), (0, 1)):
        method = Broken()
        method.rank, method.ranks = runtime.rank, ranks
        try:
            train(method, 6, runtime=runtime)
        except NonFinite as error:
            assert "real" in str(error)
        else:
            raise AssertionError(f"rank {runtime.rank} did not stop")
        for p in method.parameters():
            assert torch.isfinite(p).all()
            assert torch.equal(*everywhere(p.data))


if __name__ == "__main__":
    torch.set_num_threads(1)
    runtime = Runtime.start("cpu")
    assert runtime.world == 2 and runtime.main == (runtime.rank == 0)
    collectives(runtime)
    alignment(runtime)
    same_as_one_process(runtime)
    whole_run(runtime, Path(sys.argv[1]))
    non_finite(runtime)
    runtime.close()
    assert not dist.is_initialized()
    threads = [file.read_text().strip() for file in Path("/proc/self/task").glob("*/comm")]
    assert not any("gloo" in name for name in threads), f"threads that may abort the exit are left: {threads}"
    Path(sys.argv[1], f"rank{runtime.rank}").touch()
