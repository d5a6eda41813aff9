"""What the influence pass costs, against the matrix products that bound it and against Captum.

    python benchmarks/influence.py [--threads 2] [section ...]

Both sides of a claim are measured in the same run, by turns, so that other work on the machine slows both. A ratio is
the median over the turns; times are printed as median (best..worst). Everything is run once before it is timed, so that
no compilation counts. Both sides have the same number of threads; with one, times are processor time, which other work
changes less. A product is this machine's own float32 rate, NumPy's. Memory is that of a fresh process: its peak (VmHWM)
during pass and self-influence, minus what it held before: the factors, libraries and compiled code. Linux only. The
exit status is 1 if a target is missed.
"""

import argparse
import ctypes
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from glitchmark import registry
from glitchmark.errors import CellError
from glitchmark.influence.engine import Build, class_sums
from glitchmark.influence.estimators.tracin import TracIn
from glitchmark.influence.factors import Factors
from glitchmark.influence.sums import Sums
from glitchmark.influence.view import Influence

KDD_SIGNALS = ("si", "mi", "neg_mi", "aai", "gd_class", "cnci", "pcid", "cfrank")  # Myrtakis et al., KDD 2025
BATCH = 128
LATENT = 24  # dimensions that the classes of made-up features differ in
PAUSE = 0.1  # seconds between timings: idle BLAS and OpenMP threads spin for some 30 ms before they sleep


@dataclass(frozen=True)
class Row:
    """A line of the table. measured, reference: as printed. ratio: None where nothing is compared. target: what the
    ratio must not exceed, or must reach if ``at_least``; None for information."""

    what: str
    measured: str
    reference: str = ""
    ratio: float | None = None
    target: float | None = None
    at_least: bool = False

    @property
    def ok(self) -> bool:
        """Whether the target is met; true where there is none."""
        return self.target is None or (self.ratio >= self.target if self.at_least else self.ratio <= self.target)

    def cells(self) -> list[str]:
        """The line as text."""
        ratio = "" if self.ratio is None else f"{self.ratio:.3g}"
        if self.target is None:
            return [self.what, self.measured, self.reference, ratio, "", ""]
        target = f"{'>=' if self.at_least else '<='} {self.target:g}"
        return [self.what, self.measured, self.reference, ratio, target, "yes" if self.ok else "NO"]


@dataclass(frozen=True)
class Times:
    """Seconds of several runs of one thing."""

    seconds: np.ndarray

    @property
    def typical(self) -> float:
        """The median."""
        return float(np.median(self.seconds))

    def __truediv__(self, other: "Times") -> float:
        """How many times the other's time, turn by turn: the median."""
        return float(np.median(self.seconds / other.seconds))

    def __str__(self) -> str:
        unit, scale = ("s", 1) if self.typical >= 1 else ("ms", 1000)
        best, worst = scale * self.seconds.min(), scale * self.seconds.max()
        return f"{scale * self.typical:.3g} ({best:.3g}..{worst:.3g}) {unit}"


