"""The loop: stages, modes, counts, what moves, and what stops it."""

import copy

import pytest
import torch
from toy import Toy, images, stream_of, toy, train

from dragoman.engine.ema import Averages
from dragoman.engine.fit import NonFinite, Run
from dragoman.engine.method import Phase, Stage
from dragoman.engine.runtime import Runtime


class Watch:
    """Keeps what `look` sees before the first step and after every step."""

    def __init__(self, look):
        self.look, self.found = look, []

    def start(self, run):
        self.found.append(self.look(run))

    def __call__(self, run):
        self.found.append(self.look(run))

    def end(self, run):
        pass


def weights(run):
    return copy.deepcopy(run.method.state_dict())


def make_run(stages=(), method=None, **settings):
    method = method or toy()
    stages = stages or method.stages(8)
    return Run(method, Averages(method, method.ema, 0.9), Runtime.start("cpu"), stages, 0, None, **settings)


@pytest.mark.parametrize(("step", "position", "name"), [
    (0, (0, 0), "a"), (2, (0, 2), "a"), (3, (2, 0), "a"), (4, (3, 0), "c"), (5, (3, 1), "d"),
    (7, (3, 3), "d"), (8, (3, 4), "d"),
])  # fmt: skip
def test_position_across_stages(step, position, name):
    stages = [Stage(name=n, steps=s, phases=[]) for n, s in (("a", 3), ("empty", 0), ("c", 1), ("d", 4))]
    run = make_run(stages, step=step)
    assert run.steps == 8
    assert run.position(step) == position
    assert run.stage.name == name  # of the last step


def test_modes_of_each_stage():
    watch = Watch(lambda run: (run.stage.name, run.method.G.training, run.method.D.training,
                               any(m.training for m in run.averages["G"].modules())))  # fmt: skip
    train(toy(), 6, hooks=[watch])
    assert watch.found[1:3] == [("both", True, True, False)] * 2
    # After its last step a stage is over by name, and its modes change when the next begins.
    assert watch.found[4:] == [("alone", True, False, False)] * 3


def test_leaving_is_in_eval_mode_without_gradients_and_puts_modes_back():
    run = make_run()
    run.method.train()
    run.method.D.eval()
    before = {name: m.training for name, m in run.method.named_modules()}
    with pytest.raises(KeyError), run.leaving() as core:
        assert core.G is run.averages["G"]
        assert not torch.is_grad_enabled()
        assert not any(m.training for m in run.method.modules())
        raise KeyError
    assert {name: m.training for name, m in run.method.named_modules()} == before
    assert torch.is_grad_enabled()


def test_every_and_repeat_count_updates():
    method = toy()
    run = train(method, 9)  # four steps, G at every second; then five steps, G three times each
    assert [name for name, _ in method.seen] == ["D", "D", "G"] * 2 + ["G"] * 15
    counts = {n: {int(s["step"]) for s in o.state.values()} for n, o in run.optimizers.items()}
    assert counts == {"G": {2 + 15}, "D": {4}}


def test_every_update_of_a_repeat_has_a_fresh_batch():
    method = toy()
    train(method, 4)
    batches = stream_of(Runtime.start("cpu"))("train", 1, 0)
    given = [image for name, image in method.seen[3:] if name == "G"]
    expected = [next(batches).image for _ in range(6)]
    assert len(given) == 6
    assert all(torch.equal(a, b) for a, b in zip(given, expected, strict=True))
    assert len({image.sum().item() for image in given}) == 6


def test_phases_of_a_step_share_its_batch():
    method = toy()
    train(method, 4)
    assert torch.equal(method.seen[1][1], method.seen[2][1])
    assert not torch.equal(method.seen[0][1], method.seen[1][1])


def test_a_stage_moves_only_what_its_phases_update():
    watch = Watch(weights)
    train(toy(), 4, hooks=[watch])
    before, after = watch.found[2], watch.found[4]
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    g = {name for name in before if name.startswith("G.")}
    assert moved == g | {"memory"}  # D not even in its running statistics


