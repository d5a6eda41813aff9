"""Models: the libraries' own networks in parts, and what training changes in them."""

import subprocess
import sys
from copy import deepcopy

import numpy as np
import pytest
import timm
import torch
from rtdl_revisiting_models import FTTransformer, ResNet
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision.models import convnext_tiny, resnet18, resnet34, vit_b_16

from glitchmark import registry
from glitchmark.errors import CellError
from glitchmark.training.classifier import train_and_read
from glitchmark.training.inputs import forward
from glitchmark.training.network import build
from glitchmark.training.settings import Settings
from glitchmark.training.sgd import fit
from glitchmark.training.weights import load_weights

CLASSES = 5
ALL, FROZEN, ANY = ("all",), ("head", "all"), ("all", "last_block", "head")
# name, or name and architecture: the shape of an input, the number of features, what can be trained
MODELS = {
    "resnet20": ((3, 32, 32), 64, ANY),
    "resnet18": ((3, 32, 32), 512, ANY),
    "resnet34": ((3, 28, 28), 512, ANY),
    "vit_b_16": ((3, 32, 32), 768, FROZEN),
    "convnext_t": ((3, 32, 32), 768, FROZEN),
    "vit_cifar": ((3, 32, 32), 128, FROZEN),
    "convnext_cifar": ((3, 32, 32), 192, FROZEN),
    "timm test_resnet": ((3, 32, 32), 96, FROZEN),
    "timm test_convnext": ((3, 32, 32), 64, FROZEN),
    "timm test_vit": ((3, 32, 32), 64, FROZEN),
    "timm deit_tiny_patch16_224": ((3, 48, 48), 192, FROZEN),
    "ft_transformer": ((7,), 192, ALL),
    "resnet": ((7,), 192, ALL),
    "mlp": ((7,), 384, ALL),
}
PUBLISHED = {"resnet18": resnet18, "resnet34": resnet34, "convnext_t": convnext_tiny}
TIMM = [model for model in MODELS if model.startswith("timm ") or model.endswith("_cifar")]
BATCH_NORM = ["resnet20", "resnet18", "resnet34", "timm test_resnet", "vit_cifar"]


def built(model, seed=0, shape=None, **params):
    name, *architecture = model.split()
    entry = {"name": name, "params": {"architecture": architecture[0]} if architecture else params}
    return build(entry, shape or MODELS[model][0], CLASSES, seed, ("data", name), None)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def vit():
    """Built once; no test changes it."""
    return built("vit_b_16")


@pytest.fixture(params=MODELS)
def parts(request):
    return request.getfixturevalue("vit") if request.param == "vit_b_16" else built(request.param)


def inputs(shape, n=2, seed=0):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed))


def state_of(parts):
    """Weights of the whole network under the names of published files."""
    head = {f"{parts.head_prefix}{name}": value for name, value in parts.head.state_dict().items()}
    return {k: v for k, v in parts.network.state_dict().items() if not k.startswith(parts.head_prefix)} | head


def scattered(parts, seed=0):
    """All but the largest weights, and the running statistics, moved from the values that they begin with."""
    generator = torch.Generator().manual_seed(seed)
    for module in (parts.network, parts.head):
        for tensor in module.state_dict().values():
            if tensor.is_floating_point() and tensor.numel() < 100_000:
                tensor.mul_(0.9 + 0.2 * torch.rand(tensor.shape, generator=generator))
                tensor.add_(0.02 * torch.rand(tensor.shape, generator=generator))
    return parts


def own_forward(model, parts):
    """The library's own model with the weights of ``parts``, in eval mode."""
    state = state_of(parts)
    if model in TIMM:
        network = deepcopy(parts.network)
        network.reset_classifier(CLASSES)
    elif model == "vit_b_16":
        state = parts.network.state_dict()
        network = vit_b_16(image_size=32, num_classes=CLASSES)
    elif model in PUBLISHED:
        network = PUBLISHED[model](num_classes=CLASSES)
    else:
        output = {"ft_transformer": "backbone.output", "resnet": "output"}[model]
        state = {k.removeprefix("backbone."): v for k, v in state.items() if k.startswith("backbone.")}
        state |= {f"{output}.linear.{k}": v for k, v in parts.head.state_dict().items()}
        if model == "resnet":
            sizes = {"n_blocks": 2, "d_block": 192, "d_hidden_multiplier": 2.0, "dropout1": 0.15, "dropout2": 0.0}
            network = ResNet(d_in=7, d_out=CLASSES, **sizes)
        else:
            sizes = FTTransformer.get_default_kwargs()
            network = FTTransformer(n_cont_features=7, cat_cardinalities=[], d_out=CLASSES, **sizes)
    network.load_state_dict(state)  # strict: no layer is left out and none is left over
    network.eval()
    return (lambda x: network(x, None)) if model == "ft_transformer" else network


