"""Models for tables: their sizes are the library's where the config says nothing, and the config's where it does."""

import numpy as np
import pytest
import torch
from rtdl_revisiting_models import MLP, FTTransformer, ResNet
from torch import nn

from glitchmark import registry
from glitchmark.errors import CellError, UserError
from glitchmark.training.classifier import train_and_read
from glitchmark.training.network import build
from glitchmark.training.settings import Settings

D, CLASSES = 5, 3
SMALL = {
    "mlp": {"n_blocks": 1, "d_block": 16},
    "resnet": {"n_blocks": 1, "d_block": 12, "d_hidden_multiplier": 1.5},
    "ft_transformer": {"n_blocks": 1, "d_block": 12, "attention_n_heads": 3},
}


def built(name, seed=0, d=D, **params):
    return build({"name": name, "params": params}, (d,), CLASSES, seed, ("data", name), None)


def librarys(name, **sizes):
    """The library's own model; ``sizes`` as its README prints them where they are not given."""
    if name == "mlp":
        return MLP(d_in=D, d_out=CLASSES, **({"n_blocks": 2, "d_block": 384, "dropout": 0.1} | sizes))
    if name == "resnet":
        readme = {"n_blocks": 2, "d_block": 192, "d_hidden_multiplier": 2.0, "dropout1": 0.15, "dropout2": 0.0}
        return ResNet(d_in=D, d_out=CLASSES, **(readme | sizes))
    readme = {"n_blocks": 3, "d_block": 192, "attention_n_heads": 8, "attention_dropout": 0.2, "ffn_d_hidden": None}
    readme |= {"ffn_d_hidden_multiplier": 4 / 3, "ffn_dropout": 0.1, "residual_dropout": 0.0}
    return FTTransformer(n_cont_features=D, cat_cardinalities=[], d_out=CLASSES, **(readme | sizes))


def shapes(network):
    return sorted(tuple(p.shape) for p in network.parameters())


def dropout_rates(network):
    return sorted(m.p for m in network.modules() if isinstance(m, nn.Dropout))


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("name", "params", "sizes"),
    [
        ("mlp", {}, {}),
        ("mlp", {"n_blocks": 3, "d_block": 20, "dropout": 0.3}, {"n_blocks": 3, "d_block": 20, "dropout": 0.3}),
        ("resnet", {}, {}),
        (
            "resnet",
            {"n_blocks": 1, "d_block": 10, "d_hidden_multiplier": 1.25, "dropout1": 0.4, "dropout2": 0.2},
            {"n_blocks": 1, "d_block": 10, "d_hidden_multiplier": 1.25, "dropout1": 0.4, "dropout2": 0.2},
        ),
        ("ft_transformer", {}, {}),
        (
            "ft_transformer",
            {"n_blocks": 1},
            {"n_blocks": 1, "d_block": 96, "attention_dropout": 0.1, "ffn_dropout": 0.0},
        ),
        (
            "ft_transformer",
            {"n_blocks": 2, "d_block": 12, "attention_n_heads": 3, "ffn_d_hidden_multiplier": 2.5},
            {
                "n_blocks": 2,
                "d_block": 12,
                "attention_n_heads": 3,
                "ffn_d_hidden_multiplier": 2.5,
                "attention_dropout": 0.15,
                "ffn_dropout": 0.05,
            },
        ),
    ],
)
def test_sizes_are_those_of_the_library_or_of_the_config(name, params, sizes):
    ours, theirs = built(name, **params).network, librarys(name, **sizes)
    assert shapes(ours) == shapes(theirs)
    assert dropout_rates(ours) == dropout_rates(theirs)


@torch.no_grad()
@pytest.mark.parametrize("heads", [1, 2, 6])
def test_the_number_of_heads_reaches_the_attention(heads):
    """It changes no shape (one head alone drops a layer), so only the outputs tell."""
    parts = built("ft_transformer", n_blocks=2, d_block=12, attention_n_heads=heads)
    state = {k.removeprefix("backbone."): v for k, v in parts.network.state_dict().items() if k.startswith("backbone.")}
    state |= {f"backbone.output.linear.{k}": v for k, v in parts.head.state_dict().items()}
    x = torch.randn(4, D, generator=torch.Generator().manual_seed(0))
    parts.network.eval()
    logits = parts.head(parts.block(x))
    for other in (1, 2, 6):
        model = librarys("ft_transformer", n_blocks=2, d_block=12, attention_n_heads=other)
        if set(model.state_dict()) == set(state):
            model.load_state_dict(state)
            model.eval()
            assert torch.allclose(model(x, None), logits, atol=1e-6) == (other == heads)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("d", [1, 13, 54])
