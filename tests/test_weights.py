"""Weights: their names, what is known of them when planned, what is fetched and checked, and how they are read."""

import re
import subprocess
import sys
import threading
import time
from hashlib import blake2b, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub.constants
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from glitchmark import weights
from glitchmark.config import read, validated
from glitchmark.errors import Unavailable, UserError
from glitchmark.resolve import resolve
from glitchmark.training.network import build
from glitchmark.weights import check_name, is_published, published_file

ROOT = Path(__file__).parents[1]
AKAMASTER = "https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models/resnet20-12fca82f.th"


def resnet20(seed=0, source=None, digest=""):
    model = {"name": "resnet20", "params": {}}
    return build(model, (3, 32, 32), 10, seed, ("cifar10", "resnet20"), source, digest)


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


pytestmark = pytest.mark.usefixtures("one_thread")


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
        "timm:resnet18.a1_in1k",
        f"timm:vit_base_patch16_clip_224.openai@{'0123456789' * 4}",
    ],
)
def test_published_names(name):
    assert is_published(name)
    check_name(name, "here")


@pytest.mark.parametrize("name", ["", "resnet20.safetensors", "sub/resnet20-12fca82f.safetensors", "embedded"])
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
        "timm:resnet18",
        "timm:timm/resnet18.a1_in1k",
        "timm:../resnet18.a1_in1k",
        "timm:resnet18.a1_in1k@main",
        f"timm:resnet18.a1_in1k#{'0' * 64}",
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
        ("timm:resnet18", r"models\[0\].weights: .* must be of the form timm:resnet18.a1_in1k"),
        ("", r"models\[0\].*freezes layers"),
    ],
)
def test_weights_that_cannot_work_are_known_when_planned(weights, sentence, tmp_path):
    with pytest.raises(UserError, match=sentence):
        planned(tmp_path, weights=weights)


