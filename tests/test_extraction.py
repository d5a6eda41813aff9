"""Factors of models that were trained elsewhere."""

import re
import subprocess
import sys
from copy import deepcopy
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset, SequentialSampler, TensorDataset

from conftest import ROOT
from glitchmark.errors import CellError, UserError
from glitchmark.extraction import extract_factors
from glitchmark.influence.estimators.tracin import TracIn
from glitchmark.influence.factors import Factors
from glitchmark.influence.view import Influence
from glitchmark.training.classifier import Readout
from glitchmark.training.sgd import Settings, fit

CLASSES, WIDTH = 3, 5


class Net(nn.Module):
    """A trunk with batch norm and dropout, and a head; ``end`` is done to the logits."""

    def __init__(self, bias=True, end=lambda logits: logits):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, WIDTH), nn.BatchNorm1d(WIDTH), nn.Tanh(), nn.Dropout(0.5))
        self.head = nn.Linear(WIDTH, CLASSES, bias=bias)
        self.end = end

    def forward(self, x):
        return self.end(self.head(self.trunk(x)))


def net(seed=0, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Net(**options)


def samples(seed, n):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 4, generator=g), torch.randint(CLASSES, (n,), generator=g)


TRAIN, VAL = samples(0, 150), samples(1, 70)


def trained(model, steps=3, part=None):
    """Checkpoints of a few steps of SGD on everything, or on one part of the model above a frozen trunk."""
    model = deepcopy(model).train(part is None)
    model.trunk[3].p = 0.0  # no random draws
    optimizer = torch.optim.SGD((part(model) if part else model).parameters(), lr=0.5)
    checkpoints = []
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(TRAIN[0]), TRAIN[1]).backward()
        optimizer.step()
        checkpoints.append(deepcopy(model.state_dict()))
    return checkpoints


def forward(model, checkpoint, x):
    """Features and logits, written out."""
    model = deepcopy(model)
    model.load_state_dict(checkpoint)
    with torch.no_grad():
        features = model.eval().trunk(x)
        return features.numpy(), model.head(features).numpy()


def assert_same(one, other):
    for name, value in vars(one).items():
        np.testing.assert_array_equal(value, getattr(other, name), name)


@pytest.mark.parametrize("seed", range(3))
def test_the_factors_are_what_the_last_layer_reads_and_gives(seed):
    model = net(seed)
    checkpoints = trained(model)
    f = extract_factors(model, TRAIN, VAL, checkpoints=checkpoints, learning_rates=[0.3, 0.2, 0.1], batch_size=32)
    for t, checkpoint in enumerate(checkpoints):
        for (x, _), features, logits in (
            (TRAIN, f.features_train, f.logits_train),
            (VAL, f.features_val, f.logits_val),
        ):
            expected = forward(model, checkpoint, x)
            np.testing.assert_allclose(features[t], expected[0], atol=1e-6)
            np.testing.assert_allclose(logits[t], expected[1], atol=1e-6)
    np.testing.assert_array_equal(f.labels_train, TRAIN[1])
    np.testing.assert_array_equal(f.labels_val, VAL[1])
    np.testing.assert_array_equal(f.learning_rates, [0.3, 0.2, 0.1])
    assert f.batch_size == 32
    assert {a.dtype for a in (f.features_train, f.features_val, f.logits_train, f.logits_val)} == {np.dtype("float32")}
    assert f.labels_train.dtype == f.labels_val.dtype == np.int64


def test_without_checkpoints_the_model_as_it_is_counts():
    model = net()
    assert_same(
        extract_factors(model, TRAIN, VAL), extract_factors(net(1), TRAIN, VAL, checkpoints=[model.state_dict()])
    )