def test_phases_see_gradients_of_their_own_parameters_only():
    method = toy()
    run = make_run(method=method)
    batch = next(stream_of(run.runtime)("train", 0, 0))
    d, g = run.stages[0].phases
    run._update(d, batch, 0, (0,))
    assert {n.split(".")[0] for n, p in method.named_parameters() if p.grad is not None} == {"D"}
    kept = {n: p.grad.clone() for n, p in method.D.named_parameters()}
    run._update(g, batch, 0, (0,))
    assert all(torch.equal(kept[n], p.grad) for n, p in method.D.named_parameters())
    assert all(p.grad is not None for p in method.G.parameters())


def test_learning_rate_is_a_function_of_the_step():
    watch = Watch(lambda run: run.optimizers["D"].param_groups[0]["lr"])
    train(toy(), 8, hooks=[watch])
    expected = [1, 1, 6 / 7, 5 / 7]
    assert watch.found[1:5] == pytest.approx([1e-2 * x for x in expected])


def test_losses_are_the_raw_terms():
    watch = Watch(lambda run: dict(run.losses))
    train(toy(), 4, hooks=[watch])
    assert [set(found) for found in watch.found[:3]] == [
        set(), {"D/real", "D/fake"}, {"D/real", "D/fake", "G/gan", "G/rec"}
    ]  # fmt: skip
    method, batch = toy(), next(stream_of(Runtime.start("cpu"))("train", 0, 0))
    assert watch.found[1]["D/real"].item() == pytest.approx(
        torch.relu(1 - method.train().D(batch.image)).mean().item(), rel=1e-5
    )


def test_the_same_seed_gives_the_same_run_and_another_seed_another():
    first, same, other = (weights(train(toy(), 4, seed=seed)) for seed in (0, 0, 1))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["D.0.weight"], other["D.0.weight"])


def test_the_caller_s_random_numbers_do_not_matter():
    first = weights(train(toy(), 4))
    method = toy()
    torch.manual_seed(12345)
    second = weights(train(method, 4))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_hooks_do_not_steer():
    def look(run):
        with run.leaving() as core:
            torch.manual_seed(99)
            return core(torch.zeros(1, 3, 16, 16), torch.eye(2)[:1], torch.zeros(1, 0))

    plain, watched = weights(train(toy(), 6)), weights(train(toy(), 6, hooks=[Watch(look)]))
    assert all(torch.equal(plain[name], watched[name]) for name in plain)


def test_images_are_not_changed_by_training():
    before = images().images.copy()
    train(toy(), 2)
    assert (images().images == before).all()


class Breaks(Toy):
    """One term of one phase goes wrong at its n-th call."""

    def __init__(self, phase, how, call):
        torch.manual_seed(0)
        super().__init__()
        self.phase, self.how, self.call = phase, how, call

    def spoil(self, phase, losses):
        if phase == self.phase and [name for name, _ in self.seen].count(phase) == self.call:
            name = list(losses)[-1]
            if self.how == "gradient":  # sqrt is finite at 0, its slope is not
                losses[name] = losses[name] + (0 * losses[name]).sqrt()
            else:
                losses[name] = losses[name] * self.how
        return losses

    def d_losses(self, batch):
        return self.spoil("D", super().d_losses(batch))

    def g_losses(self, batch):
        return self.spoil("G", super().g_losses(batch))


@pytest.mark.parametrize(("how", "named"), [
    (float("nan"), "fake, the gradient"), (float("inf"), "fake, the gradient"), ("gradient", "the gradient"),
])  # fmt: skip
def test_non_finite_stops_before_anything_changes(how, named):
    method, watch = Breaks("D", how, call=3), Watch(weights)
    with pytest.raises(NonFinite, match=f"^{named} of phase D is not finite at step 2; nothing was updated"):
        train(method, 8, hooks=[watch])
    assert len(watch.found) == 3  # before the run and after two steps
    for name, p in method.named_parameters():
        assert torch.equal(p, watch.found[-1][name]), name