def test_small_networks_take_few_samples_of_any_width(name, d):
    """33 samples in batches of 8 leave a last batch of one, which batch norm cannot train on."""
    rng = np.random.default_rng(d)
    x = torch.from_numpy(rng.normal(size=(33, d)).astype(np.float32))
    y = torch.from_numpy(np.digitize(x[:, 0].numpy(), [-0.5, 0.5]))
    parts = built(name, d=d, **SMALL[name])
    settings = Settings(4, 0.05, 8, 2)
    readout, losses = train_and_read(parts.block, parts.head, x, y, (x[:7],), settings, rng)
    assert len(losses) == 4
    width = SMALL[name]["d_block"]
    assert [f.shape for f in readout.features[1]] == [(7, width)] * 2
    first, last = readout.features[0]
    assert np.isfinite(last).all()
    assert np.abs(last - first).max() > 1e-4
    np.testing.assert_allclose(readout.logits[1][-1], readout.logits[0][-1][:7], atol=1e-5)  # a sample's own, in eval


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("batch", [4, 24])
def test_a_training_repeats_bit_for_bit(name, batch):
    """Also where dropout draws, and after other draws from PyTorch's generator."""
    x = torch.randn(24, D, generator=torch.Generator().manual_seed(1))
    y = torch.arange(24) % CLASSES

    def logits(seed):
        parts = built(name, **SMALL[name])
        readout, _ = train_and_read(
            parts.block, parts.head, x, y, (), Settings(3, 0.1, batch, 1), np.random.default_rng(seed)
        )
        return readout.logits[0][-1]

    first = logits(0)
    torch.rand(7)
    np.testing.assert_array_equal(logits(0), first)
    assert np.abs(logits(1) - first).max() > 1e-4


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_dropout_of_zero_draws_nothing(rate):
    parts = built("mlp", d_block=64, dropout=rate)
    parts.block.train()
    x = torch.randn(6, D, generator=torch.Generator().manual_seed(2))
    assert torch.equal(parts.block(x), parts.block(x)) == (rate == 0)


@pytest.mark.parametrize(
    ("name", "params", "sentence"),
    [
        ("mlp", {"n_blocks": 0}, "n_blocks: 0 must be a whole number of at least 1"),
        ("mlp", {"d_block": -4}, "d_block: -4 must be"),
        ("mlp", {"dropout": 1.0}, r"dropout: 1\.0 must be at least 0"),
        ("mlp", {"dropout": float("nan")}, "dropout: nan"),
        ("resnet", {"n_blocks": 0}, "n_blocks: 0"),
        ("resnet", {"d_block": 0}, "d_block: 0"),
        ("resnet", {"d_hidden_multiplier": 0.0}, r"d_hidden_multiplier: 0\.0"),
        ("resnet", {"d_block": 8, "d_hidden_multiplier": 0.1}, r"d_hidden_multiplier: 0\.1 of d_block 8 leaves no"),
        ("resnet", {"dropout1": -0.1}, r"dropout1: -0\.1"),
        ("resnet", {"dropout2": 2}, "dropout2: 2"),
        ("ft_transformer", {"n_blocks": 7}, "n_blocks: 7 must be between 1 and 6"),
        ("ft_transformer", {"d_block": -8}, "d_block: -8"),
        ("ft_transformer", {"d_block": 20}, "d_block: 20 must be a multiple of attention_n_heads, which is 8"),
        ("ft_transformer", {"attention_n_heads": 5}, "d_block: 192 must be a multiple"),
        ("ft_transformer", {"attention_n_heads": 0}, "attention_n_heads: 0"),
        ("ft_transformer", {"ffn_d_hidden_multiplier": -1.0}, r"ffn_d_hidden_multiplier: -1\.0"),
        ("ft_transformer", {"d_block": 8, "ffn_d_hidden_multiplier": 0.1}, "leaves no hidden unit"),
        ("ft_transformer", {"kv_compression": 1.0}, r"kv_compression: 1\.0"),
    ],
)
def test_a_size_that_no_network_has_fails_with_one_sentence(name, params, sentence):
    with pytest.raises(CellError, match=sentence) as caught:
        built(name, **params)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [("mlp", "d_block", 12.5), ("resnet", "dropout1", "high"), ("ft_transformer", "attention_n_heads", True)],
)
def test_a_size_of_another_type_is_found_in_the_config(name, key, value):
    with pytest.raises(UserError, match=rf"config: models\[0\]\.{key}: "):
        registry.load("model", name).check_parameters({key: value}, "config: models[0]")
