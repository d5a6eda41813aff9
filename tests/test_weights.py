"""Weights: published names, their files in the cache, what is fetched and checked, and how files fill a network."""

import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from glitchmark.config import read, validated
from glitchmark.errors import Unavailable, UserError
from glitchmark.resolve import resolve
from glitchmark.training.classifier import build
from glitchmark.weights import check_name, is_published, published_file

ROOT = Path(__file__).parents[1]
AKAMASTER = "https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models/resnet20-12fca82f.th"


def resnet20(seed=0, weights=None, digest=""):
    model = {"name": "resnet20", "params": {}}
    return build(model, (3, 32, 32), 10, seed, ("cifar10", "resnet20"), weights, digest)


def published_layout(parts, drop=(), **changed):
    """What akamaster's trainer saves: the state of a DataParallel, whose head is called linear, and the accuracy."""
    state = {f"module.{k.replace('fc.', 'linear.')}": v for k, v in parts.network.state_dict().items()}
    state |= {f"module.{k}": v for k, v in changed.items()}
    return {"state_dict": {k: v for k, v in state.items() if k not in drop}, "best_prec1": torch.tensor(91.73)}


def stored(content, folder, suffix=".th", **options):
    """Save it under a name that carries its digest, as torch hub's files do; returns its address."""
    folder.mkdir(exist_ok=True)
    (save_file if suffix == ".safetensors" else torch.save)(content, folder / "new", **options)
    name = f"resnet20-{sha256((folder / 'new').read_bytes()).hexdigest()[:8]}{suffix}"
    (folder / "new").rename(folder / name)
    return f"https://127.0.0.1:1/models/{name}"  # nobody answers there: whoever needs the network fails


def state_of(parts):
    """Weights as a safetensors file takes them."""
    return {name: tensor.contiguous() for name, tensor in parts.network.state_dict().items()}


def same_trunk(a, b):
    states = a.network.state_dict(), b.network.state_dict()
    return all(torch.equal(v, states[1][k]) for k, v in states[0].items() if not k.startswith("fc."))


@pytest.fixture
def no_waits(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


# names


@pytest.mark.parametrize(
    "name",
    [
        AKAMASTER,
        "torchvision:ViT_B_16_Weights.IMAGENET1K_V1",
        "torchvision:ConvNeXt_Tiny_Weights.IMAGENET1K_V1",
        "https://example.org/a/b/net-0123456789abcdef.safetensors",
    ],
)
def test_published_names(name):
    assert is_published(name)
    check_name(name, "here")


@pytest.mark.parametrize("name", ["", "resnet20.safetensors", "sub/resnet20-12fca82f.safetensors"])
def test_files_are_not_published_names(name):
    assert not is_published(name)


@pytest.mark.parametrize(
    "name",
    [
        "torchvision:ViT_B_16",
        "torchvision:ViT_B_16_Weights",
        "torchvision:ViT_B_16_Weights.DEFAULT",
        "torchvision: ViT_B_16_Weights.IMAGENET1K_V1",
        "http://example.org/net-12fca82f.th",
        "https://example.org/net.th",
        "https://example.org/net-12fca82.th",
        "https://example.org/net-12fca82f.zip",
        "https://example.org/net-12fca82f.th?download=1",
    ],
)
def test_names_that_do_not_say_which_file_they_mean(name):
    assert is_published(name)
    with pytest.raises(UserError, match=r"models\[0\].weights: .* must be of the form"):
        check_name(name, "models[0].weights")


def test_a_name_that_torchvision_lacks_is_suggested(tmp_path):
    with pytest.raises(UserError, match=r"no 'ViT_B_16_Weights.IMAGENET1K_V7'; did you mean 'ViT_B_16_Weights.IMAGENE"):
        published_file("torchvision:ViT_B_16_Weights.IMAGENET1K_V7", tmp_path)
    with pytest.raises(UserError, match=r"no 'VitB16_Weights.IMAGENET1K_V1'"):
        published_file("torchvision:VitB16_Weights.IMAGENET1K_V1", tmp_path)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("ViT_B_16_Weights.IMAGENET1K_V1", "vit_b_16-c867db91.pth"),
        ("ConvNeXt_Tiny_Weights.IMAGENET1K_V1", "convnext_tiny-983f1562.pth"),
    ],
)
def test_torchvision_names_are_looked_up_in_torchvision(name, file, tmp_path, no_waits):
    (tmp_path / file).write_bytes(b"not these weights")
    with pytest.raises(Unavailable, match=f"another digest .* from https://download.pytorch.org/models/{file}"):
        published_file(f"torchvision:{name}", tmp_path)


# planning


def planned(tmp_path, **model):
    config = read(ROOT, [], [])
    config |= {"datasets": ["digits"], "glitches": ["none"], "cache_dir": str(tmp_path / "cache")}
    config |= {"weights_dir": str(tmp_path), "models": [{"name": "resnet20", "trained": "last_block"} | model]}
    return resolve(validated(config, ROOT)).models[0]


def test_a_published_name_stands_for_its_digest(tmp_path):
    model = planned(tmp_path, weights=AKAMASTER)
    assert model.weights_digest == AKAMASTER
    assert model.weights == str(tmp_path / "cache" / "weights")
    assert not (tmp_path / "cache").exists()