def test_planning_imports_none_of_the_libraries(tmp_path):
    code = f"""
import sys
from pathlib import Path
import numpy as np
from safetensors.numpy import save_file
from glitchmark.config import read, validated
from glitchmark.resolve import resolve
root = Path({str(ROOT)!r})
config = read(root, [], []) | {{"datasets": ["digits"], "glitches": ["none"], "cache_dir": "cache"}}
models = [
    {{"name": "vit_b_16", "trained": "head", "weights": "torchvision:ViT_B_16_Weights.IMAGENET1K_V1"}},
    {{"name": "resnet20", "trained": "last_block", "weights": {AKAMASTER!r}}},
    {{"name": "resnet18", "trained": "head", "weights": "timm:resnet18.a1_in1k"}},
    {{"name": "timm", "architecture": "resnet10t", "trained": "all"}},
]
cache = Path("cache/weights")
cache.mkdir(parents=True)
save_file({{"a": np.zeros(1)}}, cache / "resnet18.a1_in1k.safetensors")
resolve(validated(config | {{"models": models}}, root))
assert not {{"torch", "torchvision", "timm", "huggingface_hub"}} & set(sys.modules), "imported"
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_a_file_cut_short_is_known_when_planned(tmp_path):
    save_file({"a": torch.zeros(100)}, tmp_path / "w.safetensors")
    content = (tmp_path / "w.safetensors").read_bytes()
    (tmp_path / "w.safetensors").write_bytes(content[:-1])
    with pytest.raises(
        UserError, match=r"models\[0\].weights: .*w.safetensors' is no .safetensors file, or is damaged"
    ):
        planned(tmp_path, weights="w.safetensors")


# weights that ship with the package


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A package that has weights for resnet20 and vit_cifar."""
    monkeypatch.setattr(weights, "PRETRAINED", tmp_path / "pretrained")
    (tmp_path / "pretrained").mkdir()
    save_file(state_of(resnet20(7)), tmp_path / "pretrained" / "resnet20.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "pretrained" / "vit_cifar.safetensors")
    return tmp_path / "pretrained" / "resnet20.safetensors"


def test_embedded_weights_are_digested_when_planned(shipped, tmp_path):
    model = planned(tmp_path, weights="embedded")
    assert model.weights == str(shipped)
    assert model.weights_digest == blake2b(shipped.read_bytes()).hexdigest()
    assert same_trunk(resnet20(0, model.weights, model.weights_digest), resnet20(7))
    save_file(state_of(resnet20(8)), shipped)
    assert planned(tmp_path, weights="embedded").weights_digest != model.weights_digest
    with pytest.raises(Unavailable, match="was changed since this run was planned"):
        resnet20(0, model.weights, model.weights_digest)


def test_a_model_without_embedded_weights(shipped, tmp_path):
    sentence = r"models\[0\].weights: no weights are embedded for the model 'resnet18', only for: resnet20, vit_cifar;"
    with pytest.raises(UserError, match=sentence):
        planned(tmp_path, name="resnet18", weights="embedded")


def test_the_embedded_weights_fit_their_models():
    """And are small, in half precision, and each described by a card."""
    assert weights.embedded() == ["convnext_cifar", "resnet20", "vit_cifar"]
    for name in weights.embedded():
        file = weights.PRETRAINED / f"{name}.safetensors"
        parts = build({"name": name, "params": {}}, (3, 32, 32), 10, 0, (), file)
        given, own = load_file(file), parts.network.state_dict()
        head = {f"{parts.head_prefix}{key}" for key in parts.head.state_dict()}
        assert set(given) == set(own) | head
        assert all(torch.equal(own[key].half(), given[key].half()) for key in set(own) - head)
        assert {value.dtype for value in given.values()} <= {torch.float16, torch.int64}
        assert (weights.PRETRAINED / f"{name}.md").read_text().startswith(f"# {name}\n")
    assert sum(file.stat().st_size for file in weights.PRETRAINED.glob("*.safetensors")) <= 8_000_000


# timm's weights on the Hugging Face hub


class Hub:
    """Answers as the hub does: headers on a file's address, and its content."""

    def __init__(self):
        self.content, self.etag, self.missing, self.asked = b"", None, "", []

    def __call__(self, *args):
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self):
                hub.asked.append(f"{self.command} {self.path}")
                self.send_response(404 if hub.missing else 200)
                if hub.missing:
                    self.send_header("X-Error-Code", hub.missing)
                etag = sha256(hub.content).hexdigest() if hub.etag is None else hub.etag
                self.send_header("X-Linked-Etag", f'"{etag}"')
                self.send_header("X-Repo-Commit", "c" * 40)
                self.send_header("Content-Length", str(len(hub.content)))
                self.end_headers()

            def do_GET(self):
                self.do_HEAD()
                self.wfile.write(hub.content)

            def log_message(self, *args):
                pass

        return Handler(*args)


