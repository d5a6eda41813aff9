"""Models: the libraries' own networks in parts, and what training changes in them."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from rtdl_revisiting_models import FTTransformer, ResNet
from torch import nn
from torchvision.models import convnext_tiny, vit_b_16

from glitchmark import registry
from glitchmark.errors import CellError
from glitchmark.training.classifier import build, train_and_read
from glitchmark.training.inputs import forward
from glitchmark.training.sgd import Settings
from glitchmark.training.weights import load_weights

CLASSES = 5
SHAPES = {"vit_b_16": (3, 224, 224), "convnext_t": (3, 32, 32), "ft_transformer": (7,), "resnet": (7,), "mlp": (7,)}
FEATURES = {"vit_b_16": 768, "convnext_t": 768, "ft_transformer": 192, "resnet": 192, "mlp": 64}
TABLES = ("ft_transformer", "resnet")


def built(name, seed=0, **params):
    return build({"name": name, "params": params}, SHAPES[name], CLASSES, seed, ("data", name), None)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """On a busy machine, threads that wait for each other take longer."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def vit():
    """Built once; no test changes it."""
    return built("vit_b_16")


@pytest.fixture(params=SHAPES)
def parts(request):
    return request.getfixturevalue("vit") if request.param == "vit_b_16" else built(request.param)


def inputs(shape, n=2, seed=0):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed))


def own_forward(name, parts):
    """The library's own model with the weights of ``parts``, in eval mode."""
    state = parts.network.state_dict()
    if name in TABLES:
        output = {"ft_transformer": "backbone.output", "resnet": "output"}[name]
        state = {k.removeprefix("backbone."): v for k, v in state.items() if k.startswith("backbone.")}
        state |= {f"{output}.linear.{k}": v for k, v in parts.head.state_dict().items()}
    if name == "vit_b_16":
        model = vit_b_16(num_classes=CLASSES)
    elif name == "convnext_t":
        model = convnext_tiny(num_classes=CLASSES)
    elif name == "resnet":
        sizes = {"n_blocks": 2, "d_block": 192, "d_hidden_multiplier": 2.0, "dropout1": 0.15, "dropout2": 0.0}
        model = ResNet(d_in=7, d_out=CLASSES, **sizes)
    else:
        sizes = FTTransformer.get_default_kwargs()
        model = FTTransformer(n_cont_features=7, cat_cardinalities=[], d_out=CLASSES, **sizes)
    model.load_state_dict(state)  # strict: no layer is left out and none is left over
    model.eval()
    return (lambda x: model(x, None)) if name == "ft_transformer" else model