@pytest.mark.parametrize("model", [m for m in MODELS if m not in ("mlp", "resnet20")])
@torch.no_grad()
def test_the_parts_compute_what_the_librarys_model_does(model, vit):
    """Also where running statistics, biases and layer scales have left the values that they begin with."""
    parts = scattered(deepcopy(vit) if model == "vit_b_16" else built(model))
    parts.network.eval()
    shape, n_features, _ = MODELS[model]
    x = inputs(shape)
    features = parts.block(parts.stem(x))
    assert features.shape == (2, n_features)
    logits = parts.head(features)
    assert logits.shape == (2, CLASSES)
    torch.testing.assert_close(logits, own_forward(model, parts)(x), rtol=1e-4, atol=1e-4)


def test_stem_block_and_head_share_the_parameters_out(parts):
    """The network has the names of published files; a head that is no part of it has a prefix that no layer has."""
    stem, block, head = ([id(p) for p in part.parameters()] for part in (parts.stem, parts.block, parts.head))
    named = {name: id(p) for name, p in parts.network.named_parameters()}
    assert sorted(stem + block + head) == sorted({*named.values(), *head})
    assert {p for name, p in named.items() if name.startswith(parts.head_prefix)} == set(head) & set(named.values())
    assert not {id(b) for b in parts.stem.buffers()} & {id(b) for b in parts.block.buffers()}


@pytest.mark.parametrize("model", MODELS)
@torch.no_grad()
def test_what_can_be_trained(model, vit):
    shape, n_features, trained_parts = MODELS[model]
    plugin = registry.load("model", model.split()[0])
    assert plugin.name == model.split()[0]
    assert plugin.info["trained"] == trained_parts
    assert plugin.info["modality"] == ("image" if len(shape) == 3 else "table")
    parts = vit if model == "vit_b_16" else built(model)
    parts.network.eval()
    assert parts.head.in_features == n_features
    assert parts.head.out_features == CLASSES
    x = inputs(shape, 1)
    stem, block = ({id(p) for p in part.parameters()} for part in (parts.stem, parts.block))
    features = parts.block(parts.stem(x))
    assert features.shape == (1, n_features)
    for trained in trained_parts:
        frozen, below = parts.split(trained)
        torch.testing.assert_close(below(frozen(x)), features)
        expected = {"all": stem | block, "last_block": block, "head": set()}[trained]
        assert {id(p) for p in below.parameters()} == expected
        assert {id(p) for p in frozen.parameters()} == (stem | block) - expected


@pytest.mark.parametrize(("model", "last"), [("resnet18", "layer4.1."), ("resnet34", "layer4.2.")])
def test_the_last_block_of_a_residual_network(model, last):
    parts = built(model)
    block = {id(p) for p in parts.block.parameters()}
    assert {id(p) for name, p in parts.network.named_parameters() if name.startswith(last)} == block


@pytest.mark.parametrize(("model", "millions"), [("resnet18", 11.18), ("resnet34", 21.28), ("vit_cifar", 1.09)])
def test_sizes_without_the_head(model, millions):
    parts = built(model)
    count = sum(p.numel() for part in (parts.stem, parts.block) for p in part.parameters())
    assert round(count / 1e6, 2) == millions


def trained_on_frozen(parts, trained, shape, seed=0):
    """Train what is not frozen on what the frozen part computes, as cells do."""
    frozen, block = parts.split(trained)
    x, y = forward(frozen, inputs(shape, 12)), torch.arange(12) % CLASSES
    fit(block, parts.head, x, y, Settings(2, 0.1, 6, 1), np.random.default_rng(seed))
    return frozen, block


@pytest.mark.parametrize("trained", ["head", "last_block"])
@pytest.mark.parametrize("model", [*BATCH_NORM, "convnext_t"])
def test_frozen_layers_stay_bit_for_bit_and_in_eval_mode(model, trained):
    """Running statistics included; the batch norm of a trained block does train."""
    shape, _, supported = MODELS[model]
    if trained not in supported:
        pytest.skip("it has no last block")
    parts = built(model)
    frozen, block = parts.split(trained)
    before = [{k: v.clone() for k, v in part.state_dict().items()} for part in (frozen, block, parts.head)]
    assert model == "convnext_t" or any(isinstance(m, _BatchNorm) for m in frozen.modules())
    frozen, block = trained_on_frozen(parts, trained, shape)
    after = [part.state_dict() for part in (frozen, block, parts.head)]
    assert all(torch.equal(after[0][name], value) for name, value in before[0].items())
    assert not any(module.training for module in frozen.modules())
    for old, new in zip(before[1:], after[1:], strict=True):
        assert not any(torch.equal(new[name], value) for name, value in old.items())
    assert bool(before[1]) == (trained == "last_block")


