"""Networks, weights, SGD and the readout of its checkpoints."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from glitchmark import registry
from glitchmark.errors import CellError, UserError
from glitchmark.training.classifier import train_and_read
from glitchmark.training.inputs import forward, image_tensor
from glitchmark.training.network import build
from glitchmark.training.settings import Settings, checkpoint_epochs
from glitchmark.training.sgd import fit

RESNET = {"name": "resnet20", "params": {}}


def resnet(seed=0, weights=None):
    return build(RESNET, (3, 8, 8), 10, seed, ("digits", "resnet20"), weights)


def state_of(parts):
    """Weights as a file holds them."""
    return {name: tensor.contiguous() for name, tensor in parts.network.state_dict().items()}


def images(seed, n=24):
    rng = np.random.default_rng(seed)
    return image_tensor(rng.integers(0, 256, (n, 8, 8), dtype=np.uint8)), torch.from_numpy(rng.integers(10, size=n))


def test_resnet20_is_the_published_one():
    parts = resnet()
    names = set(parts.network.state_dict())
    assert {"conv1.weight", "bn1.running_mean", "layer3.2.conv2.weight", "fc.bias"} <= names
    assert sum(p.numel() for p in parts.network.parameters()) == 269_722  # 0.27 M, table 6 of the paper
    x, _ = images(0)
    whole = parts.head(parts.block(parts.stem(x)))
    for trained in ("all", "last_block", "head"):
        frozen, block = parts.split(trained)
        torch.testing.assert_close(parts.head(block(frozen(x))), whole)
    frozen, block = parts.split("last_block")
    trainable = {id(p) for p in block.parameters()}
    assert trainable == {id(p) for n, p in parts.network.named_parameters() if n.startswith("layer3.2")}


def test_option_a_shortcut_subsamples_and_pads():
    from glitchmark.models._cifar_resnet import BasicBlock

    block = BasicBlock(4, 8, 2)
    nn.init.zeros_(block.bn2.weight)  # the residual branch vanishes
    x = torch.rand(2, 4, 6, 6)
    out = block.eval()(x)
    torch.testing.assert_close(out[:, 2:6], x[:, :, ::2, ::2])
    assert out[:, :2].abs().sum() == out[:, 6:].abs().sum() == 0


@pytest.mark.parametrize(
    ("epochs", "kept", "expected"),
    [(7, 10, list(range(1, 8))), (10, 5, [2, 4, 6, 8, 10]), (7, 3, [2, 5, 7]), (3, 1, [3])],
)
def test_checkpoints_are_evenly_spaced_and_end_with_the_last(epochs, kept, expected):
    assert checkpoint_epochs(epochs, kept) == expected


@pytest.mark.parametrize("epochs", range(1, 40))
@pytest.mark.parametrize("kept", [1, 2, 7, 10])
def test_checkpoint_cap_holds(epochs, kept):
    chosen = checkpoint_epochs(epochs, kept)
    assert len(chosen) == min(epochs, kept)
    assert chosen[-1] == epochs
    assert np.ptp(np.diff([0, *chosen])) <= 1


@pytest.mark.parametrize("seed", range(3))
def test_fit_is_plain_sgd(seed):
    """Against the update rule written out: no momentum, no decay, mean gradient of each batch."""
    torch.manual_seed(seed)
    head, x, y = nn.Linear(5, 3), torch.randn(20, 5), torch.randint(3, (20,))
    w, b = head.weight.detach().clone().double(), head.bias.detach().clone().double()
    losses = fit(nn.Identity(), head, x, y, Settings(3, 0.2, 8, 1), np.random.default_rng(seed))
    rng = np.random.default_rng(seed)
    for _ in range(3):
        order = rng.permutation(20)
        for start in range(0, 20, 8):
            rows = order[start : start + 8]
            d = torch.softmax(x[rows].double() @ w.T + b, 1) - F.one_hot(y[rows], 3)
            w -= 0.2 * d.T @ x[rows].double() / len(rows)
            b -= 0.2 * d.mean(0)
    torch.testing.assert_close(head.weight.double(), w, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(head.bias.double(), b, rtol=1e-4, atol=1e-5)
    assert len(losses) == 3


def test_readout_is_in_eval_mode_at_every_checkpoint():
    parts = resnet()
    (x, y), (x_val, _) = images(1), images(2)
    _, block = parts.split("all")
    settings = Settings(4, 0.01, 8, 2)
    readout, _ = train_and_read(block, parts.head, x, y, (x_val,), settings, np.random.default_rng(0))
    assert [len(f) for f in readout.features] == [len(g) for g in readout.logits] == [2, 2]
    features = forward(block, x_val)
    np.testing.assert_array_equal(readout.features[1][-1], features.numpy())
    np.testing.assert_allclose(readout.logits[1][-1], parts.head(features).detach().numpy(), atol=1e-6)
    one_by_one = torch.cat([forward(block, x_val[i : i + 1]) for i in range(len(x_val))])
    torch.testing.assert_close(one_by_one, features, rtol=1e-4, atol=1e-5)  # no statistic of the batch


def test_frozen_layers_stay_as_they_were(tmp_path):
    save_file(state_of(resnet(5)), tmp_path / "w.safetensors")
    parts = resnet(0, tmp_path / "w.safetensors")
    before = {k: v.clone() for k, v in parts.network.state_dict().items()}
    x, y = images(3)
    frozen, block = parts.split("last_block")
    settings = Settings(2, 0.1, 8, 1)
    train_and_read(block, parts.head, forward(frozen, x), y, (), settings, np.random.default_rng(0))
    for name, value in parts.network.state_dict().items():
        changed = not torch.equal(value, before[name])
        assert changed == name.startswith(("layer3.2.", "fc.")), name


def test_frozen_features_are_kept_once():
    parts = resnet()
    x, y = images(0)
    frozen, block = parts.split("head")
    features, settings = forward(frozen, x), Settings(3, 0.1, 8, 3)
    readout, _ = train_and_read(block, parts.head, features, y, (), settings, np.random.default_rng(0))
    assert len(readout.features[0]) == 1
    assert len(readout.logits[0]) == 3
    np.testing.assert_array_equal(readout.features[0][0], features.numpy())


def test_initial_weights_are_a_function_of_seed_and_cell():
    a, b, c = resnet(1), resnet(1), resnet(2)
    torch.manual_seed(99)
    again = resnet(1)
    for x, y in ((a, b), (a, again)):
        assert all(torch.equal(p, q) for p, q in zip(x.network.parameters(), y.network.parameters(), strict=True))
    assert not torch.equal(a.head.weight, c.head.weight)


def test_weights_fill_everything_but_the_head(tmp_path):
    other = resnet(7)
    save_file(state_of(other), tmp_path / "w.safetensors")
    parts = resnet(0, tmp_path / "w.safetensors")
    assert torch.equal(parts.stem[0].weight, other.stem[0].weight)
    assert not torch.equal(parts.head.weight, other.head.weight)
    assert torch.equal(parts.head.weight, resnet(0).head.weight)


@pytest.mark.parametrize("damage", ["shape", "missing", "garbage", "absent"])
def test_unsuitable_weights_name_the_first_layer_or_the_file(damage, tmp_path):
    state, file = state_of(resnet(7)), tmp_path / "w.safetensors"
    if damage == "shape":
        state["layer2.0.conv1.weight"] = torch.zeros(1, 2)
    if damage == "missing":
        del state["layer2.0.conv1.weight"]
    save_file(state, file)
    if damage == "garbage":
        file.write_bytes(b"not a safetensors file")
    if damage == "absent":
        file.unlink()
    with pytest.raises(UserError, match="layer2.0.conv1.weight" if damage in ("shape", "missing") else "w.safetensors"):
        resnet(0, file)


def test_divergence_names_epoch_rate_and_advice():
    x, y = images(0)
    parts = resnet()
    _, block = parts.split("all")
    with pytest.raises(CellError, match=r"epoch \d+ with learning rate 1e\+20.*smaller learning_rate"):
        fit(block, parts.head, x, y, Settings(5, 1e20, 8, 1), np.random.default_rng(0))


def test_a_last_batch_of_one_sample_is_left_out():
    x, y = images(0, n=17)
    parts = resnet()
    _, block = parts.split("all")
    fit(block, parts.head, x, y, Settings(1, 0.1, 8, 1), np.random.default_rng(0))


def test_image_tensor_scales_repeats_and_resizes():
    grey = np.array([[[0, 255], [51, 204]]], np.uint8)
    expected = torch.tensor([[-1.0, 1.0], [-0.6, 0.6]])
    torch.testing.assert_close(image_tensor(grey), expected.expand(1, 3, 2, 2))
    colour = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 3), dtype=np.uint8)
    torch.testing.assert_close(image_tensor(colour)[1, 2, 3, 5], torch.tensor(colour[1, 3, 5, 2] / 127.5 - 1).float())
    assert image_tensor(colour, 5).shape == (2, 3, 5, 5)


@pytest.mark.parametrize("name", registry.names("model"))
def test_importing_a_model_does_not_import_torch(name):
    import subprocess
    import sys

    code = (
        f"import sys; from glitchmark.registry import load; load('model', {name!r}); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_a_network_draws_itself_is_the_cells_own():
    """Dropout does not depend on what ran before in the same process, and differs between cells."""
    x, y = torch.randn(40, 6), torch.randint(3, (40,))

    def train(seed):
        cell = ("wine", "mlp")
        parts = build({"name": "mlp", "params": {"dropout": 0.5}}, (6,), 3, 0, cell, None)
        _, block = parts.split("all")
        fit(block, parts.head, x, y, Settings(3, 0.1, 8, 1), np.random.default_rng(seed))
        return forward(parts.head, forward(block, x)).numpy()

    first = train(0)
    torch.rand(7)
    np.testing.assert_array_equal(train(0), first)
    assert not np.array_equal(train(1), first)


def test_batches_of_one_sample_train():
    head = nn.Linear(5, 3)
    before = head.weight.detach().clone()
    losses = fit(
        nn.Identity(), head, torch.randn(6, 5), torch.randint(3, (6,)), Settings(2, 0.1, 1, 1), np.random.default_rng(0)
    )
    assert not torch.equal(head.weight, before)
    assert all(loss > 0 for loss in losses)
