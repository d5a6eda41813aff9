"""What the README shows works as it stands there."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
from PIL import Image

from conftest import ROOT, Project, random_factors

README = (ROOT / "README.md").read_text()


def block(language, holding):
    """The README's code block in a language that holds a text."""
    (found,) = [b for b in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if holding in b]
    return found


def test_a_signal_in_one_file(project):
    (project.folder / "my_signal.py").write_text(block("python", "my_signal"))
    project.run(seeds=[0], datasets=["wine"], models=["mlp"], glitches=["none"], detectors=[], figures=[],
                signals=["si", "cnci", "./my_signal.py"])  # fmt: skip
    assert "rank_my_signal" in (project.results / "ranked" / "wine-mlp.csv").read_text()


def test_the_library_alone_needs_no_torch(tmp_path):
    np.savez(tmp_path / "factors.npz", **vars(random_factors(0)))
    code = (
        block("python", "factors.npz") + "\nimport sys\nassert 'torch' not in sys.modules and len(scores.score) == 40"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_ones_own_data(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(60):
        folder = tmp_path / "photos" / ("dark", "light")[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        size = (40 + i, 50, 3) if i % 3 else (36, 60, 3)
        Image.fromarray((rng.integers(0, 100, size) + 120 * (i % 2)).astype(np.uint8)).save(folder / f"{i}.jpg")
    income = rng.normal(30, 10, 80)
    loans = pd.DataFrame({"income": income, "home": rng.choice(["rent", "own", None], 80)})
    loans["outcome"] = np.where(income > 30, "paid", "defaulted")
    loans.loc[3, "income"] = np.nan
    loans.to_csv(tmp_path / "loans.csv", index=False)
    (tmp_path / "mine.yaml").write_text(block("yaml", "loans.csv"))
    project = Project(tmp_path, tmp_path / "mine.yaml")
    project.run(seeds=[0], detectors=[], signals=["si", "cnci"], figures=[])
    ranked = tmp_path / "results" / "mine" / "ranked"
    assert len(pd.read_csv(ranked / "photos-vit_cifar.csv")) == 48
    table = pd.read_csv(ranked / "loans-mlp.csv")
    assert len(table) == 64
    assert set(table["observed_label"]) == {"paid", "defaulted"}
    assert (tmp_path / "figures" / "mine" / "samples" / "photos-none-0.png").is_file()
