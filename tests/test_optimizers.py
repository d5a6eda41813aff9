"""Training settings: optimisers, schedules and clipping, against torch's own and closed forms."""

import math
import subprocess
import sys
from dataclasses import asdict, fields

import numpy as np
import pytest
import torch
import yaml
from torch import nn
from torch.nn import functional as F

from conftest import ROOT
from glitchmark.errors import CellError, UserError
from glitchmark.training.checks import check_settings
from glitchmark.training.settings import Settings, learning_rate
from glitchmark.training.sgd import fit

N, BATCH, EPOCHS = 37, 8, 6
OPTIMIZERS = {
    "sgd": {},
    "decay": {"weight_decay": 5e-2},
    "momentum": {"momentum": 0.9},
    "momentum and decay": {"momentum": 0.9, "weight_decay": 5e-4},
    "adamw": {"optimizer": "adamw"},
    "adamw and decay": {"optimizer": "adamw", "weight_decay": 0.1},
}
SCHEDULES = {
    "constant": {},
    "step": {"schedule": "step", "step_epochs": 2, "step_factor": 0.3},
    "cosine": {"schedule": "cosine"},
}


pytestmark = pytest.mark.usefixtures("one_thread")


def settings(epochs=EPOCHS, rate=0.05, batch=BATCH, **more) -> Settings:
    return Settings(epochs, rate, batch, checkpoints=1, **more)


def problem(seed, n=N, scale=1.0):
    """A small network with batch norm, inputs and labels."""
    torch.manual_seed(seed)
    block = nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.ReLU())
    return block, nn.Linear(7, 3), scale * torch.randn(n, 5), torch.randint(3, (n,))


def dropout_problem(seed):
    block, head, x, y = problem(seed)
    return nn.Sequential(block, nn.Dropout(0.5)), head, x, y


def weights(*modules):
    return [p.detach().clone() for module in modules for p in module.parameters()]


def scheduler(optimizer, chosen: Settings):
    """torch's own, stepped after each epoch."""
    if chosen.schedule == "step":
        return torch.optim.lr_scheduler.StepLR(optimizer, chosen.step_epochs, chosen.step_factor)
    if chosen.schedule == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=chosen.epochs)
    return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1)


def torch_fit(block, head, x, y, chosen: Settings, rng):
    """The same training as anyone would write it with torch.optim."""
    parameters = [*block.parameters(), *head.parameters()]
    if chosen.optimizer == "adamw":
        optimizer = torch.optim.AdamW(parameters, lr=chosen.learning_rate, weight_decay=chosen.weight_decay)
    else:
        optimizer = torch.optim.SGD(
            parameters, lr=chosen.learning_rate, momentum=chosen.momentum, weight_decay=chosen.weight_decay
        )
    schedule = scheduler(optimizer, chosen)
    for _ in range(chosen.epochs):
        for rows in torch.from_numpy(rng.permutation(len(x))).split(chosen.batch_size):
            optimizer.zero_grad()
            F.cross_entropy(head(block(x[rows])), y[rows]).backward()
            if chosen.gradient_clip:
                nn.utils.clip_grad_norm_(parameters, chosen.gradient_clip)
            optimizer.step()
        schedule.step()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("clip", [0, 0.2])
