"""What is optimised: exactly what is declared, by losses that all do something."""

import copy

import pytest
import torch
from tiny import RECIPES, build, enter, every_recipe, stages_of

from dragoman import methods, recipes

every_phase = pytest.mark.parametrize(
    ("recipe", "stage", "phase"), [(recipe, *place) for recipe in RECIPES for place in stages_of(recipe)]
)


def test_every_method_has_recipes_and_every_recipe_module_a_tiny_one():
    modules = {name.partition(".")[0] for name in recipes.names()}
    assert modules == set(methods.names())
    assert {name.partition(".")[0] for name in RECIPES} == modules


@every_phase
def test_a_step_moves_exactly_the_declared_parameters(recipe, stage, phase):
    run, batch = enter(recipe, stage)
    chosen = run.stages[stage].phases[phase]
    before, averages = copy.deepcopy(run.method.state_dict()), copy.deepcopy(run.averages.state_dict())
    run._update(chosen, batch, 0, (0,))
    declared = {id(p) for p in run._parameters(chosen)}
    named = dict(run.method.named_parameters())
    assert declared <= {id(p) for p in named.values()}
    moved = {name for name, p in named.items() if not torch.equal(p, before[name])}
    assert moved == {name for name, p in named.items() if id(p) in declared}
    assert all(torch.equal(averages[name], value) for name, value in run.averages.state_dict().items())


@every_phase
def test_every_term_is_a_finite_scalar_that_moves_something(recipe, stage, phase):
    run, batch = enter(recipe, stage)
    chosen, parameters = run.stages[stage].phases[phase], run._parameters(run.stages[stage].phases[phase])
    run.method.requires_grad_(False)
    for p in parameters:
        p.requires_grad_(True)
    torch.manual_seed(0)
    losses = chosen.losses(batch)
    assert losses.keys() == chosen.weights.keys()
    for name, loss in losses.items():
        assert loss.shape == () and torch.isfinite(loss), name
        assert loss.requires_grad, f"{name} depends on nothing that {chosen.name} updates"
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        assert any(g is not None and g.abs().max() > 0 for g in gradients), name


@every_recipe
def test_every_network_is_trained_or_said_to_be_frozen(recipe):
    method = build(recipe)
    optimizers = method.optimizers()
    updated = {name for stage in method.stages(6) for phase in stage.phases for name in phase.updates}
    assert updated == optimizers.keys(), "an optimiser that no phase steps, or the other way round"
    groups = [p for o in optimizers.values() for group in o.param_groups for p in group["params"]]
    moved = {id(p) for p in groups}
    assert len(moved) == len(groups), "a parameter is in two optimisers"
    for name, net in method.named_children():
        trained = {id(p) in moved for p in net.parameters()}
        assert trained <= ({False} if name in method.frozen else {True}), name
    children = dict(method.named_children())
    assert set(method.frozen) <= children.keys() and set(method.ema) <= children.keys()
    inside = {id(p) for net in children.values() for p in net.parameters()}
    assert inside == {id(p) for p in method.parameters()}, "a parameter outside the networks would not be saved"


@every_recipe
def test_stages_take_the_steps_of_the_run(recipe):
    for steps in (5, 6, 1000):
        assert sum(stage.steps for stage in build(recipe).stages(steps)) == steps


@every_recipe
def test_optimisers_can_skip_a_step_on_the_device(recipe):
    """Only a fused one looks at found_inf, which is what keeps a non-finite step out on an accelerator."""
    for name, optimizer in build(recipe).optimizers().items():
        assert all(group["fused"] for group in optimizer.param_groups), name