def test_non_finite_in_the_second_phase_leaves_what_that_phase_updates():
    method, watch = Breaks("G", float("nan"), call=2), Watch(weights)
    with pytest.raises(NonFinite, match="rec, the gradient of phase G is not finite at step 3"):
        train(method, 8, hooks=[watch])
    assert all(torch.equal(p, watch.found[-1][f"G.{n}"]) for n, p in method.G.named_parameters())


def test_a_finite_loss_with_a_broken_gradient_really_is_finite():
    """So that the case above is not the one of the loss."""
    method = Breaks("D", "gradient", call=1)
    losses = method.d_losses(next(stream_of(Runtime.start("cpu"))("train", 0, 0)))
    assert all(torch.isfinite(loss) for loss in losses.values())


def test_the_last_good_state_survives_a_non_finite_loss(tmp_path):
    with pytest.raises(NonFinite):
        train(Breaks("D", float("nan"), call=4), 8, tmp_path)
    good = toy()
    run = train(good, 8, tmp_path, resume=True)
    assert run.step == 8
    whole = weights(train(toy(), 8))
    assert all(torch.equal(whole[name], value) for name, value in good.state_dict().items())


@pytest.mark.parametrize("flags", [(1.0, 0.0), (0.0, 1.0), (2.0, 2.0), (0.0, 7.0)])
def test_flags_keep_a_fused_optimiser_from_moving(flags):
    """What an accelerator relies on; the flags count ranks, so they may be over 1."""
    run = make_run()
    d = run.stages[0].phases[0]
    run._update(d, next(stream_of(run.runtime)("train", 0, 0)), 0, (0,))
    before, moments = weights(run), copy.deepcopy(run.optimizers["D"].state_dict()["state"])
    for p in run.method.D.parameters():
        p.grad = torch.full_like(p, float("nan"))
    run._apply(d, 0, torch.tensor(flags))
    assert all(torch.equal(before[name], value) for name, value in run.method.state_dict().items())
    for index, values in run.optimizers["D"].state_dict()["state"].items():
        assert all(torch.equal(moments[index][key], value) for key, value in values.items())


def test_without_flags_the_optimiser_moves():
    run = make_run()
    d = run.stages[0].phases[0]
    before = weights(run)
    for p in run.method.D.parameters():
        p.grad = torch.ones_like(p)
    run._apply(d, 0, torch.zeros(2))
    assert all(not torch.equal(before[f"D.{n}"], p) for n, p in run.method.D.named_parameters())


def test_flags_of_a_stage_s_last_steps_are_not_forgotten():
    """On an accelerator nothing looks at the flags after every step, so the next stage has to."""

    class Raise:
        def start(self, run):
            pass

        def __call__(self, run):
            if run.step == 4:
                run.flags["D"] = (["real", "fake"], torch.tensor([0.0, 1.0]))

        def end(self, run):
            pass

    with pytest.raises(NonFinite, match=r"^fake of phase D"):
        train(toy(), 8, hooks=[Raise()])


def test_losses_and_weights_must_agree():
    class Forgets(Toy):
        def g_losses(self, batch):
            return {"gan": super().g_losses(batch)["gan"]}

    with pytest.raises(ValueError, match="must have the same names"):
        train(Forgets(), 4)


def test_an_optimiser_phase_without_gradient_keeps_still():
    """A parameter that the loss does not reach has the gradient zero, the same on every rank."""
    run = make_run()
    phase = Phase(name="G", updates=["G", "D"], losses=lambda b: {"x": run.method.D(b.image).mean()}, weights={"x": 1})
    before = weights(run)
    run._update(phase, next(stream_of(run.runtime)("train", 0, 0)), 0, (0,))
    assert all(p.grad is not None and not p.grad.any() for p in run.method.G.parameters())
    assert all(torch.equal(before[f"G.{n}"], p) for n, p in run.method.G.named_parameters())