@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_training_is_that_of_torch_optim(optimizer, schedule, clip, seed):
    chosen = settings(**optimizer, **schedule, gradient_clip=clip)
    block, head, x, y = problem(seed)
    fit(block, head, x, y, chosen, np.random.default_rng(seed))
    other_block, other_head, _, _ = problem(seed)
    torch_fit(other_block, other_head, x, y, chosen, np.random.default_rng(seed))
    for ours, theirs in zip(weights(block, head), weights(other_block, other_head), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_every_setting_changes_what_is_trained():
    """So that none of the comparisons above holds because a setting is ignored on both sides."""

    def trained(**more):
        block, head, x, y = problem(0)
        fit(block, head, x, y, settings(**more), np.random.default_rng(0))
        return torch.cat([w.flatten() for w in weights(block, head)])

    found = [trained(**one) for one in (*OPTIMIZERS.values(), SCHEDULES["step"], SCHEDULES["cosine"])]
    found.append(trained(gradient_clip=0.2))
    for i, one in enumerate(found):
        assert all((one - other).abs().max() > 1e-3 for other in found[:i])


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_gradients_of_an_earlier_use_do_not_count(optimizer):
    block, head, x, y = problem(0)
    fit(block, head, x, y, settings(**optimizer), np.random.default_rng(0))
    other_block, other_head, _, _ = problem(0)
    for parameter in (*other_block.parameters(), *other_head.parameters()):
        parameter.grad = torch.ones_like(parameter)
    fit(other_block, other_head, x, y, settings(**optimizer), np.random.default_rng(0))
    assert all(torch.equal(a, b) for a, b in zip(weights(block, head), weights(other_block, other_head), strict=True))


# Gradient clipping


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("limit", [1e-3, 0.1, 1e3])
def test_a_step_is_no_longer_than_the_limit_allows(limit, seed):
    """One plain step of rate r moves the weights by r times the gradient, over all layers together."""

    def moved(gradient_clip):
        block, head, x, y = problem(seed, scale=3.0)
        before = weights(block, head)
        fit(block, head, x, y, settings(1, 0.1, N, gradient_clip=gradient_clip), np.random.default_rng(seed))
        after = weights(block, head)
        return torch.cat([(b - a).flatten() for a, b in zip(before, after, strict=True)]).double()

    free, clipped = moved(0), moved(limit)
    expected = free * min(1, 0.1 * limit / free.norm().item())
    torch.testing.assert_close(clipped, expected, rtol=1e-3, atol=1e-6)


# Schedules


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({}, [0.8] * 6),
        ({"schedule": "step", "step_epochs": 2, "step_factor": 0.5}, [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]),
        ({"schedule": "step", "step_epochs": 4, "step_factor": 0.1}, [0.8] * 4 + [0.08] * 2),
        ({"schedule": "cosine"}, [0.8, 0.4 + 0.2 * math.sqrt(3), 0.6, 0.4, 0.2, 0.4 - 0.2 * math.sqrt(3)]),
    ],
    ids=["constant", "step", "long step", "cosine"],
)
def test_learning_rates_of_the_epochs(schedule, expected):
    chosen = settings(6, 0.8, **schedule)
    np.testing.assert_allclose([learning_rate(chosen, epoch) for epoch in range(1, 7)], expected, rtol=1e-12)


@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_a_learning_rate_begins_as_set_never_rises_and_stays_positive(schedule, epochs):
    rates = [learning_rate(settings(epochs, 0.3, **schedule), epoch) for epoch in range(1, epochs + 1)]
    assert rates[0] == 0.3
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] > 0


# Divergence


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_divergence_names_epoch_rate_and_advice(optimizer):
    block, head, x, y = problem(0)
    with pytest.raises(CellError, match=r"epoch \d+ with learning rate 1e\+37; .*smaller learning_rate.*gradient_clip"):
        fit(block, head, x, y, settings(rate=1e37, **optimizer), np.random.default_rng(0))


def test_divergence_names_the_epoch_and_its_own_learning_rate():
    """The inputs are finite for the first epoch only."""
    head, x, y = nn.Linear(5, 3), torch.randn(N, 5), torch.randint(3, (N,))
    chosen = Settings(3, 0.5, N, checkpoints=3, schedule="step", step_epochs=1, step_factor=0.5)
    with pytest.raises(CellError, match=r"the loss is nan in epoch 2 with learning rate 0.25;"):
        fit(nn.Identity(), head, x, y, chosen, np.random.default_rng(0), lambda: x.fill_(torch.nan))


def test_divergence_in_the_last_step_leaves_no_checkpoint():
    """No loss is computed after it."""
    kept = []
    head, x, y = nn.Linear(5, 3), 1e3 * torch.randn(N, 5), torch.randint(3, (N,))
    with pytest.raises(CellError, match=r"a weight is no longer finite in epoch 1 with learning rate 1e\+38;"):
        fit(nn.Identity(), head, x, y, settings(1, 1e38, N), np.random.default_rng(0), lambda: kept.append(1))
    assert kept == []


# Determinism


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_training_is_a_function_of_its_generator(optimizer):
    def trained(seed):
        block, head, x, y = dropout_problem(0)
        losses = fit(block, head, x, y, settings(**optimizer), np.random.default_rng(seed))
        return losses, weights(block, head)

    losses, first = trained(3)
    torch.rand(5)
    again_losses, again = trained(3)
    assert losses == again_losses
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert trained(4)[0] != losses