@pytest.mark.parametrize("name", ["convnext_t", "ft_transformer", "resnet", "vit_b_16"])
@torch.no_grad()
def test_the_parts_compute_what_the_librarys_model_does(name, vit):
    parts = vit if name == "vit_b_16" else built(name)
    parts.network.eval()
    x = inputs(SHAPES[name])
    features = parts.block(parts.stem(x))
    assert features.shape == (2, FEATURES[name])
    assert isinstance(parts.head, nn.Linear)
    logits = parts.head(features)
    assert logits.shape == (2, CLASSES)
    assert logits.std() > 0.01
    torch.testing.assert_close(logits, own_forward(name, parts)(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["ft_transformer", "resnet", "convnext_t"])
def test_the_trunk_of_a_trained_network_is_the_librarys_too(name):
    """Running statistics and layer scales have left the values that they begin with."""
    parts = built(name)
    y = torch.arange(12) % CLASSES
    train_and_read(parts, "all", inputs(SHAPES[name], 12), y, (), Settings(1, 0.05, 6, 1), np.random.default_rng(0))
    parts.network.eval()
    x = inputs(SHAPES[name], seed=1)
    with torch.no_grad():
        torch.testing.assert_close(
            parts.head(parts.block(parts.stem(x))), own_forward(name, parts)(x), rtol=1e-5, atol=1e-6
        )


def test_network_owns_every_part_and_the_head_has_its_prefix(parts):
    named = dict(parts.network.named_parameters())
    inside = {id(p) for p in (*parts.stem.parameters(), *parts.block.parameters())}
    head = {id(p) for p in parts.head.parameters()}
    assert not inside & head
    assert {id(p) for p in named.values()} == inside | head
    assert {id(p) for n, p in named.items() if n.startswith(parts.head_prefix)} == head
    assert {n for n in parts.network.state_dict() if n.startswith(parts.head_prefix)} == {
        f"{n}" for n, p in named.items() if id(p) in head
    }


@pytest.mark.parametrize("name", SHAPES)
def test_what_can_be_trained(name, vit):
    plugin = registry.load("model", name)
    assert plugin.name == name
    image = len(SHAPES[name]) == 3
    assert plugin.info["trained"] == (("head", "all") if image else ("all",))
    assert plugin.info["modality"] == ("image" if image else "table")
    parts = vit if name == "vit_b_16" else built(name)
    parts.network.eval()
    x = inputs(SHAPES[name], 1)
    trunk = {id(p) for p in (*parts.stem.parameters(), *parts.block.parameters())}
    with torch.no_grad():
        features = parts.block(parts.stem(x))
        for trained in plugin.info["trained"]:
            frozen, block = parts.split(trained)
            torch.testing.assert_close(block(frozen(x)), features)
            assert {id(p) for p in block.parameters()} == (trunk if trained == "all" else set())


def test_a_frozen_trunk_stays_bit_for_bit():
    parts = built("convnext_t")
    before = {name: value.clone() for name, value in parts.network.state_dict().items()}
    frozen, _ = parts.split("head")
    features = forward(frozen, inputs(SHAPES["convnext_t"], 12))
    y = torch.arange(12) % CLASSES
    train_and_read(parts, "head", features, y, (), Settings(2, 0.1, 6, 1), np.random.default_rng(0))
    for name, value in parts.network.state_dict().items():
        assert torch.equal(value, before[name]) != name.startswith("classifier.2."), name


@pytest.mark.parametrize("name", ["ft_transformer", "resnet"])
def test_dropout_is_a_function_of_the_seed(name):
    """Two trainings with one seed give the same bytes, whatever was drawn before; another seed gives others."""

    def trained(seed):
        parts = built(name)  # the same initial weights for all
        x, y = inputs(SHAPES[name], 24), torch.arange(24) % CLASSES
        one_batch = Settings(2, 0.05, 24, 1)  # so that the order of the samples changes next to nothing
        readout, losses = train_and_read(parts, "all", x, y, (), one_batch, np.random.default_rng(seed))
        return readout.features[0][-1], losses

    features, losses = trained(0)
    torch.manual_seed(99)
    torch.rand(10)
    again, losses_again = trained(0)
    np.testing.assert_array_equal(features, again)
    assert losses == losses_again
    for seed in (1, 2):
        other, losses_other = trained(seed)
        assert np.abs(features - other).max() > 1e-4
        assert abs(losses[0] - losses_other[0]) > 1e-4


@pytest.mark.parametrize(
    ("name", "rate", "batch"), [("ft_transformer", 0.05, 20), ("resnet", 0.05, 20), ("mlp", 0.1, 10)]
)
def test_models_for_tables_learn(name, rate, batch):
    parts = built(name)
    x = inputs(SHAPES[name], 200)
    y = (x[:, 0] > 0) + 2 * (x[:, 1] > 0).long()
    readout, losses = train_and_read(parts, "all", x, y, (), Settings(12, rate, batch, 1), np.random.default_rng(0))
    assert losses[0] > 0.9 > 0.5 > losses[-1]
    assert (readout.logits[0][-1].argmax(1) == y.numpy()).mean() > 0.9


def test_initial_weights_are_a_function_of_the_seed(vit):
    again = built("vit_b_16")
    assert all(torch.equal(p, q) for p, q in zip(vit.network.parameters(), again.network.parameters(), strict=True))
    assert not torch.equal(built("ft_transformer", 0).head.weight, built("ft_transformer", 1).head.weight)


def test_vit_reads_weights_under_their_published_names(vit, tmp_path):
    """torchvision's file of 2022 has linear_1 and linear_2 where its model has 0 and 3 since, and a head of 1000."""
    state = {k: v for k, v in vit.network.state_dict().items() if not k.startswith("heads.")}
    for new, old in ((".mlp.0.", ".mlp.linear_1."), (".mlp.3.", ".mlp.linear_2.")):
        state = {k.replace(new, old): v for k, v in state.items()}
    assert "encoder.layers.encoder_layer_11.mlp.linear_2.bias" in state
    state |= {"heads.head.weight": torch.zeros(1000, 768), "heads.head.bias": torch.zeros(1000)}
    file = tmp_path / "vit.pth"
    torch.save(state, file)
    parts = built("vit_b_16", 1)
    head = parts.head.weight.clone()
    load_weights(parts, file)
    own = parts.network.state_dict()
    for name, value in vit.network.state_dict().items():
        assert torch.equal(own[name], value) != name.startswith("heads."), name
    assert torch.equal(parts.head.weight, head)


@pytest.mark.parametrize(
    ("name", "shape", "sentence"),
    [
        ("vit_b_16", (3, 28, 28), r"28 x 28; set 'input_size'"),
        ("vit_b_16", (3, 32, 64), r"square"),
        ("convnext_t", (3, 28, 28), r"28 x 28; set 'input_size'"),
    ],
)
def test_images_of_a_size_that_cannot_be_read(name, shape, sentence):
    with pytest.raises(CellError, match=sentence):
        registry.load("model", name).function(shape, CLASSES)


@pytest.mark.parametrize("blocks", [0, 7])
def test_ft_transformer_has_default_sizes_for_some_depths(blocks):
    with pytest.raises(CellError, match="between 1 and 6"):
        built("ft_transformer", n_blocks=blocks)


def test_ft_transformer_can_compress_keys_and_values():
    full, compressed = built("ft_transformer"), built("ft_transformer", kv_compression=0.5)
    weights = {n: p.shape for n, p in compressed.network.named_parameters() if "compression" in n}
    assert set(weights.values()) == {(4, 8)}  # 7 columns and the class token, halved
    assert len(weights) == 6  # keys and values of three blocks
    assert not any("compression" in n for n, _ in full.network.named_parameters())
    compressed.network.eval()
    assert compressed.block(inputs((7,))).shape == (2, 192)
    with pytest.raises(CellError, match=r"kv_compression: 1\.5"):
        built("ft_transformer", kv_compression=1.5)


def test_importing_a_model_does_not_import_torch():
    modules = ", ".join(f"glitchmark.models.{name}" for name in SHAPES)
    code = f"import sys, {modules}; assert not {{'torch', 'torchvision', 'rtdl_revisiting_models'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
