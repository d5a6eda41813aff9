"""Factors of a user's own PyTorch classifier, which was trained elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glitchmark.errors import UserError
from glitchmark.influence.factors import Factors
from glitchmark.registry import suggestion

if TYPE_CHECKING:
    import torch
    from numpy.typing import ArrayLike
    from torch import nn
    from torch.utils.data import DataLoader, Dataset

    Data = DataLoader | Dataset | tuple[ArrayLike, ArrayLike]
    Checkpoint = Mapping[str, torch.Tensor] | str | Path

CLOSE = 1e-2  # between a model's output and its last layer's: room for half precision
NOT_READ_OUT = "the output must be that of an nn.Linear, its softmax or the logarithm of that, with nothing in between"


def extract_factors(
    model: nn.Module,
    train: Data,
    val: Data,
    *,
    last_layer: str | nn.Linear | None = None,
    checkpoints: Sequence[Checkpoint] | None = None,
    learning_rates: float | Sequence[float] = 1.0,
    batch_size: int = 1,
    bias: bool = True,
    device: str | torch.device | None = None,
) -> Factors:
    """What the last layer reads and gives at each checkpoint, in eval mode, for all training and validation samples.

    The model must have been trained on the softmax cross-entropy of that layer's outputs. Its weights, mode and device,
    and torch's random numbers, are the same afterwards, also after an error.
    train, val: a DataLoader or Dataset of (input, label), in a fixed order and without random augmentation, or a pair
    (inputs (n, ...), labels (n,)) of tensors or arrays. Labels are integers 0..C-1.
    last_layer: an nn.Linear of the model or its name; if left out, the one whose outputs are the model's (or become it
    by a softmax or its logarithm).
    checkpoints: state dicts or files of them (.safetensors, or torch's format, of which tensors alone are read), the
    last one last; the model as it is if left out.
    learning_rates: of the training at each checkpoint, or one for all. batch_size: of the training; estimators that do
    not divide by it ignore it.
    bias: False for a layer without bias. Estimators then need bias=False as well, since a bias counts by default.
    device: where the model runs; where it is if left out.
    Raises UserError for what does not fit together, and CellError for values that are not finite.
    """
    import torch

    linear = _linear_layers(model)
    if device is not None and len({p.device for p in model.parameters()}) > 1:
        raise _error(f"device: {device!r} cannot be used with a model on several devices; leave it out.")
    steps = [None] if checkpoints is None else _checked(checkpoints, model)
    rates = _rates(learning_rates, len(steps))
    with _as_before(model, device), torch.no_grad(), torch.random.fork_rng(devices=[]):
        parts = [_Part("train", train), _Part("val", val)]
        name, layer = _last_layer(model, linear, last_layer, parts[0].first)
        _check_layer(name, layer, bias)
        for number, checkpoint in enumerate(steps):
            if checkpoint is not None:
                _load(model, checkpoint, number)
            for part in parts:
                part.read(model, name, layer)
    frozen = all(features is part.features[0] for part in parts for features in part.features)
    features = [np.stack(part.features[:1] if frozen else part.features) for part in parts]
    logits, labels = [np.stack(part.logits) for part in parts], [part.labels for part in parts]
    return Factors(*features, *logits, *labels, rates, batch_size)


class _Part:
    """The training or the validation samples, and what was read of them, one array a checkpoint.

    features: float32 (n, d) each; the same object where nothing changed since the last checkpoint. logits: float32
    (n, C) each. labels: int64 (n,). first: the inputs of the first batch.
    """

    def __init__(self, name: str, data: Data):
        self.name, self.data = name, _batches(data, name)
        self.features: list[np.ndarray] = []
        self.logits: list[np.ndarray] = []
        self.labels: np.ndarray | None = None
        first = next(self._samples(), None)
        if first is None:
            raise _error(f"{name}: there are no samples.")
        self.first, _ = first

    def read(self, model: nn.Module, name: str, layer: nn.Linear) -> None:
        """Add a checkpoint: what ``layer``, called ``name``, reads and gives in passes over all samples."""
        features, logits, labels = [], [], []
        for x, y in self._samples():
            if not labels and not _same(x, self.first):
                raise _error(
                    f"{self.name}: the first batch differs when it is read again; give the samples in a fixed order "
                    "and without random augmentation."
                )
            read, given = _one_call(model, name, layer, x, len(y))
            features.append(read.float().cpu().numpy())
            logits.append(given.float().cpu().numpy())
            labels.append(y.cpu().numpy().astype(np.int64))
        self._add_labels(np.concatenate(labels), layer.out_features)
        self._add_features(np.concatenate(features))
        self.logits.append(np.concatenate(logits))

    def _samples(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Batches of inputs and labels, checked."""
        import torch

        for batch in self.data:
            if not (isinstance(batch, tuple | list) and len(batch) == 2 and isinstance(batch[0], torch.Tensor)):
                raise _error(f"{self.name}: a batch must be (inputs, labels), with one tensor of inputs.")
            x, y = batch
            if not isinstance(y, torch.Tensor) or y.ndim != 1 or y.dtype.is_floating_point or y.dtype == torch.bool:
                found = f"{y.dtype} {tuple(y.shape)}" if isinstance(y, torch.Tensor) else type(y).__name__
                raise _error(f"{self.name}: labels must be integers, one a sample; a batch has {found}.")
            yield x, y

    def _add_labels(self, labels: np.ndarray, classes: int) -> None:
        wrong = labels[(labels < 0) | (labels >= classes)]
        if wrong.size:
            raise _error(
                f"{self.name}: label {wrong[0]} is not among 0..{classes - 1}, one for each output of the last layer; "
                "number the classes from 0."
            )
        if self.labels is not None and not np.array_equal(labels, self.labels):
            raise _error(f"{self.name}: the labels differ when they are read again; give a fixed order of samples.")
        self.labels = labels

    def _add_features(self, features: np.ndarray) -> None:
        same = self.features and np.array_equal(features, self.features[-1])
        self.features.append(self.features[-1] if same else features)


def _batches(data: Data, part: str) -> Iterable:
    """Batches in the data's own order, the same at every pass."""
    import torch
    from torch.utils.data import DataLoader, Dataset, IterableDataset, SequentialSampler

    from glitchmark.training.inputs import BATCH

    if isinstance(data, Dataset):
        return DataLoader(data, BATCH)
    if isinstance(data, tuple) and len(data) == 2:
        x, y = (v if isinstance(v, torch.Tensor) else _tensor(v, part) for v in data)
        if x.ndim == 0 or y.ndim != 1 or len(x) != len(y):
            raise _error(f"{part}: inputs {tuple(x.shape)} and labels {tuple(y.shape)} must be (n, ...) and (n,).")
        return list(zip(x.split(BATCH), y.split(BATCH), strict=True)) if len(y) else []
    if not isinstance(data, DataLoader):
        raise _error(f"{part}: give a DataLoader, a Dataset, or a pair (inputs, labels), not {type(data).__name__}.")
    sampler = data.sampler if data.batch_sampler is None else data.batch_sampler
    order = getattr(sampler, "sampler", sampler)
    if not isinstance(order, SequentialSampler) and not isinstance(data.dataset, IterableDataset):
        raise _error(
            f"{part}: the DataLoader draws samples by {type(order).__name__}, but scores belong to samples by their "
            "position in the Dataset; give a DataLoader with shuffle=False and no sampler, or the Dataset itself."
        )
    if getattr(sampler, "drop_last", False):
        raise _error(f"{part}: the DataLoader leaves out samples; give one with drop_last=False, or the Dataset.")
    return data


def _tensor(values: ArrayLike, part: str) -> torch.Tensor:
    import torch

    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        raise _error(f"{part}: inputs and labels must be numbers, not of dtype {values.dtype}.")
    return torch.from_numpy(np.require(values, requirements=["C", "W"]))


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two batches are equal, missing values (NaN) included."""
    import torch

    return torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))


def _linear_layers(model: nn.Module) -> dict[str, nn.Linear]:
    """Name -> nn.Linear, of all in the model; the empty name is the model itself."""
    from torch import nn

    if not isinstance(model, nn.Module):
        raise _error(f"model: give a torch.nn.Module, not {type(model).__name__}.")
    found = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    if not found:
        raise _error("model: it has no nn.Linear, whose inputs and outputs the factors are.")
    return found


def _last_layer(
    model: nn.Module, linear: dict[str, nn.Linear], given: str | nn.Linear | None, x: torch.Tensor
) -> tuple[str, nn.Linear]:
    """Name and module of the layer whose outputs are the model's, which is checked on inputs ``x``."""
    import torch

    with _calls(linear.values()) as calls:
        output = model(x.to(_device(model)))
    last = {layer for layer, _, logits in calls if _is_read_out(output, logits)}
    names = ", ".join(f"'{name}' ({layer.in_features} -> {layer.out_features})" for name, layer in linear.items())
    if given is None and len(last) != 1:
        if isinstance(output, torch.Tensor) and not last:
            raise _error(f"last_layer: the model's output is none of {names}; {NOT_READ_OUT}.")
        reason = "gives the model's output alone" if last else "can be told to be the last, as the output is no tensor"
        raise _error(f"last_layer: no nn.Linear {reason}; name one of {names}.")
    if given is None:
        (given,) = last
    modules = dict(model.named_modules(remove_duplicate=False))
    name = given if isinstance(given, str) else next((name for name, m in modules.items() if m is given), None)
    if name not in modules:
        what = f"'{given}'{suggestion(given, linear)}" if isinstance(given, str) else "such layer"
        raise _error(f"last_layer: the model has no {what}; its layers of type nn.Linear: {names}.")
    layer = modules[name]
    if layer not in linear.values():
        raise _error(f"last_layer: '{name}' is of type {type(layer).__name__}, not nn.Linear; name one of {names}.")
    if any(called is layer for called, _, _ in calls) and isinstance(output, torch.Tensor) and layer not in last:
        raise _error(f"last_layer: '{name}' does not give the model's output, among {names}; {NOT_READ_OUT}.")
    return name, layer


def _check_layer(name: str, layer: nn.Linear, bias: bool) -> None:
    if layer.out_features < 2:
        raise _error(f"last_layer: '{name}' has 1 output; a softmax needs one for each class, two or more.")
    if bias and layer.bias is None:
        raise _error(
            f"last_layer: '{name}' has no bias, but estimators count the gradient of one by default; pass bias=False "
            "here and to the estimator, e.g. partial(TracIn, bias=False)."
        )


def _is_read_out(output: Any, logits: torch.Tensor) -> bool:
    """Whether a model's output is these logits (k, C), their softmax or its logarithm."""
    import torch

    if not isinstance(output, torch.Tensor) or output.shape != logits.shape:
        return False
    logits = logits.float()
    forms = (logits, logits.softmax(-1), logits.log_softmax(-1))
    return any(torch.allclose(output.float(), form, rtol=CLOSE, atol=CLOSE, equal_nan=True) for form in forms)


@contextmanager
def _calls(layers: Iterable[nn.Module]) -> Iterator[list[tuple[nn.Module, torch.Tensor, torch.Tensor]]]:
    """Collects (layer, input, output) of each call of these layers, as long as the context lasts."""
    calls = []

    def note(layer, args, kwargs, output):
        (given,) = (*args, *kwargs.values())
        calls.append((layer, given.clone(), output.clone()))  # a model may go on in place

    with ExitStack() as stack:
        for layer in layers:
            stack.enter_context(layer.register_forward_hook(note, with_kwargs=True))
        yield calls


def _one_call(
    model: nn.Module, name: str, layer: nn.Linear, x: torch.Tensor, n: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the layer reads, (n, d), and gives, (n, C), for one batch of n samples."""
    with _calls([layer]) as calls:
        model(x.to(_device(model)))
    if len(calls) != 1:
        times = f"{len(calls)} times" if calls else "never"
        raise _error(f"last_layer: '{name}' runs {times} in a forward pass; it must run once for each batch.")
    _, features, logits = calls[0]
    if features.ndim != 2 or len(features) != n:
        raise _error(
            f"last_layer: '{name}' reads {tuple(features.shape)} for a batch of {n} samples; it must read one vector a "
            "sample, as in a classifier of whole samples."
        )
    return features, logits


def _checked(checkpoints: Sequence[Checkpoint], model: nn.Module) -> Sequence[Checkpoint]:
    if isinstance(checkpoints, str | Path | Mapping) or len(checkpoints) == 0:
        raise _error("checkpoints: give a list of one or more state dicts or files; leave it out for the model as is.")
    own = {tensor.data_ptr() for tensor in [*model.parameters(), *model.buffers()] if tensor.numel()}
    for number, checkpoint in enumerate(checkpoints):
        tensors = checkpoint.values() if isinstance(checkpoint, Mapping) else ()
        if any(hasattr(t, "data_ptr") and t.data_ptr() in own for t in tensors):
            raise _error(
                f"checkpoints[{number}]: it holds the model's own tensors, which change as the model is trained; keep "
                "copies in training, copy.deepcopy(model.state_dict()), or leave checkpoints out for the model as is."
            )
    return checkpoints


def _load(model: nn.Module, checkpoint: Checkpoint, number: int) -> None:
    """Fill the model; raises UserError that names the first layer that does not fit."""
    from glitchmark.training.weights import read_weights

    state = checkpoint if isinstance(checkpoint, Mapping) else read_weights(Path(checkpoint))
    where = f"checkpoints[{number}]" + ("" if state is checkpoint else f" ('{checkpoint}')")
    try:
        missing, unexpected = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        first = str(error).split("\n\t")[1]
        raise _error(f"{where} does not fit the model: {first}") from error
    if missing:
        raise _error(f"{where} does not fit the model: it lacks '{missing[0]}'.")
    if unexpected:
        raise _error(f"{where} does not fit the model, which has no '{unexpected[0]}'.")


def _rates(given: float | Sequence[float], n: int) -> np.ndarray:
    """One learning rate a checkpoint, float64 (n,)."""
    rates = np.full(n, given, np.float64) if np.ndim(given) == 0 else np.asarray(given, np.float64)
    if rates.shape != (n,):
        raise _error(f"learning_rates: there are {rates.size} for {n} checkpoints; give one for each, or one number.")
    if not (np.isfinite(rates) & (rates >= 0)).all():
        raise _error(f"learning_rates: {rates.tolist()} must be finite and not negative.")
    return rates


@contextmanager
def _as_before(model: nn.Module, device: str | torch.device | None) -> Iterator[None]:
    """The model in eval mode on a device; afterwards its weights, modes and device are what they were."""
    state, modes = deepcopy(model.state_dict()), [(module, module.training) for module in model.modules()]
    before = _device(model)
    try:
        if device is not None:
            model.to(device)
        model.eval()
        yield
    finally:
        if device is not None:
            model.to(before)
        model.load_state_dict(state)
        for module, training in modes:
            module.training = training


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def _error(message: str) -> UserError:
    return UserError(f"extract_factors: {message}")
