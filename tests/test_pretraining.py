"""Pretraining: augmentation, schedule and parts; the same weights after an interruption; what cannot work is said."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import load_file
from torch import nn

from conftest import ROOT
from glitchmark import pretraining, recipes, registry
from glitchmark.config import read, validated
from glitchmark.errors import UserError
from glitchmark.training.inputs import forward, image_tensor
from glitchmark.training.weights import load_weights

CONFIGS = [str(ROOT / "config" / name) for name in ("pretrain.yaml", "pretrain-local.yaml")]
RECIPE = {"name": "resnet20", "epochs": 3, "optimizer": "sgd", "learning_rate": 0.05, "batch_size": 32, "mix": 0.5}


pytestmark = pytest.mark.usefixtures("one_thread")


def images(n=300, side=16, seed=0):
    """Noise with one strong colour a class: x uint8 (n, side, side, 3), y int64 (n,)."""
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=n)
    x = rng.integers(0, 160, (n, side, side, 3))
    x[np.arange(n), :, :, y] += 60
    return x.astype(np.uint8), y


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with a user's own files: all.npz, and split.npz with the same images among others."""
    folder, (x, y) = tmp_path_factory.mktemp("data"), images()
    more_x, more_y = images(seed=1)
    np.savez(folder / "all.npz", x=x, y=y)
    split = np.array(["train"] * 100 + ["upstream"] * 300 + ["train"] * 200)
    both = np.concatenate([more_x[:100], x, more_x[100:]]), np.concatenate([more_y[:100], y, more_y[100:]])
    np.savez(folder / "split.npz", x=both[0], y=both[1], split=split)
    np.savez(folder / "test.npz", x=both[0], y=both[1], split=np.where(split == "upstream", "train", "test"))
    np.savez(folder / "small.npz", x=x[:, :4, :4], y=y)
    np.savez(folder / "table.npz", x=x[:, 0, :, 0].astype(np.float32), y=y)
    return folder


def section(recipe=RECIPE, *, file="all.npz", split="", test_split="", **more):
    dataset = {"name": "mine", "loader": "npz", "file": file, "split": split, "test_split": test_split}
    return {"dataset": dataset, "recipes": [recipe]} | more


def planned(folder, data, pretraining):
    """A config's orders, with all that they write in a folder."""
    config = {
        "results_dir": str(folder / "results"),
        "weights_dir": str(folder / "weights"),
        "data_dir": str(data),
        "pretraining": pretraining,
    }
    orders = recipes.orders(validated(read(ROOT, CONFIGS[:1], []) | config, ROOT))
    for order in orders:
        recipes.write(order)
    return orders


def made(order):
    """Run an order's job here; the bytes of the weights."""
    assert pretraining.main(order["order"]) == 0
    return Path(order["weights"]).read_bytes()


@pytest.fixture(scope="module")
def finished(tmp_path_factory, data):
    """An order that was carried out without an interruption."""
    (order,) = planned(tmp_path_factory.mktemp("finished"), data, section())
    made(order)
    return order


# Its parts


@pytest.mark.parametrize(("epochs", "warmup", "rise"), [(60, 3, 3), (10, 0, 0), (3, 10, 1.5), (7, 2.5, 2.5)])
def test_the_learning_rate_s_closed_form(epochs, warmup, rise):
    recipe = {"learning_rate": 0.4, "epochs": epochs, "warmup": warmup}
    times = np.linspace(0, epochs, 101)
    found = np.array([pretraining.learning_rate(t, recipe) for t in times])
    # half a cosine is the square of a quarter of one
    falling = 0.4 * np.cos(np.pi / 4 * 2 * (times - rise) / (epochs - rise)) ** 2
    expected = np.where(times < rise, 0.4 * times / (rise or 1), falling)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found.max() <= 0.4
    assert pretraining.learning_rate(rise, recipe) == 0.4
    assert pretraining.learning_rate(epochs, recipe) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("shape", [(10, 10), (8, 12)])
