"""Hooks: when they act, what they write, what the guard notices."""

import json

import pytest
import torch
from toy import images, toy, train

from dragoman.engine.hooks import Draw, Evaluate, Every, Guard, Log, Save, collapse, symptoms


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(("every", "steps"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (5, [5]), (99, [5])])
def test_every_nth_step_and_the_last(every, steps):
    class Note(Every):
        def act(self, run):
            seen.append(run.step)

    seen = []
    train(toy(), 5, hooks=[Note(every)])
    assert seen == steps


def test_log_has_a_line_with_every_raw_term(tmp_path):
    path = tmp_path / "log.jsonl"
    run = train(toy(), 6, hooks=[Log(path, 1, batch_size=4)])
    found = lines(path)
    assert [line["step"] for line in found] == [1, 2, 3, 4, 5, 6]
    assert [line["stage"] for line in found] == ["both"] * 3 + ["alone"] * 3
    assert found[1].keys() == {"step", "stage", "seconds", "images_per_s", "D/real", "D/fake", "G/gan", "G/rec"}
    # The terms of a stage that is over are not repeated.
    assert found[-1].keys() == {"step", "stage", "seconds", "images_per_s", "more/gan", "more/rec"}
    assert {"more/gan", "more/rec"} == run.losses.keys()
    assert all(found[-1][name] == pytest.approx(value.item()) for name, value in run.losses.items())
    assert found[0]["seconds"] <= found[-1]["seconds"] and found[0]["images_per_s"] > 0


def test_a_resumed_log_forgets_what_came_after_the_state(tmp_path):
    path = tmp_path / "log.jsonl"
    train(toy(), 6, tmp_path, hooks=[Log(path, 1, 4)])
    for step in (5, 6):
        (tmp_path / "state" / str(step)).rename(tmp_path / f"lost-{step}")
    whole = lines(path)
    path.write_text(path.read_text() + '{"step": 6, "stage": "al')  # killed while writing
    train(toy(), 6, tmp_path, hooks=[Log(path, 1, 4)], resume=True)
    again = lines(path)
    assert [line["step"] for line in again] == [1, 2, 3, 4, 5, 6]
    assert [line["seconds"] for line in again[:4]] == [line["seconds"] for line in whole[:4]]
    assert again[4]["seconds"] >= again[3]["seconds"]
    for before, after in zip(whole, again, strict=True):
        timing = {"seconds", "images_per_s"}
        assert {n: v for n, v in before.items() if n not in timing} == {
            n: v for n, v in after.items() if n not in timing
        }


def test_a_run_resumes_from_a_state_at_which_it_was_measured(tmp_path):
    path = tmp_path / "log.jsonl"
    hooks = [Log(path, 1, 4), Evaluate(2, lambda core: {"score": 1.0}, path)]
    train(toy(), 4, tmp_path, hooks=hooks)
    before = lines(path)
    assert "eval/score" in before[-1] and "seconds" not in before[-1]
    train(toy(), 6, tmp_path, hooks=hooks, resume=True)
    again = lines(path)
    assert again[: len(before)] == before
    assert again[len(before)]["step"] == 5 and again[len(before)]["seconds"] >= before[-2]["seconds"]


def test_a_new_run_starts_a_new_log(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1, "seconds": 5}\n')
    train(toy(), 2, hooks=[Log(path, 2, 4)])
    assert [line["step"] for line in lines(path)] == [2]


def test_save_writes_states_and_keeps_the_last(tmp_path):
    train(toy(), 7, hooks=[Save(2, keep=2)])  # nowhere to write: nothing happens
    run = train(toy(), 7, tmp_path)
    run.step = 9
    run.save(keep=2)
    assert sorted(p.name for p in (tmp_path / "state").iterdir()) == ["7", "9"]


def test_draw_and_evaluate_get_the_averaged_translator(tmp_path):
    path = tmp_path / "log.jsonl"
    drawn = []

    def draw(core, step):
        assert not core.training and not torch.is_grad_enabled()
        drawn.append((step, core.G))

    def measure(core):
        return {"weight": core.G[0].weight.norm().item()}

    run = train(toy(), 4, hooks=[Log(path, 99, 4), Draw(2, draw), Evaluate(4, measure, path)])
    assert drawn == [(2, run.averages["G"]), (4, run.averages["G"])]
    (value,) = [line["eval/weight"] for line in lines(path) if "eval/weight" in line]
    assert value == pytest.approx(run.averages["G"][0].weight.norm().item())
    assert value != pytest.approx(run.method.G[0].weight.norm().item(), rel=1e-6)


IMAGES = torch.stack([images().load(i) for i in range(6)])
OTHERS = torch.stack([images().load(i) for i in range(6, 12)])


def test_one_image_is_enough_to_look_at_and_tells_nothing_of_a_collapse():
    assert symptoms(IMAGES[:1], OTHERS[:1]) == []


def test_healthy_images_have_no_symptoms():
    assert symptoms(IMAGES, OTHERS) == []
    assert symptoms(IMAGES, IMAGES.flip(1)) == []  # other colours, the same lightness
    assert symptoms(IMAGES, (0.8 * IMAGES - 0.1).clamp(-1, 1)) == []


@pytest.mark.parametrize(("outputs", "word"), [
    (OTHERS[:1].expand(6, -1, -1, -1) + 0.01 * OTHERS, "collapse"),
    (IMAGES + 0.01 * OTHERS, "does nothing"),
    (-IMAGES, "inverted"),
    (-0.5 * IMAGES + 0.2, "inverted"),
])  # fmt: skip
def test_each_symptom_is_named(outputs, word):
    (found,) = symptoms(IMAGES, outputs)
    assert word in found
    assert ":" in found  # what it is, then what to do


def test_flat_outputs_are_a_collapse_and_nothing_else():
    (found,) = symptoms(IMAGES, torch.zeros_like(IMAGES))
    assert "collapse" in found


def guard(path, heard, every=1):
    codes = torch.eye(2).repeat(3, 1)

    def look(core):
        return symptoms(IMAGES, core(IMAGES, codes, core.sample_style(codes))[0])

    return Guard(every, look, heard.append, path)


def test_guard_warns_once_and_logs_it(tmp_path):
    """A last layer of zeros gives the same grey for everything until training has moved it."""
    method, heard, path = toy(), [], tmp_path / "log.jsonl"
    torch.nn.init.zeros_(method.G[3].weight)
    train(method, 20, hooks=[Log(path, 99, 4), guard(path, heard)])
    assert [line for line in heard if "collapse" in line]
    assert len(heard) == len({line.partition(": ")[2] for line in heard})
    assert min(int(line.split()[1].rstrip(":")) for line in heard) >= 2  # not in the first tenth
    logged = [line["warning"] for line in lines(path) if "warning" in line]
    assert logged == [line.partition(": ")[2] for line in heard]


def test_guard_does_not_steer(tmp_path):
    plain = train(toy(), 6).method.state_dict()
    watched = train(toy(), 6, hooks=[guard(tmp_path / "log.jsonl", [])]).method.state_dict()
    assert all(torch.equal(plain[name], watched[name]) for name in plain)


def test_generated_images_that_hardly_differ_are_noticed():
    real = torch.rand(6, 3, 8, 8)
    assert collapse(real, torch.rand(6, 3, 8, 8)) == []
    assert "collapse" in collapse(real, torch.rand(1, 3, 8, 8) + 0.01 * torch.rand(6, 3, 8, 8))[0]
