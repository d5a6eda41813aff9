"""The grid as nodes: one result each, with the key of everything that it really depends on.

Keys form a Merkle tree: a node's key covers its spec, the sources and library versions of its stage and plug-ins,
and the keys of its inputs. All of it is known before anything runs.
"""

from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from glitchmark.grid import Dataset, Detector, Estimator, Glitch, Grid, Method, Model, Repair
from glitchmark.keys import canonical, fingerprint
from glitchmark.nodes import Measurement, Node, code
from glitchmark.registry import Plugin

Cell = tuple[Dataset, Model, Glitch, int]

# what signals that read an estimator's influence get beside the factors, by what they declare
INFLUENCE = {"influence": ("influence",), "dynamics": ("influence", "dynamics")}


class Plan:
    """Every node of a grid, inputs before what reads them, and what is measured."""

    def __init__(self, grid: Grid):
        self.grid, self.config = grid, grid.config
        self.nodes: dict[str, Node] = {}
        self.measurements: list[Measurement] = []
        self._made: dict[tuple, str] = {}
        # what methods found, by glitch, data set, seed and model
        self._found: dict[tuple[str, str, int, str], list[Measurement]] = {}
        for dataset in self.grid.datasets:
            for seed in self.config["seeds"]:
                for glitch in self.grid.glitches:
                    if glitch.applies_to(dataset):
                        self._detectors(dataset, None, glitch, seed)
        for dataset, model in self.grid.pairs():
            for seed in self.config["seeds"]:
                for glitch in self.grid.glitches:
                    if glitch.applies_to(dataset):
                        self._cell(dataset, model, glitch, seed)
        for toy in self.grid.toys:
            for seed in self.config["seeds"]:
                self._toy(toy, seed)

    def injections(self) -> list[dict[str, Any]]:
        """Each data set with each glitch that applies to it and each seed: what it is called, and the keys of its pool,
        subset and training data."""
        return [
            {
                "dataset": dataset.id,
                "modality": dataset.description.modality,
                "glitch": glitch.id,
                "ratio": glitch.ratio,
                "seed": seed,
                "pool": self._pool(dataset),
                "subset": self._subset(dataset, seed),
                "inject": self._inject(dataset, glitch, seed),
            }
            for dataset in self.grid.datasets
            for glitch in self.grid.glitches
            if glitch.applies_to(dataset)
            for seed in self.config["seeds"]
        ]

    def _cell(self, dataset: Dataset, model: Model, glitch: Glitch, seed: int) -> None:
        cell = (dataset, model, glitch, seed)
        train = self._fit("train", *cell)
        self._measure(train, *cell)
        self._unvalidated(train, cell)
        for noise in self.config["validation_noise"]:
            self._validated(train, cell, noise)
        if self.grid.reference:
            self._agreement(train, cell, self.grid.reference)
        self._detectors(*cell)
        if self.config["class_pairs"]:
            spec = self._drawn(dataset, seed)
            key = self._node("pairs", f"{dataset.id}-{model.id}", spec, {"train": train}, [])
            self._measure(key, *cell)
        for repair in self.grid.repairs:
            if repair.applies_to(model, glitch):
                self._repaired(cell, repair)

    def _unvalidated(self, train: str, cell: Cell) -> None:
        """What reads no validation samples: influence on the training samples, signals of the training alone."""
        for estimator in self.grid.estimators:
            if estimator.against == "training":
                self._estimator(train, cell, estimator, 0.0, [(0.0, 0)])
        for method in self.grid.signals:
            if method.plugin.info["reads"] == "training":
                spec = self._drawn(cell[0], cell[3]) | {"signal": method.ref}
                key = self._node("score", method.id, spec, {"train": train}, [method.plugin])
                self._measure(key, *cell, method=method, rows=[(0.0, 0)])

    def _validated(self, train: str, cell: Cell, noise: float) -> None:
        """What reads validation samples, under one ratio of noise in their labels."""
        for estimator in self.grid.estimators:
            if estimator.against == "validation":
                self._estimator(train, cell, estimator, noise, self._validation_rows())
        for method in self.grid.signals:
            if method.plugin.info["reads"] == "factors":
                spec = self._drawn(cell[0], cell[3]) | {"signal": method.ref} | self._validation("validation")
                key = self._node("score", method.id, spec, self._read(train, cell, noise), [method.plugin])
                rows = self._validation_rows()
                self._measure(key, *cell, method=method, rows=rows, validation_noise=noise)

    def _estimator(
        self, train: str, cell: Cell, estimator: Estimator, noise: float, rows: list[tuple[float, int]]
    ) -> None:
        """The class sums of an estimator, its influence by checkpoint if a signal reads it, and those signals."""
        dataset, model, _, seed = cell
        drawn, read = self._drawn(dataset, seed), self._read(train, cell, noise)
        group = f"{dataset.id}-{model.id}-{estimator.id}"
        spec = drawn | {"estimator": estimator.ref} | self._validation(estimator.against)
        inputs = read | {"influence": self._node("influence", group, spec, read, [estimator.plugin])}
        if any(signal.plugin.info["reads"] == "dynamics" for signal in self.grid.signals):
            spec = drawn | {"estimator": estimator.ref}
            inputs["dynamics"] = self._node("dynamics", group, spec, read, [estimator.plugin])
            self._measure(inputs["dynamics"], *cell, estimator=estimator.id, validation_noise=noise)
        for method in self.grid.signals:
            names = INFLUENCE.get(method.plugin.info["reads"])
            if names:
                spec = drawn | {"signal": method.ref, "estimator": estimator.ref}
                used = read | {name: inputs[name] for name in names}
                plugins = [method.plugin, estimator.plugin]
                key = self._node("score", f"{method.id}-{estimator.id}", spec, used, plugins)
                self._measure(key, *cell, method=method, estimator=estimator.id, rows=rows, validation_noise=noise)

    def _read(self, train: str, cell: Cell, noise: float) -> dict[str, str]:
        """The factors, and the labels of the validation samples where those are noisy."""
        if not noise:
            return {"train": train}
        dataset, _, _, seed = cell
        spec = self._drawn(dataset, seed) | {"validation_noise": noise}
        inputs = {"pool": self._pool(dataset), "subset": self._subset(dataset, seed)}
        return {"train": train, "validation": self._node("validation", dataset.id, spec, inputs, [])}

    def _agreement(self, train: str, cell: Cell, reference: Estimator) -> None:
        """How each estimator's influence correlates with that of the reference."""
        dataset, model, _, seed = cell
        drawn, group = self._drawn(dataset, seed), f"{dataset.id}-{model.id}"
        spec = drawn | {"estimator": reference.ref}
        matrix = self._node("matrix", f"{group}-{reference.id}", spec, {"train": train}, [reference.plugin])
        for estimator in self.grid.estimators:
            if estimator.against == reference.against:
                spec = drawn | {"estimator": estimator.ref}
                inputs = {"train": train, "matrix": matrix}
                key = self._node("agreement", f"{group}-{estimator.id}", spec, inputs, [estimator.plugin])
                self._measure(key, *cell, estimator=estimator.id)

    def _drawn(self, dataset: Dataset, seed: int) -> dict[str, Any]:
        """What the draws of a cell come from."""
        return {"dataset": dataset.id, "seed": seed}

    def _validation(self, against: str) -> dict[str, Any]:
        """The validation subsets that a result is about."""
        names = ("validation", "validation_ratios", "validation_bootstraps")
        return {name: self.config[name] for name in names} if against == "validation" else {}

    def _validation_rows(self) -> list[tuple[float, int]]:
        """Validation ratio and subset of each row of a score."""
        ratios, bootstraps = self.config["validation_ratios"], self.config["validation_bootstraps"]
        return [(ratio, subset) for ratio in ratios for subset in range(bootstraps)]

    def _detectors(self, dataset: Dataset, model: Model | None, glitch: Glitch, seed: int) -> None:
        """The detectors that read the model's output, or with no model, those that do not."""
        for method in self.grid.detectors:
            if not method.applies_to(model, glitch):
                continue
            spec = self._drawn(dataset, seed) | {"detector": method.ref}
            if "model" in method.plugin.info["reads"]:
                group = f"{method.id}-{dataset.id}-{model.id}"
                fit, inputs, paths = self._trainable(dataset, model, glitch, seed)
                plugins = [method.plugin, model.plugin]
                key = self._node("refit", group, fit | spec, inputs, plugins, paths)
            else:
                inputs = self._detected(method, dataset, model, glitch, seed)
                # one job for what reads no model: importing PyOD takes longer than many of its fits
                group = f"inputs-{dataset.id}" if model is None else f"{method.id}-{dataset.id}"
                key = self._node("detect", group, spec, inputs, [method.plugin])
            self._measure(key, dataset, model, glitch, seed, method, rows=[(0.0, 0)])

    def _detected(
        self, method: Detector, dataset: Dataset, model: Model | None, glitch: Glitch, seed: int
    ) -> dict[str, str]:
        """What a detector reads. What does not read labels does not depend on them: one result serves all glitches
        that leave inputs alone."""
        reads, pool, subset = method.plugin.info["reads"], self._pool(dataset), self._subset(dataset, seed)
        inject = self._inject(dataset, glitch, seed)
        frozen = reads == ("features",) and model.trained == "head"
        if reads == ("inputs",) or frozen:
            samples = {"inject": inject} if glitch.changes_inputs else {}
            inputs = {"pool": pool, "subset": subset} | samples
            return inputs | (self._features(dataset, model, glitch, seed) if frozen else {})
        inputs = {"pool": pool, "inject": inject}
        if "features" in reads:
            inputs["train"] = self._fit("train", dataset, model, glitch, seed)
        if "out_of_sample" in reads:
            inputs["crossval"] = self._fit("crossval", dataset, model, glitch, seed)
        return inputs

    def _repaired(self, cell: Cell, repair: Repair) -> None:
        """The model trained again on data that were repaired by what each of the methods found."""
        dataset, model, glitch, seed = cell
        where = (dataset.id, seed)
        fit, inputs, paths = self._trainable(*cell)
        spec = fit | {"checkpoints": self.config["checkpoints"], "repair": repair.ref}
        group = f"{dataset.id}-{model.id}"
        if repair.action == "perfect":
            key = self._node("retrain", group, spec, inputs, [model.plugin], paths)
            self._measure(key, *cell, action=repair.label)
            return
        least = (0.0, min(self.config["validation_noise"]))  # the former is what reads no validation samples
        there = [found for name in (model.id, "") for found in self._found.get((glitch.label, *where, name), [])]
        for found in there:
            if found.labels["method"] in repair.methods and found.labels["validation_noise"] in least:
                ratios = [ratio for ratio, _ in found.rows]
                judged = spec | {"row": ratios.index(max(ratios))}
                key = self._node("retrain", group, judged, inputs | {"judge": found.key}, [model.plugin], paths)
                method = next(m for m in (*self.grid.signals, *self.grid.detectors) if m.id == found.labels["method"])
                told = {"estimator": found.labels["estimator"], "validation_noise": found.labels["validation_noise"]}
                self._measure(key, *cell, method, action=repair.label, budget=repair.budget or 0.0, **told)

    def _toy(self, toy: Method, seed: int) -> None:
        """A toy problem, which is no data set of the grid."""
        spec = {"toy": toy.ref, "seed": seed}
        key = self._node("toy", toy.id, spec, {}, [toy.plugin])
        names = ("model", "estimator", "method", "variant", "targets", "action")
        labels = dict.fromkeys(names, "") | {
            "dataset": toy.id, "modality": "toy", "glitch": "uniform", "control": False, "ratio": 0.0,
            "validation_noise": 0.0, "seed": seed, "budget": 0.0,
        }  # fmt: skip
        self.measurements.append(Measurement(key, "toy", labels, [], "", ""))

    def _fit(self, stage: str, dataset: Dataset, model: Model, glitch: Glitch, seed: int) -> str:
        """A training: of the cell itself (stage "train"), or of its cross-validation ("crossval")."""
        own = "checkpoints" if stage == "train" else "folds"
        spec, inputs, paths = self._trainable(dataset, model, glitch, seed)
        group = f"{dataset.id}-{model.id}"
        return self._node(stage, group, spec | {own: self.config[own]}, inputs, [model.plugin], paths)

    def _trainable(
        self, dataset: Dataset, model: Model, glitch: Glitch, seed: int
    ) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
        """Spec, inputs and paths of whatever trains a cell's model."""
        spec = {"dataset": dataset.id, "device": self.config["device"], **self._model(model)}
        spec |= {"seed": seed, "settings": self.grid.settings(dataset, model)}
        inputs = {
            "pool": self._pool(dataset),
            "subset": self._subset(dataset, seed),
            "inject": self._inject(dataset, glitch, seed),
        }
        if model.trained != "all":
            inputs |= self._features(dataset, model, glitch, seed)
            spec["trunk"] = self._trunk(model)
        return spec, inputs, {"weights": model.weights} if model.weights else {}

    def _features(self, dataset: Dataset, model: Model, glitch: Glitch, seed: int) -> dict[str, str]:
        """What the frozen part computes from the subset's samples, and from those that a glitch made or changed."""
        spec = {"dataset": dataset.id, "trunk": self._trunk(model)}
        paths, group = {"weights": model.weights}, f"{dataset.id}-{model.id}"
        pool, subset = self._pool(dataset), self._subset(dataset, seed)
        own = {"pool": pool, "subset": subset}
        nodes = {"features": self._node("features", group, spec, own, [model.plugin], paths)}
        if glitch.changes_inputs:
            made = {"pool": pool, "inject": self._inject(dataset, glitch, seed)}
            nodes["changed_features"] = self._node("features", group, spec, made, [model.plugin], paths)
        return nodes

    def _trunk(self, model: Model) -> dict[str, Any]:
        """What the features of a sample depend on, besides the sample."""
        digest, libraries = code("glitchmark.training.trunk", model.plugin.origin)
        settings = {"precision": self.config["feature_precision"], "device": self.config["device"]}
        return self._model(model) | settings | {"code": digest, "libraries": libraries}

    def _model(self, model: Model) -> dict[str, Any]:
        return {
            "model": {"name": model.plugin.name, "params": model.params},
            "trained": model.trained,
            "weights": model.weights_digest,
            "input_size": model.input_size,
        }

    def _once(self, make: Callable[[], str], *name: Any) -> str:
        """The key that ``make`` returns; it is asked for thousands of times and made once."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def _pool(self, dataset: Dataset) -> str:
        def make() -> str:
            ref = {"name": dataset.plugin.name, "params": dataset.params}
            spec = {"dataset": dataset.id, "loader": ref, "digest": dataset.description.digest}
            return self._node("pool", dataset.id, spec, {}, [dataset.plugin], dataset.paths)

        return self._once(make, "pool", dataset.id)

    def _subset(self, dataset: Dataset, seed: int) -> str:
        def make() -> str:
            spec = self._drawn(dataset, seed) | {"split": dict(vars(dataset.split))}
            return self._node("subset", dataset.id, spec, {"pool": self._pool(dataset)}, [])

        return self._once(make, "subset", dataset.id, seed)

    def _inject(self, dataset: Dataset, glitch: Glitch, seed: int) -> str:
        def make() -> str:
            inputs = {"pool": self._pool(dataset), "subset": self._subset(dataset, seed)}
            parts = [part.ref for part in glitch.parts]
            spec = self._drawn(dataset, seed) | {"parts": parts}
            if glitch.needs_anomaly_source:
                inputs["anomaly_pool"] = self._pool(self.grid.pool(dataset.anomaly_source))
                spec["anomaly_source"] = dataset.anomaly_source
            return self._node("inject", dataset.id, spec, inputs, [part.plugin for part in glitch.parts])

        return self._once(make, "inject", dataset.id, glitch.label, seed)

    def _node(
        self,
        stage: str,
        group: str,
        spec: dict[str, Any],
        inputs: dict[str, str],
        plugins: list[Plugin],
        paths: dict[str, str] | None = None,
    ) -> str:
        origins = tuple(dict.fromkeys([f"glitchmark.stages.{stage}", *(plugin.origin for plugin in plugins)]))
        digest, libraries = code(*origins)
        libraries = libraries | {name: version(name) for p in plugins for name in p.info.get("requires", ())}
        # one thread or two may differ in the last bits of a matrix product
        key = fingerprint(canonical([stage, spec, inputs, digest, libraries, self.config["threads"]]))
        node = Node(key, stage, group, spec, inputs, paths or {}, tuple(plugins), origins, digest, libraries)
        self.nodes.setdefault(key, node)
        return key

    def _measure(
        self,
        key: str,
        dataset: Dataset,
        model: Model | None,
        glitch: Glitch,
        seed: int,
        method: Method | None = None,
        estimator: str = "",
        rows: Sequence[tuple[float, int]] = (),
        validation_noise: float = 0.0,
        action: str = "",
        budget: float = 0.0,
    ) -> None:
        labels = {
            "dataset": dataset.id,
            "modality": dataset.description.modality,
            "model": model.id if model else "",
            "estimator": estimator,
            "glitch": glitch.id,
            "control": glitch.is_control,
            "ratio": glitch.ratio,
            "validation_noise": validation_noise,
            "action": action,
            "budget": budget,
            "seed": seed,
            "method": method.id if method else "",
            "variant": method.variant if method else "",
            "targets": method.plugin.info["targets"] if method else "",
        }
        inject, pool = self._inject(dataset, glitch, seed), self._pool(dataset)
        measurement = Measurement(key, self.nodes[key].stage, labels, list(rows), inject, pool)
        self.measurements.append(measurement)
        if rows:
            self._found.setdefault((glitch.label, dataset.id, seed, labels["model"]), []).append(measurement)