NAME = "timm:resnet18.a1_in1k"
FILE = "resnet18.a1_in1k.safetensors"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A server in the hub's place, which holds timm's resnet18 with a head of 7 classes."""
    hub = Hub()
    torch.manual_seed(3)
    save_file(timm.create_model("resnet18", num_classes=7).state_dict(), tmp_path / "hub.safetensors")
    hub.content = (tmp_path / "hub.safetensors").read_bytes()
    server = ThreadingHTTPServer(("127.0.0.1", 0), hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at = f"http://127.0.0.1:{server.server_port}"
    template = huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(huggingface_hub.constants.ENDPOINT, at)
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield hub
    server.shutdown()
    server.server_close()


@pytest.fixture
def no_hub(monkeypatch):
    template = "http://127.0.0.1:1/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def resnet18(seed=0, source=None, digest=""):
    model = {"name": "resnet18", "params": {}}
    return build(model, (3, 32, 32), 10, seed, ("cifar10", "resnet18"), source, digest)


def test_timms_weights_are_known_when_planned_and_fetched_when_needed(hub, tmp_path):
    first = planned(tmp_path, name="resnet18", weights=NAME)
    assert first.weights == str(tmp_path / "cache" / "weights")
    assert first.weights_digest == f"{NAME}#{sha256(hub.content).hexdigest()}"
    assert hub.asked == ["HEAD /timm/resnet18.a1_in1k/resolve/main/model.safetensors"]
    assert not (tmp_path / "cache").exists()
    parts = resnet18(0, first.weights, first.weights_digest)
    given, own = load_file(tmp_path / "hub.safetensors"), parts.network.state_dict()
    assert all(torch.equal(own[name], value) for name, value in given.items() if not name.startswith("fc."))
    assert parts.head.out_features == 10
    asked = len(hub.asked)
    assert planned(tmp_path, name="resnet18", weights=NAME) == first  # now that the file is there: nothing reruns
    resnet18(0, first.weights, first.weights_digest)
    assert len(hub.asked) == asked == 2


def test_another_file_under_the_same_name_is_another_result(hub, tmp_path):
    first = planned(tmp_path, name="resnet18", weights=NAME)
    hub.content = hub.content[:-1] + bytes([hub.content[-1] ^ 1])
    with pytest.raises(Unavailable, match=f"weights '{NAME}': the file .*{FILE} does not exist.*invalid hash"):
        resnet18(0, first.weights, first.weights_digest)
    assert not (tmp_path / "cache" / "weights" / FILE).exists()
    second = planned(tmp_path, name="resnet18", weights=NAME)
    assert second.weights_digest != first.weights_digest
    resnet18(0, second.weights, second.weights_digest)


def test_a_commit_of_the_repository_can_be_pinned(hub, tmp_path):
    commit = "0123456789abcdef0123456789abcdef01234567"
    model = planned(tmp_path, name="resnet18", weights=f"{NAME}@{commit}")
    assert hub.asked == [f"HEAD /timm/resnet18.a1_in1k/resolve/{commit}/model.safetensors"]
    file = published_file(model.weights_digest, model.weights)
    assert file == tmp_path / "cache" / "weights" / f"resnet18.a1_in1k@{commit}.safetensors"
    assert file.read_bytes() == hub.content


def test_timms_weights_from_a_file_in_the_cache_need_no_network(no_hub, tmp_path):
    folder = tmp_path / "cache" / "weights"
    folder.mkdir(parents=True)
    torch.manual_seed(3)
    save_file(timm.create_model("resnet18", num_classes=7).state_dict(), folder / FILE)
    model = planned(tmp_path, name="resnet18", weights=NAME)
    assert model.weights_digest.endswith(f"#{sha256((folder / FILE).read_bytes()).hexdigest()}")
    resnet18(0, model.weights, model.weights_digest)
    (folder / FILE).write_bytes((folder / FILE).read_bytes()[:-1])
    with pytest.raises(UserError, match=r"is no \.safetensors file, or is damaged"):
        planned(tmp_path, name="resnet18", weights=NAME)


def test_without_network_one_sentence_says_where_timms_file_belongs(no_hub, tmp_path):
    with pytest.raises(Unavailable) as caught:
        planned(tmp_path, name="resnet18", weights=NAME)
    address = "http://127.0.0.1:1/timm/resnet18.a1_in1k/resolve/main/model.safetensors"
    sentence = str(caught.value)
    assert sentence.startswith(
        f"config: models[0].weights: the weights '{NAME}': the file {tmp_path}/cache/weights/{FILE} does not exist, "
        f"and {address} cannot be reached ("
    )
    assert all(word in sentence for word in ("go online", "put the file there", "'cache_dir'", "'weights'"))


@pytest.mark.parametrize("fixture", ["hub", "no_hub"])
def test_names_that_timm_does_not_have_are_suggested(fixture, request, tmp_path):
    if fixture == "hub":
        request.getfixturevalue("hub").missing = "RepoNotFound"
    else:
        request.getfixturevalue("no_hub")
    with pytest.raises(UserError, match=r"models\[0\].weights: .*did you mean 'timm:resnet18.a1_in1k'") as caught:
        planned(tmp_path, name="resnet18", weights="timm:resnet18.a1_in1")
    assert not isinstance(caught.value, Unavailable)


@pytest.mark.parametrize("etag", ["", "0123456789abcdef0123456789abcdef01234567"])
def test_a_file_without_digest_on_the_hub_is_refused(hub, etag, tmp_path):
    hub.etag = etag
    with pytest.raises(Unavailable, match=rf"model.safetensors has no SHA-256 \(its etag is '{etag}'\)"):
        planned(tmp_path, name="resnet18", weights=NAME)


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
    assert sentence.startswith(f"the weights '{address}': ")
    assert all(word in sentence for word in ("go online", "put the file there", "'cache_dir'", "'weights'"))


# reading


NETWORKS = {
    "resnet20": {},
    "resnet18": {},
    "vit_cifar": {},
    "convnext_cifar": {},
    "timm": {"architecture": "test_convnext"},
}


def network(name, seed, file=None):
    return build({"name": name, "params": NETWORKS[name]}, (3, 32, 32), 10, seed, ("cifar10", name), file)


def moved(name):
    """The state of a network whose weights have all left the values that they begin with, with a head of 1000."""
    parts, generator = network(name, 7), torch.Generator().manual_seed(0)
    state = {k: v.clone() for k, v in parts.network.state_dict().items() if not k.startswith(parts.head_prefix)}
    for tensor in state.values():
        if tensor.is_floating_point():
            tensor.add_(torch.rand(1, generator=generator))
    head = {"weight": torch.zeros(1000, parts.head.in_features), "bias": torch.zeros(1000)}
    state |= {f"{parts.head_prefix}{key}": value for key, value in head.items()}
    return {key: value.contiguous() for key, value in state.items()}


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *((name, torch.float16) for name in NETWORKS),
        ("timm", torch.bfloat16),
        ("vit_cifar", torch.float32),
    ],
)
def test_files_of_any_precision_fill_all_but_the_head_in_single_precision(name, dtype, tmp_path):
    state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in moved(name).items()}
    save_file(state, tmp_path / "w.safetensors")
    parts, new = network(name, 0, tmp_path / "w.safetensors"), network(name, 0)
    own = {k: v for k, v in parts.network.state_dict().items() if not k.startswith(parts.head_prefix)}
    assert len(own) == len(state) - 2
    for key, value in own.items():
        assert torch.equal(value, state[key].to(value.dtype)), key
        assert value.dtype == (torch.float32 if state[key].is_floating_point() else torch.int64)
    assert torch.equal(parts.head.weight, new.head.weight)
    assert parts.head.weight.shape[0] == 10


@pytest.mark.parametrize(
    ("name", "first", "later"),
    [
        ("resnet18", "layer3.1.conv2.weight", "layer4.0.conv1.weight"),
        ("vit_cifar", "patch_embed.backbone.0.conv.weight", "blocks.3.attn.qkv.weight"),
        ("convnext_cifar", "stages.0.blocks.1.conv_dw.weight", "head.norm.weight"),
        ("timm", "stem.0.weight", "head.norm.bias"),
    ],
)
def test_the_first_layer_that_does_not_fit_is_named(name, first, later, tmp_path):
    state = moved(name)
    assert {first, later} <= set(state)
    file = tmp_path / "w.safetensors"
    save_file(state | {later: torch.zeros(1, 2), first: torch.zeros(2, 1)}, file)
    with pytest.raises(UserError, match=f"does not fit this model: size mismatch for {re.escape(first)}"):
        network(name, 0, file)
    save_file({k: v for k, v in state.items() if k not in (first, later)}, file)
    with pytest.raises(UserError, match=f"does not fit this model: it lacks the layer '{re.escape(first)}'"):
        network(name, 0, file)


def test_position_embeddings_for_another_size_are_named(tmp_path):
    save_file(moved("vit_cifar"), tmp_path / "w.safetensors")
    with pytest.raises(UserError, match="size mismatch for pos_embed"):
        build({"name": "vit_cifar", "params": {}}, (3, 28, 28), 10, 0, (), tmp_path / "w.safetensors")


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