def test_moved_images_are_shifts_of_their_reflected_originals(shape):
    height, width = shape
    x = torch.rand(400, 3, height, width)
    torch.manual_seed(0)
    found = pretraining.moved(x).numpy()
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (4, 4), (4, 4)), mode="reflect")
    hits = np.zeros((9, 9, 2), int)
    for down in range(9):
        for right in range(9):
            part = padded[:, :, down : down + height, right : right + width]
            for mirrored, candidate in enumerate((part, part[..., ::-1])):
                hits[down, right, mirrored] = (found == candidate).all(axis=(1, 2, 3)).sum()
    assert hits.sum() == 400
    assert (hits.sum((1, 2)) > 20).all()  # about 44 for each shift
    assert (hits.sum((0, 2)) > 20).all()
    assert 160 < hits[..., 0].sum() < 240


def test_mixed_targets_are_the_shares_of_the_images():
    """Where images of class c are 1 in channel c alone, the mean of a channel is the class' share."""
    y = torch.arange(48) % 3
    x = nn.functional.one_hot(y, 3).float()[:, :, None, None].expand(-1, -1, 16, 16)
    kinds = {"unmixed": 0, "mixup": 0, "cutmix": 0}
    for seed in range(60):
        torch.manual_seed(seed)
        images, targets = pretraining.mixed(x, y, 3, 0.5)
        if targets is y:
            kinds["unmixed"] += 1
            assert images is x
            continue
        torch.testing.assert_close(images.mean((2, 3)), targets)
        kinds["cutmix" if set(images.unique().tolist()) <= {0.0, 1.0} else "mixup"] += 1
    assert kinds["unmixed"] > 15
    assert kinds["mixup"] > 5
    assert kinds["cutmix"] > 5
    assert pretraining.mixed(x, y, 3, 0.0)[1] is y


@pytest.mark.parametrize("seed", range(3))
def test_the_held_out_part_is_stratified_and_disjoint(seed):
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(4), (500, 250, 97, 13)))
    training, held_out = pretraining.split(y, 0.1, seed)
    assert sorted([*training, *held_out]) == list(range(860))
    assert len(held_out) == 86
    assert (abs(np.bincount(y[held_out], minlength=4) - 0.1 * np.bincount(y)) < 1).all()
    assert set(held_out) != set(pretraining.split(y, 0.1, seed + 1)[1])


def test_the_accuracy_is_that_of_the_rounded_weights():
    network = nn.Sequential(nn.Flatten(), nn.Linear(1, 2))
    with torch.no_grad():
        network[1].weight[:] = torch.tensor([[1.0], [1.0001]])  # in half precision, both are 1: the first one wins
        network[1].bias[:] = 0
    x, y = torch.ones(5, 1, 1, 1), np.array([0, 0, 0, 0, 1])
    assert (forward(network, x).argmax(1).numpy() == y).mean() == 0.2
    assert pretraining.half_precision_accuracy(network, x, y) == 0.8


# Whole trainings


@pytest.mark.parametrize(
    "recipe",
    [
        {"name": "resnet20", "epochs": 4, "optimizer": "sgd", "learning_rate": 0.05, "warmup": 1},
        {"name": "vit_cifar", "epochs": 6, "optimizer": "adamw", "learning_rate": 0.001, "weight_decay": 0.05,
         "mix": 0.3, "label_smoothing": 0.1},
    ],
    ids=lambda recipe: recipe["name"],
)  # fmt: skip
def test_an_easy_set_is_learned_and_its_weights_are_what_was_measured(tmp_path, data, recipe):
    (order,) = planned(tmp_path, data, section(recipe | {"batch_size": 32}, held_out=0.3, seed=1))
    facts = pretraining.pretrain(order)
    assert facts["accuracy"] > 0.9
    assert (facts["training"], facts["held_out"]) == (210, 90)

    stored = load_file(order["weights"])
    assert {array.dtype for array in stored.values()} <= {np.dtype("float16"), np.dtype("int64")}
    parts = registry.load("model", recipe["name"]).function((3, 16, 16), 3)
    load_weights(parts, order["weights"])
    with torch.no_grad():
        for name, tensor in parts.head.state_dict().items():
            tensor.copy_(torch.from_numpy(stored[f"{parts.head_prefix}{name}"]))
    with np.load(data / "all.npz") as archive:
        x, y = archive["x"], archive["y"]
    _, held_out = pretraining.split(y, 0.3, 1)
    logits = forward(nn.Sequential(parts.stem, parts.block, parts.head), image_tensor(x[held_out]))
    assert (logits.argmax(1).numpy() == y[held_out]).mean() == facts["accuracy"]
    text = Path(order["card"]).read_text()
    assert f"{facts['accuracy']:.4f} on the 90 held-out images" in text
    assert pretraining.digest(x, y) in text