def test_a_file_is_digested_when_planned(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors")
    model = planned(tmp_path, weights="w.safetensors")
    assert model.weights == str(tmp_path / "w.safetensors")
    assert len(model.weights_digest) == 128


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ("gone.safetensors", r"models\[0\].*gone.safetensors' does not exist"),
        ("torchvision:resnet20", r"models\[0\].weights: .* must be of the form torchvision:"),
        ("https://example.org/resnet20.th", r"models\[0\].weights: .* must be of the form https:"),
        ("", r"models\[0\].*freezes layers"),
    ],
)
def test_weights_that_cannot_work_are_known_when_planned(weights, sentence, tmp_path):
    with pytest.raises(UserError, match=sentence):
        planned(tmp_path, weights=weights)


def test_planning_imports_neither_torch_nor_torchvision(tmp_path):
    code = f"""
import sys
from pathlib import Path
from glitchmark.config import read, validated
from glitchmark.resolve import resolve
root = Path({str(ROOT)!r})
models = [
    {{"name": "vit_b_16", "trained": "head", "weights": "torchvision:ViT_B_16_Weights.IMAGENET1K_V1"}},
    {{"name": "resnet20", "trained": "last_block", "weights": {AKAMASTER!r}}},
]
resolve(validated(read(root, [], []) | {{"datasets": ["digits"], "glitches": ["none"], "models": models}}, root))
assert not {{"torch", "torchvision"}} & set(sys.modules), "imported"
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


# fetching


def test_without_network_one_sentence_says_where_the_file_belongs(tmp_path, no_waits):
    address = "https://127.0.0.1:1/models/resnet20-12fca82f.th"
    with pytest.raises(Unavailable) as caught:
        resnet20(0, tmp_path / "weights", address)
    sentence = str(caught.value)
    assert (
        f"the file {tmp_path}/weights/resnet20-12fca82f.th does not exist, and downloading it from {address}"
        in sentence
    )
    assert all(word in sentence for word in ("go online", "put the file there", "'cache_dir'", "'weights'"))


# reading


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}], ids=["zip", "before torch 1.6"])
def test_weights_as_published_fill_everything_but_the_head(options, tmp_path):
    other = resnet20(7)
    address = stored(published_layout(other), tmp_path / "weights", **options)
    parts = resnet20(0, tmp_path / "weights", address)
    assert same_trunk(parts, other)
    assert torch.equal(parts.head.weight, resnet20(0).head.weight)


def test_published_safetensors_fill_everything_but_the_head(tmp_path):
    other = resnet20(7)
    address = stored(state_of(other), tmp_path / "weights", ".safetensors")
    parts = resnet20(0, tmp_path / "weights", address)
    assert same_trunk(parts, other)
    assert torch.equal(parts.head.weight, resnet20(0).head.weight)


def test_the_head_of_another_number_of_classes_is_not_loaded(tmp_path):
    other = build({"name": "resnet20", "params": {}}, (3, 32, 32), 100, 7, (), None)
    save_file(state_of(other), tmp_path / "w.safetensors")
    assert same_trunk(resnet20(0, tmp_path / "w.safetensors"), other)


def test_files_from_before_batch_norm_counted_batches_are_read(tmp_path):
    other = resnet20(7)
    state = {k: v for k, v in state_of(other).items() if not k.endswith("num_batches_tracked")}
    save_file(state, tmp_path / "w.safetensors")
    assert same_trunk(resnet20(0, tmp_path / "w.safetensors"), other)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"layer2.0.conv1.weight": torch.zeros(1, 2)}, "size mismatch for layer2.0.conv1.weight"),
        ({"drop": ["module.layer2.0.conv1.weight"]}, "lacks the layer 'layer2.0.conv1.weight'"),
    ],
)
def test_weights_of_another_model_name_the_first_layer(changes, sentence, tmp_path):
    address = stored(published_layout(resnet20(7), **changes), tmp_path)
    with pytest.raises(UserError, match=f"does not fit this model: .*{sentence}"):
        resnet20(0, tmp_path, address)


class Evil:
    """A pickle that would run code."""

    def __reduce__(self):
        return exec, ("raise SystemExit('code was run')",)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (Evil(), "cannot be read as .th"),
        ({"state_dict": {}}, "must hold names and tensors"),
        ({"epoch": 3}, "must hold names and tensors"),
        ([torch.zeros(2)], "must hold names and tensors"),
    ],
)
def test_files_that_hold_something_else(content, sentence, tmp_path):
    address = stored(content, tmp_path)
    with pytest.raises(UserError, match=sentence):
        resnet20(0, tmp_path, address)


def test_a_file_that_changed_after_planning_is_refused(tmp_path):
    save_file(state_of(resnet20(7)), tmp_path / "w.safetensors")
    model = planned(tmp_path, weights="w.safetensors")
    resnet20(0, model.weights, model.weights_digest)
    save_file(state_of(resnet20(8)), tmp_path / "w.safetensors")
    with pytest.raises(UserError, match="was changed since this run was planned"):
        resnet20(0, model.weights, model.weights_digest)
