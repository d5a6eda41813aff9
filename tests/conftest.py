"""What several tests share: factors of made-up models, and real runs of the workflow."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from glitchmark.influence.factors import Factors

settings.register_profile("default", deadline=None)  # a busy machine is no error
settings.load_profile("default")

ROOT = Path(__file__).parents[1]


def random_factors(seed: int, *, n=40, m=25, d=6, classes=4, checkpoints=3, frozen=False, scale=2.0) -> Factors:
    """Factors with random features, logits and labels; every class is among the validation labels."""
    rng = np.random.default_rng(seed)
    kept = 1 if frozen else checkpoints
    return Factors(
        features_train=rng.normal(size=(kept, n, d)).astype(np.float32),
        features_val=rng.normal(size=(kept, m, d)).astype(np.float32),
        logits_train=(scale * rng.normal(size=(checkpoints, n, classes))).astype(np.float32),
        logits_val=(scale * rng.normal(size=(checkpoints, m, classes))).astype(np.float32),
        labels_train=rng.integers(classes, size=n),
        labels_val=np.concatenate([np.arange(classes), rng.integers(classes, size=m - classes)]),
        learning_rates=rng.uniform(0.01, 0.1, checkpoints),
        batch_size=16,
    )


@pytest.fixture(scope="module")
def one_thread():
    """One thread for torch, as jobs have: results are compared with theirs, and threads that wait for each other on a
    busy machine take longer."""
    import torch  # two seconds, for the modules that ask for it

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _sys_path_of_its_own(monkeypatch):
    """A plug-in file's folder stays on sys.path, as a job wants it; a test's must not reach the next one."""
    monkeypatch.setattr(sys, "path", list(sys.path))


@dataclass
class Project:
    """Runs of the real workflow with results in a temporary folder, and this project's code."""

    folder: Path
    configfile: Path = ROOT / "config" / "smoke.yaml"

    def run(self, *config: str, cores: int = 2, hash_seed: str = "random", check: bool = True, more=(), **keys):
        """snakemake on the smoke grid; config: key=value settings, keys: settings whose value is JSON."""
        settings = [*config, *(f"{key}={json.dumps(value)}" for key, value in keys.items())]
        command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--snakefile", str(ROOT / "Snakefile")]
        command += ["--directory", str(self.folder), "--configfile", str(self.configfile)]
        command += [*more, "--config", *settings] if settings else list(more)
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "COLUMNS": "200"}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        if check:
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
        return done

    @property
    def results(self) -> Path:
        """The run's tables."""
        return self.folder / "results" / "smoke"

    def entries(self) -> dict[str, dict]:
        """Key -> record of every stored result."""
        return {p.parent.name: json.loads(p.read_text()) for p in self.folder.glob("results/store/[!.]*/entry.json")}


@pytest.fixture
def project(tmp_path):
    """An empty project folder."""
    return Project(tmp_path)