def main() -> None:
    """Print the table of each section; exit with 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="section", help=f"{', '.join(SECTIONS)}; all if left out")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(child(**json.loads(arguments.child))))
        return
    unknown = set(arguments.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"unknown section {', '.join(sorted(unknown))}; there are: {', '.join(SECTIONS)}")
    met = True
    with threadpool_limits(arguments.threads):
        for name in arguments.sections or SECTIONS:
            print(f"\n{name} ({arguments.threads} threads): {SECTIONS[name].__doc__}", flush=True)
            rows = SECTIONS[name](arguments.threads)
            print_table(rows)
            met &= all(row.ok for row in rows)
    sys.exit(not met)


def frozen(threads: int) -> list[Row]:
    """n=10000, m=1000, d=512, C=10, T=7, shared features: all that the KDD 2025 signals need, and the signals."""
    factors, heads = made(10000, 1000, 512)
    everything, one_pass, own, signals, kernels = by_turns(
        threads,
        15,
        partial(kdd_signals, TracIn, factors, threads),
        partial(class_sums, TracIn, factors, threads=threads),
        lambda: TracIn(factors).self_influence(),
        partial(score, factors, class_sums(TracIn, factors, self_influence=True, threads=threads)),
        lambda: factors.features_train[0] @ factors.features_val[0].T,
    )
    # last, since it brings another thread pool with it
    captum, batch_size = captum_at_its_best(factors, heads, threads, sliced=False)
    sliced, slice_size = captum_at_its_best(factors, heads, threads, sliced=True)
    bare = partial(TracIn, bias=False)
    captums, fastest, same, more = by_turns(
        threads,
        7,
        captum,
        sliced,
        partial(class_sums, bare, factors, counterfactual=False, threads=threads),
        partial(class_sums, bare, factors, threads=threads),
    )
    expected = captum().numpy().T[:500]
    error = np.abs(bare(factors).rows(0, 500).matrix() - expected).max() / np.abs(expected).max()
    return [
        against("class sums / n x m x d product", one_pass, kernels, 1.5),
        against("  with self-influence and the 8 signals", everything, kernels),
        against("  self-influence alone", own, kernels),
        against("  8 signals alone", signals, kernels),
        faster(f"Captum on a data set (batch_size={batch_size}) / class sums of the same matrix", captums, same, 8),
        faster("  / with counterfactual class sums, which Captum has none of", captums, more),
        faster(f"Captum on ready-made batches (of {slice_size}) / class sums of the same matrix", fastest, same),
        faster("  / with counterfactual class sums, which Captum has none of", fastest, more),
        Row("largest difference from Captum's matrix, relative", f"{error:.1e}", ratio=error, target=1e-4),
    ]


def changing(threads: int) -> list[Row]:
    """n=10000, m=1000, d=512, C=10, T=7, features that differ by checkpoint: the same."""
    factors, _ = made(10000, 1000, 512, frozen=False)
    everything, one_pass, kernels = by_turns(
        threads,
        7,
        partial(kdd_signals, TracIn, factors, threads),
        partial(class_sums, TracIn, factors, threads=threads),
        products(factors.features_train, factors.features_val),
    )
    return [
        against("class sums / T products n x m x d", one_pass, kernels, 1.5),
        against("  with self-influence and the 8 signals", everything, kernels),
    ]


def large(threads: int) -> list[Row]:
    """n=60000, m=10000, d=768, C=10, T=4, shared features: peak memory and time of the pass."""
    sizes = {"n": 60000, "m": 10000, "d": 768, "checkpoints": 4}
    measured = in_child("tracin", sizes, threads)
    factors, _ = made(**sizes)
    train, val = (side_by_side(logits) for logits in (factors.logits_train, factors.logits_val))
    one_pass, kernels, residual_products = by_turns(
        threads,
        3,
        partial(class_sums, TracIn, factors, threads=threads),
        products(factors.features_train, factors.features_val),
        products(train, val),
    )
    memory = measured["megabytes"]
    return [
        Row("peak memory beyond the factors, MB", f"{memory:.0f} MB", "512 MB", memory, 512),
        against("pass / n x m x d product", one_pass, kernels, 2),
        against("  residual product, n x m x T C", residual_products, kernels),
    ]


def bootstraps(threads: int) -> list[Row]:
    """n=5000, m=1000, d=512, C=10, T=7, shared features: 6 validation ratios x 100 bootstraps in one pass."""
    factors, _ = made(5000, 1000, 512)
    rng, m = np.random.default_rng(1), factors.n_val
    # what a draw with replacement holds; 2 to 20 % of all samples where the validation part is 20 %
    subsets = np.zeros((600, m), bool)
    for s, share in enumerate(np.repeat([0.1, 0.2, 0.4, 0.6, 0.8, 1.0], 100)):
        subsets[s, rng.integers(m, size=round(share * m))] = True
    sums = class_sums(TracIn, factors, subsets, threads=threads)
    mislabeled, anomalous = signal("cnci"), signal("pcid")

    def scoring() -> None:
        for s, subset in enumerate(subsets):
            influence = of_subset(factors, subset, at(sums, s))
            mislabeled(influence), anomalous(influence)

    many, one, scored = by_turns(
        threads,
        5,
        partial(class_sums, TracIn, factors, subsets, threads=threads),
        partial(class_sums, TracIn, factors, threads=threads),
        scoring,
    )
    return [
        against("pass with 600 subsets / pass with one", many, one, 20),
        against("  CNCI and PCID of 600 subsets / pass with one", scored, one),
        Row("  different ncf a sample, mean over samples", f"{distinct(sums.ncf):.2f}"),
        Row("  different pcf a sample, mean over samples", f"{distinct(sums.pcf):.2f}"),
    ]


def scaling(threads: int) -> list[Row]:
    """d=256, C=10, T=7, shared features: exponents of time and memory of the pass in n (m=1000) and in m (n=10000)."""
    rows = []
    for axis, fixed, values in (
        ("n", {"m": 1000}, (10000, 20000, 40000, 80000)),
        ("m", {"n": 10000}, (500, 1000, 2000, 4000)),
    ):
        sizes = [{**fixed, axis: value, "d": 256} for value in values]
        times = by_turns(threads, 5, *(partial(class_sums, TracIn, made(**s)[0], threads=threads) for s in sizes))
        memory = [in_child("tracin", s, threads)["megabytes"] for s in sizes]
        for value, seconds, megabytes in zip(values, times, memory, strict=True):
            rows.append(Row(f"  {axis}={value}", f"{seconds}, {megabytes:.0f} MB"))
        for what, y in (("time", [t.typical for t in times]), ("memory", memory)):
            exponent = np.polyfit(np.log(values), np.log(y), 1)[0]
            rows.append(Row(f"exponent of {what} in {axis}", f"{exponent:.2f}", "1", exponent, 1.15))
    return rows


def estimators(threads: int) -> list[Row]:
    """n=2000 (loo: 300), m=500, d=64, C=10, T=7, shared features: building, pass and self-influence."""
    rows = []
    for name in registry.names("estimator"):
        measured = in_child(name, {"n": 300 if name == "loo" else 2000, "m": 500, "d": 64}, threads)
        if "reason" in measured:
            rows.append(Row(name, f"failed: {measured['reason']}"))
        else:
            rows.append(Row(name, f"{measured['seconds']:.3g} s, {measured['megabytes']:.0f} MB"))
    return rows


SECTIONS = {
    "frozen": frozen,
    "changing": changing,
    "large": large,
    "bootstraps": bootstraps,
    "scaling": scaling,
    "estimators": estimators,
}


def made(
    n: int, m: int, d: int, classes: int = 10, checkpoints: int = 7, frozen: bool = True
) -> tuple[Factors, list[tuple[np.ndarray, np.ndarray]]]:
    """Factors of a linear classifier that was really trained, and its (weights (C, d), bias (C,)) at each checkpoint.

    Features are rectified normal clusters in a few dimensions, spread over d, so that some classes are closer than
    others; with ``frozen`` off they move apart from checkpoint to checkpoint. A tenth of the training labels is random.
    A checkpoint is an epoch of SGD. Accuracy is about 0.9, and ncf and pcf vary between bootstraps as they do for a
    small network on real digits.
    """
    rng = np.random.default_rng(0)
    truth = rng.integers(classes, size=n + m)
    observed = np.where(rng.random(n + m) < 0.1, rng.integers(classes, size=n + m), truth)
    centres = np.float32(0.7) * rng.standard_normal((classes, LATENT), np.float32)
    within = rng.standard_normal((n + m, LATENT), np.float32)
    spread = rng.standard_normal((LATENT, d), np.float32) / np.float32(np.sqrt(LATENT))
    noise = rng.standard_normal((n + m, d), np.float32)
    rate = 8 / d
    weights, bias = np.zeros((classes, d), np.float32), np.zeros(classes, np.float32)
    features, logits, heads = [], [], []
    for t in range(checkpoints):
        if not (frozen and t):
            apart = np.float32(1 if frozen else (t + 1) / checkpoints)
            features.append(np.maximum((apart * centres[truth] + within) @ spread + noise, 0))
        for rows in np.array_split(rng.permutation(n), max(1, n // BATCH)):
            x = features[-1][rows]
            z = x @ weights.T + bias
            p = np.exp(z - z.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            p[np.arange(len(rows)), observed[rows]] -= 1
            weights = weights - np.float32(rate / len(rows)) * (p.T @ x)
            bias = bias - np.float32(rate / len(rows)) * p.sum(axis=0)
        logits.append(features[-1] @ weights.T + bias)
        heads.append((weights, bias))
    features, logits = np.stack(features), np.stack(logits)
    factors = Factors(
        features_train=features[:, :n],
        features_val=features[:, n:],
        logits_train=logits[:, :n],
        logits_val=logits[:, n:],
        labels_train=observed[:n],
        labels_val=truth[n:],
        learning_rates=np.full(checkpoints, rate),
        batch_size=BATCH,
    )
    return factors, heads


def kdd_signals(build: Build, factors: Factors, threads: int) -> None:
    """All that the KDD 2025 signals need, and the signals, from the factors."""
    score(factors, class_sums(build, factors, self_influence=True, threads=threads))


def score(factors: Factors, sums: Sums) -> None:
    """The KDD 2025 signals of sums that are there."""
    influence = of_subset(factors, np.ones(factors.n_val, bool), sums)
    for name in KDD_SIGNALS:
        signal(name)(influence)


def of_subset(factors: Factors, subset: np.ndarray, sums: Sums) -> Influence:
    """What a signal reads, from the sums of one subset."""
    return Influence(factors.labels_train, factors.n_classes, subset, 0, {"sums": lambda: sums})


def captum_at_its_best(factors: Factors, heads: list, threads: int, sliced: bool) -> tuple[Callable, int]:
    """Captum's TracInCPFast, which makes a matrix (m, n), at its best batch size, and that size.

    Its model is the last layer on given features, and the checkpoints are in memory. It is given a data set and
    batch_size, as its documentation does, or if ``sliced`` a loader whose batches are slices of the arrays.
    """
    import torch
    from captum.influence import TracInCPFast
    from torch.utils.data import BatchSampler, DataLoader, SequentialSampler, TensorDataset

    torch.set_num_threads(threads)
    fc = torch.nn.Linear(factors.features_train.shape[2], factors.n_classes)
    model = torch.nn.Sequential(torch.nn.Identity(), fc)
    states = [
        ({"weight": torch.from_numpy(weights), "bias": torch.from_numpy(bias)}, rate)
        for (weights, bias), rate in zip(heads, factors.learning_rates, strict=True)
    ]

    def load(_: torch.nn.Module, state: tuple) -> float:
        fc.load_state_dict(state[0])
        return state[1]

    train = TensorDataset(*map(torch.from_numpy, (factors.features_train[0], factors.labels_train)))
    val = tuple(map(torch.from_numpy, (factors.features_val[0], factors.labels_val)))

    def influence(batch_size: int) -> torch.Tensor:
        loss = torch.nn.CrossEntropyLoss(reduction="sum")
        if not sliced:
            return TracInCPFast(model, fc, train, states, load, loss, batch_size=batch_size).influence(val)
        # the sampler asks for a whole batch at once
        batches = DataLoader(train, None, sampler=BatchSampler(SequentialSampler(train), batch_size, False))
        return TracInCPFast(model, fc, batches, states, load, loss).influence(val)

    sizes = (500, 1000, 2000, 5000)
    times = dict(zip(sizes, by_turns(threads, 3, *(partial(influence, size) for size in sizes)), strict=True))
    best = min(sizes, key=lambda size: times[size].typical)
    return partial(influence, best), best


def products(left: np.ndarray, right: np.ndarray) -> Callable[[], None]:
    """The float32 products left[t] @ right[t].T of (T, n, d) and (T, m, d), row block by row block into one array."""
    blocks = [slice(start, start + 2048) for start in range(0, left.shape[1], 2048)]
    transposed = [np.ascontiguousarray(r.T) for r in right]
    out = np.zeros((2048, right.shape[1]), np.float32)

    def run() -> None:
        for t, r in enumerate(transposed):
            for block in blocks:
                rows = left[t, block]
                np.matmul(rows, r, out=out[: len(rows)])

    return run


def side_by_side(logits: np.ndarray) -> np.ndarray:
    """(T, k, C) -> (1, k, T C)."""
    return np.ascontiguousarray(logits.transpose(1, 0, 2)).reshape(1, logits.shape[1], -1)


def by_turns(threads: int, repeats: int, *things: Callable[[], object]) -> list[Times]:
    """Times of several things, each run once in every turn, and once before any is timed."""
    clock = time.process_time if threads == 1 else time.perf_counter
    for thing in things:
        thing()
    seconds = np.empty((len(things), repeats))
    for turn in range(repeats):
        for i, thing in enumerate(things):
            time.sleep(PAUSE)
            start = clock()
            thing()
            seconds[i, turn] = clock() - start
    return [Times(s) for s in seconds]


def against(what: str, measured: Times, reference: Times, target: float | None = None) -> Row:
    """A line on how many times the reference the measured time is."""
    return Row(what, str(measured), str(reference), measured / reference, target)


def faster(what: str, slow: Times, fast: Times, target: float | None = None) -> Row:
    """A line on how many times faster the fast side is."""
    return Row(what, str(slow), str(fast), slow / fast, target, at_least=True)


def signal(name: str) -> Callable:
    """The signal's function."""
    return registry.load("signal", name).function