@pytest.mark.parametrize("model", ["vit_cifar", "convnext_cifar", "timm test_resnet"])
def test_image_models_learn(model):
    shape, n = MODELS[model][0], 30
    y = torch.arange(n) % 3
    x = inputs(shape, n) * 0.5 + (y - 1)[:, None, None, None]  # dark, grey and bright
    parts = built(model)
    _, block = parts.split("all")
    losses = fit(block, parts.head, x, y, Settings(4, 0.05, 10, 1), np.random.default_rng(0))
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("name", ["ft_transformer", "resnet"])
def test_dropout_is_a_function_of_the_seed(name):
    """Two trainings with one seed give the same bytes, whatever was drawn before; another seed gives others."""

    def trained(seed):
        parts = built(name)  # the same initial weights for all
        x, y = inputs((7,), 24), torch.arange(24) % CLASSES
        one_batch = Settings(2, 0.05, 24, 1)  # so that the order of the samples changes next to nothing
        readout, losses = train_and_read(parts.block, parts.head, x, y, (), one_batch, np.random.default_rng(seed))
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
    ("name", "rate", "batch"), [("ft_transformer", 0.02, 20), ("resnet", 0.05, 20), ("mlp", 0.1, 10)]
)
def test_models_for_tables_learn(name, rate, batch):
    parts = built(name)
    x = inputs((7,), 200)
    y = (x[:, 0] > 0) + 2 * (x[:, 1] > 0).long()
    settings, rng = Settings(12, rate, batch, 1), np.random.default_rng(0)
    readout, losses = train_and_read(parts.block, parts.head, x, y, (), settings, rng)
    assert losses[0] > 0.9 > 0.5 > losses[-1]
    assert (readout.logits[0][-1].argmax(1) == y.numpy()).mean() > 0.9


@pytest.mark.parametrize("model", [m for m in MODELS if m not in ("vit_b_16", "convnext_t")])
def test_initial_weights_are_a_function_of_the_seed(model):
    first = state_of(built(model))
    torch.manual_seed(99)  # what was drawn before is of no account
    assert all(torch.equal(value, first[name]) for name, value in state_of(built(model)).items())
    other = state_of(built(model, 1))
    drawn = [name for name, value in first.items() if value.ndim > 1 and value.std() > 0]
    assert drawn
    assert not any(torch.equal(other[name], first[name]) for name in drawn)


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
        ("vit_cifar", (3, 30, 30), r"multiple of 4, and these are 30 x 30; set 'input_size'"),
        ("convnext_cifar", (3, 15, 32), r"15 x 32; set 'input_size'"),
        ("timm test_vit", (3, 30, 30), r"test_vit cannot read images of 30 x 30 \(.*divisible.*to 160 for published"),
        ("timm test_convnext", (3, 8, 8), r"test_convnext cannot read images of 8 x 8"),
        # timm's own network would look at 16 x 16 pixels of each
        ("timm vit_tiny_patch16_224", (3, 28, 28), r"patches of 16 x 16, and these are 28 x 28; set 'input_size'"),
    ],
)
def test_images_of_a_size_that_cannot_be_read(name, shape, sentence):
    with pytest.raises(CellError, match=sentence):
        built(name, shape=shape)


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


def test_timm_reads_images_of_the_size_that_they_have():
    """Position embeddings are made for them, rather than for 224 pixels."""
    assert built("timm deit_tiny_patch16_224").network.pos_embed.shape == (1, 3 * 3 + 1, 192)


@pytest.mark.parametrize(
    ("architecture", "sentence"),
    [
        ("resnet18.a1_in1k", "timm has no 'resnet18.a1_in1k'; did you mean 'resnet18'.*without the tag"),
        ("test_resnett", "did you mean 'test_resnet'"),
        ("hf-hub:timm/resnet18.a1_in1k", "timm has no 'hf-hub:"),
        (18, "timm has no '18'"),
    ],
)
def test_architectures_that_timm_does_not_have(architecture, sentence):
    with pytest.raises(CellError, match=sentence):
        registry.load("model", "timm").function((3, 32, 32), CLASSES, architecture=architecture)


def test_networks_without_one_vector_an_image_are_refused(monkeypatch):
    """As timm's encoders for language models are, which are too large for a test."""
    monkeypatch.setattr(timm, "create_model", lambda *args, **keywords: nn.Flatten(2))
    with pytest.raises(CellError, match=r"test_vit returns features of shape \(1, 3, 1024\)"):
        built("timm test_vit", shape=(3, 32, 32))


def test_importing_a_model_does_not_import_torch():
    modules = ", ".join(f"glitchmark.models.{name}" for name in registry.names("model"))
    libraries = {"torch", "torchvision", "timm", "rtdl_revisiting_models"}
    code = f"import sys, {modules}; assert not {libraries!r} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