@pytest.mark.parametrize("trained_part", ["all", "head"])
def test_a_network_of_our_own_training_has_the_same_factors(trained_part):
    rng, head = np.random.default_rng(0), nn.Linear(8, CLASSES)
    block = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    read = torch.from_numpy(rng.normal(size=(100, 3, 8, 8)).astype(np.float32))
    if trained_part == "head":
        with torch.no_grad():
            read, block = block.eval()(read), nn.Identity()
    y, model, checkpoints = torch.from_numpy(rng.integers(CLASSES, size=70)), nn.Sequential(block, head), []
    readout = Readout(block, head, read[:70], read[70:])

    def on_checkpoint():
        readout()
        checkpoints.append(deepcopy(model.state_dict()))

    settings = Settings(epochs=3, learning_rate=0.1, batch_size=16, checkpoints=3)
    fit(block, head, read[:70], y, settings, rng, on_checkpoint)
    f = extract_factors(model, (read[:70], y), (read[70:], y[:30]), checkpoints=checkpoints)
    for mine, theirs in zip((f.features_train, f.features_val), readout.features, strict=True):
        np.testing.assert_allclose(mine, np.stack(theirs), rtol=1e-6, atol=1e-6)
    for mine, theirs in zip((f.logits_train, f.logits_val), readout.logits, strict=True):
        np.testing.assert_allclose(mine, np.stack(theirs), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("part", [None, lambda model: model.head], ids=["all", "head"])
@pytest.mark.parametrize("seed", range(2))
def test_tracin_is_that_of_autograd(bias, part, seed):
    model, rates = net(seed, bias=bias), [0.5, 0.3, 0.2]
    checkpoints = trained(model, part=part)
    expected = 0
    for rate, checkpoint in zip(rates, checkpoints, strict=True):
        model.load_state_dict(checkpoint)
        model.eval()
        gradients = []
        for x, y in (TRAIN, VAL):
            losses = F.cross_entropy(model(x), y, reduction="none")
            each = [torch.autograd.grad(loss, [*model.head.parameters()], retain_graph=True) for loss in losses]
            gradients.append(torch.stack([torch.cat([g.ravel() for g in one]) for one in each]))
        expected = expected + rate * gradients[0] @ gradients[1].T
    f = extract_factors(model, TRAIN, VAL, checkpoints=checkpoints, learning_rates=rates, bias=bias)
    found = Influence.from_factors(f, partial(TracIn, bias=bias)).matrix()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_frozen_trunk_is_kept_once():
    model = net()
    checkpoints = trained(model, part=lambda m: m.head)
    f = extract_factors(model, TRAIN, VAL, checkpoints=checkpoints)
    assert f.frozen
    assert f.n_checkpoints == 3
    np.testing.assert_allclose(f.features_train[0], forward(model, checkpoints[0], TRAIN[0])[0], atol=1e-6)
    assert np.abs(np.diff(f.logits_train, axis=0)).max() > 1e-3


def test_a_trunk_that_comes_back_is_not_frozen():
    model, (a, b, _) = net(), trained(net())
    f = extract_factors(model, TRAIN, VAL, checkpoints=[a, a, b, a])
    for t, checkpoint in enumerate([a, a, b, a]):
        np.testing.assert_allclose(f.features_val[t], forward(model, checkpoint, VAL[0])[0], atol=1e-6)


def test_a_trunk_that_changes_for_validation_samples_alone_is_not_frozen():
    model = nn.Sequential(nn.Embedding(6, 4), nn.Linear(4, 3))
    first, second = deepcopy(model.state_dict()), deepcopy(model.state_dict())
    second["0.weight"][5] += 1
    train, val = (np.arange(5), np.arange(5) % 3), (np.array([5]), np.array([0]))
    f = extract_factors(model, train, val, checkpoints=[first, second])
    np.testing.assert_array_equal(f.features_train, np.stack([s["0.weight"][:5] for s in (first, second)]))
    np.testing.assert_array_equal(f.features_val, np.stack([s["0.weight"][5:] for s in (first, second)]))


class Samples(Dataset):
    def __len__(self):
        return len(TRAIN[1])

    def __getitem__(self, i):
        return TRAIN[0][i].numpy(), int(TRAIN[1][i])


class Stream(IterableDataset):
    """The samples one by one, from another one on at each pass if it shuffles."""

    def __init__(self, shuffle=False):
        self.start, self.shuffle = 0, shuffle

    def __iter__(self):
        for i in np.roll(np.arange(len(TRAIN[1])), self.start):
            yield TRAIN[0][i], TRAIN[1][i]
        self.start += self.shuffle


@pytest.mark.parametrize(
    "train",
    [
        (TRAIN[0].numpy(), TRAIN[1].numpy().astype(np.uint8)),
        (TRAIN[0].numpy(), TRAIN[1].tolist()),
        (TRAIN[0].numpy()[::-1].copy()[::-1], TRAIN[1]),
        Samples(),
        Stream(),
        DataLoader(Samples(), 7),
        DataLoader(TensorDataset(*TRAIN), None, sampler=BatchSampler(SequentialSampler(TRAIN[1]), 40, False)),
        DataLoader(Samples(), batch_sampler=BatchSampler(SequentialSampler(TRAIN[1]), 40, False)),
    ],
    ids=[
        "arrays",
        "list of labels",
        "reversed view",
        "dataset",
        "stream",
        "loader",
        "batches of a tensor",
        "batch sampler",
    ],
)
def test_samples_come_in_many_forms(train):
    found, expected = (extract_factors(net(), t, VAL, checkpoints=trained(net(), 2)) for t in (train, TRAIN))
    np.testing.assert_array_equal(found.labels_train, expected.labels_train)
    np.testing.assert_allclose(found.features_train, expected.features_train, atol=1e-6)
    np.testing.assert_allclose(found.logits_train, expected.logits_train, atol=1e-6)


def test_inputs_may_be_of_any_type_and_have_gaps():
    x = TRAIN[0].double().numpy().copy()
    x[3, 1] = np.nan

    class Filling(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net().double()

        def forward(self, x):
            return self.net(torch.nan_to_num(x))

    f = extract_factors(Filling(), (x, TRAIN[1]), (VAL[0].double(), VAL[1]))
    assert f.logits_train.dtype == np.float32
    np.testing.assert_allclose(f.logits_val[0], net().eval()(VAL[0]).detach(), atol=1e-6)


@pytest.mark.parametrize("write", [save_file, torch.save, lambda state, path: torch.save({"state_dict": state}, path)])
def test_checkpoints_may_be_files(write, tmp_path):
    checkpoints, files = trained(net()), []
    for t, checkpoint in enumerate(checkpoints):
        files.append(tmp_path / f"{t}.{'safetensors' if write is save_file else 'pt'}")
        write(checkpoint, files[-1])
    expected = extract_factors(net(), TRAIN, VAL, checkpoints=checkpoints)
    assert_same(extract_factors(net(), TRAIN, VAL, checkpoints=files), expected)
    assert_same(extract_factors(net(), TRAIN, VAL, checkpoints=[str(f) for f in files]), expected)


class Touch:
    """Unpickling this makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_nothing_in_a_checkpoint_file_is_executed(tmp_path):
    torch.save({"state": Touch(tmp_path / "touched")}, tmp_path / "bad.pt")
    with pytest.raises(UserError, match=r"bad\.pt"):
        extract_factors(net(), TRAIN, VAL, checkpoints=[tmp_path / "bad.pt"])
    assert not (tmp_path / "touched").exists()


def centre_(logits):
    """log_softmax in place: what the layer gave is overwritten."""
    return logits.sub_(logits.logsumexp(1, keepdim=True))


@pytest.mark.parametrize("end", [nn.LogSoftmax(1), nn.Softmax(1), centre_, lambda z: z.view(len(z), -1)])
def test_the_last_layer_is_found_by_its_outputs(end):
    assert_same(extract_factors(net(end=end), TRAIN, VAL), extract_factors(net(), TRAIN, VAL))


@pytest.mark.parametrize("which", ["head", "alias", lambda model: model.head])
def test_the_last_layer_can_be_given(which):
    model = net(end=lambda logits: {"logits": logits})  # no tensor, so that it cannot be found
    model.alias = model.head
    layer = which(model) if callable(which) else which
    assert_same(extract_factors(model, TRAIN, VAL, last_layer=layer), extract_factors(net(), TRAIN, VAL))


def test_a_linear_model_is_its_own_last_layer():
    model = nn.Linear(4, CLASSES)
    f = extract_factors(model, TRAIN, VAL)
    np.testing.assert_array_equal(f.features_train[0], TRAIN[0])
    np.testing.assert_allclose(f.logits_val[0], model(VAL[0]).detach(), atol=1e-6)


def snapshot(model):
    return (
        {name: tensor.clone() for name, tensor in model.state_dict().items()},
        [module.training for module in model.modules()],
        [p.grad.clone() for p in model.parameters()],
        [id(p) for p in model.parameters()],
        [p.device for p in model.parameters()],
        torch.get_rng_state(),
    )


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("device", [None, "cpu", pytest.param("cuda", marks=pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no GPU"))])  # fmt: skip
def test_the_model_is_left_as_it_was(fails, device):
    model, checkpoints = net().train(), trained(net())
    model.trunk[1].eval()  # a frozen batch norm in a model in training
    F.cross_entropy(model(TRAIN[0]), TRAIN[1]).backward()
    before = snapshot(model)
    if fails:
        del checkpoints[2]["head.bias"]
        with pytest.raises(UserError, match=r"checkpoints\[2\].*head\.bias"):
            extract_factors(model, DataLoader(Samples()), VAL, checkpoints=checkpoints, device=device)
    else:
        extract_factors(model, DataLoader(Samples()), VAL, checkpoints=checkpoints, device=device)
    after = snapshot(model)
    for one, other in zip(before[0].values(), after[0].values(), strict=True):
        assert torch.equal(one, other)
    assert all(torch.equal(one, other) for one, other in zip(before[2], after[2], strict=True))
    assert before[1] == after[1]
    assert before[3:5] == after[3:5]
    assert torch.equal(before[5], after[5])
    assert not model.head._forward_hooks


class TwoHeads(Net):
    def __init__(self, combine):
        super().__init__()
        self.other, self.combine = nn.Linear(WIDTH, CLASSES), combine

    def forward(self, x):
        features = self.trunk(x)
        return self.combine(self.head(features), self.other(features))


class Sequence(nn.Module):
    """Reads a sequence; the head sees every step, or one after the other."""

    def __init__(self, way):
        super().__init__()
        self.head, self.way = nn.Linear(2, CLASSES), way

    def forward(self, x):
        steps = x.reshape(-1, 2, 2)
        if self.way == "flat":
            return self.head(steps.flatten(0, 1)).reshape(-1, 2, CLASSES).mean(1)
        return self.head(steps).mean(1) if self.way == "whole" else sum(self.head(steps[:, i]) for i in range(2))


def twins():
    model = TwoHeads(lambda a, b: b)
    model.other.load_state_dict(model.head.state_dict())
    return model


def unused():
    model = net(end=lambda logits: (logits,))
    model.spare = nn.Linear(WIDTH, CLASSES)
    return model


@pytest.mark.parametrize(
    ("model", "last_layer", "message"),
    [
        (lambda: TwoHeads(lambda a, b: a + b), None, r"output is none of .* 'head' \(5 -> 3\), 'other' \(5 -> 3\)"),
        (lambda: TwoHeads(lambda a, b: a + b), "head", "'head' does not give the model's output"),
        (lambda: TwoHeads(lambda a, b: (a, b)), None, r"no tensor; name one of 'trunk\.0' \(4 -> 5\), 'head'"),
        (lambda: net(end=lambda z: z / 2), None, "output is none of"),
        (twins, None, r"gives the model's output alone; name one of"),
        (net, "trunk.0", r"'trunk\.0' does not give"),
        (net, "trunk.1", r"'trunk\.1' is of type BatchNorm1d, not nn\.Linear"),
        (net, "haed", "no 'haed'; did you mean 'head'"),
        (net, nn.Linear(WIDTH, CLASSES), "the model has no such layer"),
        (lambda: net(bias=False), None, r"'head' has no bias.*bias=False"),
        (lambda: nn.Sequential(nn.Linear(4, 1)), None, "'0' has 1 output"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Tanh()), None, r"no nn\.Linear"),
        (unused, "spare", "'spare' runs never"),
        (lambda: Sequence("each"), "head", "'head' does not give"),
        (lambda: nn.Sequential(nn.Unflatten(1, (2, 2)), nn.Linear(2, CLASSES)), None, r"reads \(64, 2, 2\)"),
    ],
)
def test_layers_that_do_not_fit(model, last_layer, message):
    with pytest.raises(UserError, match=message):
        extract_factors(model(), TRAIN, VAL, last_layer=last_layer)


@pytest.mark.parametrize(
    ("way", "message"), [("flat", r"reads \(128, 2\) for a batch of 64"), ("whole", r"\(64, 2, 2\)"), ("each", "2 tim")]
)
def test_a_layer_must_read_one_vector_a_sample(way, message):
    model = nn.Sequential(Sequence(way), Wrapped())  # its output is no tensor, so that nothing else stops it
    with pytest.raises(UserError, match=message):
        extract_factors(model, TRAIN, VAL, last_layer="0.head")


class Wrapped(nn.Module):
    def forward(self, x):
        return {"logits": x}


def augmented():
    class Augmented(Samples):
        def __getitem__(self, i):
            return TRAIN[0][i] + torch.randn(4), int(TRAIN[1][i])

    return Augmented()


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (DataLoader(Samples(), 8, shuffle=True), "RandomSampler.*shuffle=False"),
        (DataLoader(Samples(), 8, sampler=torch.utils.data.WeightedRandomSampler([1.0] * 150, 150)), "WeightedRandom"),
        (DataLoader(Samples(), 64, drop_last=True), "drop_last=False"),
        (Stream(shuffle=True), "first batch differs"),
        (augmented(), "augmentation"),
        (TRAIN[0], r"not Tensor"),
        ((TRAIN[0], TRAIN[1][:-1]), r"inputs \(150, 4\) and labels \(149,\)"),
        ((TRAIN[0], TRAIN[1] + 1), r"label 3 is not among 0\.\.2"),
        ((TRAIN[0], TRAIN[1] - 1), r"label -1 is not among"),
        ((TRAIN[0], TRAIN[1].float()), r"integers.*torch\.float32"),
        ((TRAIN[0], TRAIN[1] > 0), r"integers.*torch\.bool"),
        ((TRAIN[0], F.one_hot(TRAIN[1])), r"labels \(150, 3\)"),
        ((TRAIN[0], np.array(["cat"] * 150)), "dtype <U3"),
        ((TRAIN[0][:0], TRAIN[1][:0]), "no samples"),
        (DataLoader(TensorDataset(*TRAIN, TRAIN[1]), 8), r"must be \(inputs, labels\)"),
    ],
)
def test_samples_that_do_not_fit(train, message):
    for part, data in (("train", (train, VAL)), ("val", (VAL, train))):
        with pytest.raises(UserError, match=f"^extract_factors: {part}: .*{message}"):
            extract_factors(net(), *data, checkpoints=trained(net()))


def without(name):
    return {k: v for k, v in net(1).state_dict().items() if k != name}


def test_checkpoints_that_do_not_fit(tmp_path):
    wide = deepcopy(net(1).state_dict()) | {"head.weight": torch.zeros(7, WIDTH), "head.bias": torch.zeros(7)}
    extra = net(1).state_dict() | {"extra": torch.zeros(1)}
    model = net()
    torch.save([1, 2], tmp_path / "list.pt")
    for checkpoints, message in (
        ([without("trunk.0.bias")], r"checkpoints\[0\] does not fit the model: it lacks 'trunk\.0\.bias'"),
        ([without(""), extra], r"checkpoints\[1\] does not fit the model, which has no 'extra'"),
        ([wide], r"size mismatch for head\.weight: .*\[7, 5\]"),
        ([], "list of one or more"),
        (net(1).state_dict(), "list of one or more"),
        ("last.pt", "list of one or more"),
        ([tmp_path / "missing.pt"], r"missing\.pt"),
        ([tmp_path / "list.pt"], r"list\.pt"),
        ([model.state_dict(), model.state_dict()], r"checkpoints\[0\]: it holds the model's own tensors.*deepcopy"),
    ):
        with pytest.raises(UserError, match=message):
            extract_factors(model, TRAIN, VAL, checkpoints=checkpoints)


@pytest.mark.parametrize(
    ("rates", "message"), [([0.1, 0.2], "2 for 3"), (float("nan"), "finite"), ([0.1, -0.1, 0], "not negative")]
)
def test_learning_rates_that_do_not_fit(rates, message):
    with pytest.raises(UserError, match=message):
        extract_factors(net(), TRAIN, VAL, checkpoints=trained(net()), learning_rates=rates)


def test_a_model_that_diverged_is_named_as_such():
    checkpoints = trained(net())
    checkpoints[1]["head.weight"][:] = torch.nan
    with pytest.raises(CellError, match="NaN or infinite"):
        extract_factors(net(), TRAIN, VAL, checkpoints=checkpoints)


def test_the_example_in_the_documentation(tmp_path):
    """Flipped labels are found far above chance, .10."""
    script, more = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "own-model.md").read_text(), re.DOTALL)
    assert len(script.splitlines()) < 60
    code = "import torch\ntorch.set_num_threads(1)\n" + script + more + "assert len(scores.score) == 1200\n"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    precision = {name: float(value) for name, value in re.findall(r"(\w+): precision ([\d.]+)", done.stdout)}
    assert precision["cnci"] > 0.7
    assert precision["si"] > 0.5
    assert float(re.search(r"right label for ([\d.]+)", done.stdout)[1]) > 0.8
    loaded = Factors.from_arrays(np.load(tmp_path / "factors.npz"))
    assert (loaded.n_train, loaded.n_val, loaded.n_classes, loaded.n_checkpoints) == (1200, 400, 10, 10)