def at(sums: Sums, s: int) -> Sums:
    """The sums of one subset alone."""
    by_subset = (sums.neg, sums.pos, sums.ncf, sums.pcf, sums.ncf_neg, sums.pcf_pos)
    return Sums(*(array[s : s + 1] for array in by_subset))


def distinct(labels: np.ndarray) -> float:
    """How many labels occur in a column of labels (S, n), on average."""
    return float(np.mean([len(np.unique(column)) for column in labels.T]))


def in_child(estimator: str, sizes: dict[str, int], threads: int) -> dict[str, float | str]:
    """What ``child`` measures, in a process of its own."""
    order = json.dumps({"estimator": estimator, "sizes": sizes, "threads": threads})
    command = [sys.executable, __file__, "--child", order]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def child(estimator: str, sizes: dict[str, int], threads: int) -> dict[str, float | str]:
    """Seconds and megabytes beyond the factors of a pass and self-influence; the reason where it raises CellError."""
    build = registry.load("estimator", estimator).function
    factors, _ = made(**sizes)
    with threadpool_limits(threads):
        try:
            class_sums(build, made(40, 30, 8)[0], self_influence=True, threads=threads)
            before = reset_peak()
            start = time.perf_counter()
            class_sums(build, factors, self_influence=True, threads=threads)
        except CellError as error:
            return {"reason": str(error)}
        return {"seconds": time.perf_counter() - start, "megabytes": memory("VmHWM") - before}


def reset_peak() -> float:
    """Forget the process's peak memory so far; returns what it holds now, in megabytes."""
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # else the pass could reuse freed memory, unseen
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")


def memory(field: str) -> float:
    """A field of /proc/self/status, in megabytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{field}:"))) / 1024


def print_table(rows: list[Row]) -> None:
    """The lines under one another, columns aligned."""
    table = [["what", "measured", "reference", "ratio", "target", "ok"], *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        print(" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip(), flush=True)


if __name__ == "__main__":
    main()