def test_a_training_leaves_torchs_own_generator_as_it_was():
    block, head, x, y = dropout_problem(0)
    state = torch.get_rng_state()
    fit(block, head, x, y, settings(), np.random.default_rng(0))
    assert torch.equal(torch.get_rng_state(), state)


def test_what_dropout_draws_does_not_depend_on_the_number_of_threads():
    """Wide enough for torch to use several threads."""
    found = []
    for threads in (2, 1):  # one, as before, at the end
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        head, x, y = nn.Linear(3000, 3), torch.randn(64, 3000), torch.randint(3, (64,))
        fit(nn.Dropout(0.5), head, x, y, settings(2, 0.01, 32), np.random.default_rng(0))
        found.append(weights(head))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_training_on_a_gpu_is_that_on_the_cpu(optimizer):
    found = []
    for device in ("cpu", "cuda"):
        block, head, x, y = (part.to(device) for part in problem(0))
        fit(block, head, x, y, settings(**optimizer, gradient_clip=0.5), np.random.default_rng(0))
        found.append([w.cpu() for w in weights(block, head)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_dropout_on_a_gpu_is_the_trainings_own():
    found = []
    for drawn in (1, 5):
        torch.rand(drawn, device="cuda")
        block, head, x, y = (part.to("cuda") for part in dropout_problem(0))
        state = torch.cuda.get_rng_state()
        found.append(fit(block, head, x, y, settings(), np.random.default_rng(0)))
        assert torch.equal(torch.cuda.get_rng_state(), state)
    np.testing.assert_allclose(*found, rtol=1e-4)


# Defaults and what cannot be combined


def test_defaults_are_those_of_the_config():
    """A setting that a caller leaves out means what it means in a config."""
    schema = yaml.safe_load((ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text())
    model, rule = (schema["properties"][key]["items"]["properties"] for key in ("models", "training"))
    for field in fields(Settings):
        if field.name != "checkpoints":
            assert field.name in rule
            assert "default" not in rule[field.name]
    ours = {f.name: f.default for f in fields(Settings)[4:]}
    assert {key: model[key]["default"] for key in ours} == ours


def pair(**more):
    """What a config says of one data set and model."""
    return {k: v for k, v in asdict(settings(**more)).items() if k != "checkpoints"}


@pytest.mark.parametrize(
    "chosen",
    [
        *(pair(**o) for o in OPTIMIZERS.values()),
        *(pair(**s) for s in SCHEDULES.values()),
        pair(gradient_clip=1.0),
        pair(epochs=1),
    ],
)
def test_allowed_combinations(chosen):
    check_settings(chosen, "config: models[0]")


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (pair(optimizer="adamw", momentum=0.9), ["'momentum: 0.9'", "'optimizer: sgd'", "'adamw'", "'momentum: 0'"]),
        (pair(step_epochs=3), ["'step_epochs: 3'", "'schedule: step'", "'constant'", "10"]),
        (pair(schedule="cosine", step_factor=0.5), ["'step_factor: 0.5'", "'schedule: step'", "'cosine'", "0.1"]),
        (pair(epochs=10, schedule="step"), ["'step_epochs: 10'", "'epochs: 10'", "smaller"]),
    ],
    ids=["momentum", "step_epochs", "step_factor", "no step"],
)
def test_impossible_combinations_are_named(chosen, words):
    with pytest.raises(UserError) as found:
        check_settings(chosen, "config: models[0]")
    message = str(found.value)
    assert message.startswith("config: models[0]: ")
    assert not [word for word in words if word not in message], message


# What importing costs


def modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_checking_settings_does_not_import_torch():
    assert "torch" not in modules_after("import glitchmark.training.checks, glitchmark.grid")


def test_plain_training_does_not_import_torchs_compiler():
    """It takes longer than some cells' training."""
    code = (
        "import numpy as np, torch\n"
        "from glitchmark.training.sgd import fit\n"
        "from glitchmark.training.settings import Settings\n"
        "x, y = torch.zeros(4, 2), torch.tensor([0, 1, 0, 1])\n"
        "chosen = Settings(2, .1, 2, 1, gradient_clip=1, schedule='cosine')\n"
        "fit(torch.nn.Identity(), torch.nn.Linear(2, 2), x, y, chosen, np.random.default_rng(0))"
    )
    assert "torch._dynamo" not in modules_after(code)