def test_the_same_images_from_another_source_give_the_same_weights(tmp_path, data, finished):
    sources = {
        "split": section(file="split.npz", split="upstream"),
        "rows": section(file="test.npz", split="train", test_split="test", rows=[100, 400]),  # beside the test split
    }
    for name, source in sources.items():
        (order,) = planned(tmp_path / name, data, source)
        assert made(order) == Path(finished["weights"]).read_bytes()
        facts = [Path(o["card"]).read_text().split("BLAKE2b")[1].split(".")[0] for o in (order, finished)]
        assert facts[0] == facts[1]


def test_other_images_and_other_seeds_give_other_weights(tmp_path, data, finished):
    for other in (section(file="split.npz", rows=[101, 401]), section(seed=1)):
        (order,) = planned(tmp_path, data, other)
        assert made(order) != Path(finished["weights"]).read_bytes()


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory, data):
    """The order of ``finished`` in another folder, killed after its first epoch, and what it left for resuming."""
    (order,) = planned(tmp_path_factory.mktemp("interrupted"), data, section())
    command = [sys.executable, "-m", "glitchmark.pretraining", order["order"]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as job:
        assert "epoch 1 of 3" in job.stdout.readline()
        os.kill(job.pid, signal.SIGKILL)
        assert job.wait() == -signal.SIGKILL
    assert not Path(order["weights"]).exists()
    return order, Path(order["resume"]).read_bytes()


def test_a_killed_job_started_again_gives_the_same_bytes(interrupted, finished, capsys):
    order, left = interrupted
    Path(order["resume"]).write_bytes(left)
    assert made(order) == Path(finished["weights"]).read_bytes()
    assert "epoch 1 of 3" not in capsys.readouterr().out
    assert not Path(order["resume"]).exists()
    assert Path(order["manifest"]).is_file()


@pytest.mark.parametrize("what", ["a bit flipped", "cut short", "no training's state", "of another recipe"])
def test_a_damaged_or_foreign_resume_file_starts_anew(tmp_path, interrupted, data, what, capsys):
    order, left = interrupted
    middle = len(left) // 2
    content = {
        "a bit flipped": left[:middle] + bytes([left[middle] ^ 1]) + left[middle + 1 :],
        "cut short": left[:-100],
        "no training's state": b"something else",
        "of another recipe": left,
    }[what]
    digest = "0" if what == "of another recipe" else order["digest"]
    (short,) = planned(tmp_path, data, section())
    short |= {"digest": digest, "recipe": short["recipe"] | {"epochs": 1}}  # so that it is soon done
    Path(short["resume"]).parent.mkdir(parents=True)
    Path(short["resume"]).write_bytes(content)
    pretraining.pretrain(short)
    said = capsys.readouterr().out
    assert "resnet20.resume is damaged or of another recipe" in said
    assert "epoch 1 of 1" in said


# The card


def test_the_card_says_it_all():
    (order, *_) = planned_of_configs(CONFIGS[:1])
    facts = {
        "accuracy": 0.87654, "parameters": 272474, "shape": (32, 32), "training": 18000, "held_out": 2000,
        "digest": "d" * 32, "commit": "abc1234", "libraries": {"torch": "2.15.0", "timm": "1.0.31"}, "minutes": 71.6,
        "device": "1 thread of a CPU",
    }  # fmt: skip
    text = pretraining.card(order, facts)
    for part in ("# resnet20\n", "272474", "32 x 32", "0.8765 on the 2000", "18000 images to train", "d" * 32,
                 "abc1234", "torch 2.15.0", "timm 1.0.31", "72 min", "1 thread", "Krizhevsky", "| epochs | 30 |",
                 "Nesterov", "0.1, 3 epochs", "0.0005", "| batch size | 128 |", "| seed | 0 |"):  # fmt: skip
        assert part in " ".join(text.split("\n  ")), part
    assert max(map(len, text.split("\n"))) <= 120


def planned_of_configs(configs, *settings):
    return recipes.orders(validated(read(ROOT, list(configs), list(settings)), ROOT))


# What the config says


def test_the_shipped_configs(tmp_path):
    upstream = planned_of_configs(CONFIGS[:1])
    assert [order["recipe"]["name"] for order in upstream] == ["resnet20", "vit_cifar", "convnext_cifar"]
    assert {tuple(order["rows"]) for order in upstream} == {(10000, 30000)}
    assert upstream[0]["loader"]["name"] == "cifar10"
    assert upstream[0]["weights"] == "src/glitchmark/pretrained/resnet20.safetensors"

    x, y = images(200)
    np.savez(tmp_path / "cifar10.npz", x=x, y=y, split=np.repeat(["train", "upstream"], [20, 180]))
    local = planned_of_configs(CONFIGS, f"data_dir={tmp_path}")
    assert [order["recipe"] for order in local] == [order["recipe"] for order in upstream]
    assert {tuple(order["rows"]) for order in local} == {(0, 180)}
    assert planned_of_configs([]) == []


BROKEN = {
    "no data set": ({"recipes": [RECIPE]}, ["pretraining", "lacks the key 'dataset'"]),
    "unknown data set": (section() | {"dataset": "cifar"}, ["pretraining.dataset", "cifar", "did you mean 'cifar10'"]),
    "missing file": (section(file="no.npz"), ["pretraining.dataset", "no.npz", "does not exist"]),
    "unknown parameter": (
        section() | {"dataset": {"name": "digits", "size": 3}}, ["pretraining.dataset", "unknown key 'size'"]),
    "a table": (section(file="table.npz"), ["pretraining.dataset", "'mine' holds no images"]),
    "size unknown": (
        section() | {"dataset": {"name": "mine", "loader": "torchvision", "dataset": "KMNIST"}},
        ["pretraining.dataset", "how many samples", "npz"]),
    "rows beyond the end": (section(rows=[0, 301]), ["pretraining.rows", "[0, 301]", "300 samples of 'mine'"]),
    "no rows": (section(rows=[20, 20]), ["pretraining.rows", "[20, 20]", "later end"]),
    "one row": (section(rows=[20]), ["pretraining.rows", "at least 2"]),
    "nothing held out": (section(rows=[0, 40], held_out=0.01), ["pretraining.held_out", "0.01 of 40", "larger"]),
    "all held out": (section(held_out=1), ["pretraining.held_out", "less than 1"]),
    "misspelt key": (section(helt_out=0.1), ["pretraining.helt_out", "did you mean 'held_out'"]),
    "unknown model": (section(RECIPE | {"name": "resnet21"}), ["recipes[0].name", "did you mean 'resnet20'"]),
    "a table's model": (section(RECIPE | {"name": "mlp"}), ["recipes[0].name", "'mlp' reads a table"]),
    "unknown optimizer": (section(RECIPE | {"optimizer": "adam"}), ["recipes[0].optimizer", "'adamw'"]),
    "no epochs": (section({k: v for k, v in RECIPE.items() if k != "epochs"}), ["recipes[0]", "key 'epochs'"]),
    "mix beyond 1": (section(RECIPE | {"mix": 1.5}), ["recipes[0].mix", "1.5"]),
    "batch too large": (section(RECIPE | {"batch_size": 271}), ["recipes[0].batch_size", "271", "270 samples"]),
    "a model's own key": (section(RECIPE | {"name": "timm"}), ["recipes[0].name", "needs the key 'architecture'"]),
    "same model twice": (section() | {"recipes": [RECIPE, RECIPE]}, ["recipes[1].name", "'resnet20'", "twice"]),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_config_is_refused(tmp_path, data, name):
    broken, fragments = BROKEN[name]
    with pytest.raises(UserError) as caught:
        planned(tmp_path, data, broken)
    message = str(caught.value)
    assert re.match(r"config: (unknown key ')?pretraining", message)
    assert "\n" not in message
    for fragment in fragments:
        assert fragment in message


@pytest.mark.parametrize(
    ("broken", "fragment"),
    [
        (section(RECIPE | {"learning_rate": 1e9}), "diverged in epoch"),
        (
            section(file="test.npz", split="train", test_split="test"),
            r"rows: \[0, 600\] holds samples of .* test split",
        ),
        (section(file="small.npz"), "4 x 4 pixels cannot be moved"),
    ],
    ids=["diverged", "test split", "small"],
)
def test_what_a_job_finds_out_is_one_sentence(tmp_path, data, capsys, broken, fragment):
    (order,) = planned(tmp_path, data, broken)
    assert pretraining.main(order["order"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"glitchmark: pretraining {order['recipe']['name']}: ")
    assert re.search(fragment, line)
    assert not Path(order["weights"]).exists()
    assert not Path(order["manifest"]).exists()


def test_data_that_change_after_the_plan(tmp_path, data, capsys):
    shutil.copy(data / "all.npz", tmp_path / "all.npz")
    (order,) = planned(tmp_path, tmp_path, section())
    x, y = images(200)
    np.savez(tmp_path / "all.npz", x=x, y=y)
    assert pretraining.main(order["order"]) == 2
    assert "changed since this run was planned" in capsys.readouterr().err


def test_what_the_weights_depend_on_names_the_manifest(tmp_path, data):
    (one,) = planned(tmp_path / "a", data, section())
    (moved,) = planned(tmp_path / "b", data, section())
    assert one["digest"] == moved["digest"]
    others = [section(source="another text"), section(seed=1), section(rows=[0, 299]), section(held_out=0.2),
              section(RECIPE | {"mix": 0.4}), section(file="split.npz", split="upstream")]  # fmt: skip
    digests = {planned(tmp_path / "c", data, other)[0]["digest"] for other in others}
    assert len(digests | {one["digest"]}) == len(others) + 1


# The rule


def snakemake(folder, *arguments):
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "pretrain", "--snakefile", str(ROOT / "Snakefile")]
    return subprocess.run(
        [*command, "--directory", str(folder), *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_rule(tmp_path, data, finished):
    diverging = RECIPE | {"name": "vit_cifar", "learning_rate": 1e9}
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(yaml.safe_dump({"pretraining": section() | {"recipes": [RECIPE, diverging]}}))
    arguments = ["--configfile", *CONFIGS, str(overlay), "--config", f"data_dir={data}", "weights_dir=weights"]
    weights = tmp_path / "weights"
    weights.mkdir()
    for name in ("resnet20", "vit_cifar"):
        (weights / f"{name}.safetensors").write_text("of another recipe")

    done = snakemake(tmp_path, *arguments)
    assert done.returncode != 0
    assert "glitchmark: pretraining vit_cifar: training diverged in epoch" in done.stdout + done.stderr
    assert (weights / "resnet20.safetensors").read_bytes() == Path(finished["weights"]).read_bytes()
    assert (weights / "resnet20.md").read_text().startswith("# resnet20\n")
    assert (weights / "vit_cifar.safetensors").read_text() == "of another recipe"

    again = snakemake(tmp_path, "--dry-run", *arguments)
    assert "pretrain_vit_cifar" in again.stdout + again.stderr
    assert "pretrain_resnet20" not in again.stdout + again.stderr


def test_without_recipes_the_rule_says_what_to_add(tmp_path):
    done = snakemake(tmp_path)
    assert done.returncode != 0
    assert "add --configfile config/pretrain.yaml" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
