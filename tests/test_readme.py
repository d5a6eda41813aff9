"""What the README shows works as it stands there."""

import re
import subprocess
import sys

import numpy as np

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
    y = np.repeat([0, 1], 40)
    np.savez(tmp_path / "mine.npz", x=rng.normal(size=(80, 4)) + y[:, None], y=y)
    (tmp_path / "mine.yaml").write_text(block("yaml", "mine.npz"))
    project = Project(tmp_path, tmp_path / "mine.yaml")
    project.run(seeds=[0], detectors=[])
    assert (tmp_path / "results" / "mine" / "ranked" / "mine-mlp.csv").is_file()
