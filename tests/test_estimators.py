"""Every estimator against its closed form on small problems, against retraining, and at the edges."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, cg
from scipy.special import log_softmax, softmax

from conftest import random_factors
from glitchmark import registry
from glitchmark.errors import CellError
from glitchmark.influence.engine import class_sums, relabelled_sums
from glitchmark.influence.estimators import EVERY, _preconditioned, as_matrix
from glitchmark.influence.estimators._curvature import hessian, hessian_product
from glitchmark.influence.factors import Factors
from test_influence import close, gradients, slow_matrix, small_blocks

SEEDS = range(4)
DAMPING = 0.05
WHOLE = 10**6  # a batch that holds all samples

# What the closed forms below describe, on problems of 28 parameters.
PARAMETERS = {
    "influence_function": {"damping": DAMPING},
    "conjugate_gradient": {"damping": DAMPING, "tolerance": 1e-10},
    "lissa": {"damping": DAMPING, "depth": 600, "batch_size": WHOLE},
    "loo": {"ridge": DAMPING, "tolerance": 1e-10},
}
ESTIMATORS = registry.names("estimator")
COUNTERFACTUAL = [name for name in ESTIMATORS if name != "loo"]


def build(name, **parameters):
    """factors -> estimator, with the parameters of the closed forms unless others are given."""
    function = registry.load("estimator", name).function
    return lambda factors: function(factors, **PARAMETERS.get(name, {}) | parameters)


def matrix(estimator, n):
    """The whole influence matrix."""
    return np.concatenate([estimator.rows(start, min(start + 16, n)).matrix() for start in range(0, n, 16)])


def changed(f, **arrays):
    """The factors with some arrays replaced."""
    return Factors(**vars(f) | arrays)


def augmented(features):
    """[u, 1] in double precision."""
    return np.hstack([features, np.ones((len(features), 1))]).astype(np.float64)


def training_gradients(f, labels):
    """g_i at the last checkpoint, (n, p)."""
    return gradients(f.features_train[-1], f.logits_train[-1], labels)


def target_gradients(f):
    """g_j at the last checkpoint, (m, p)."""
    return gradients(f.features_val[-1], f.logits_val[-1], f.labels_val)


def gauss_newton(f):
    """The mean of J^T (diag(p) - p p^T) J, with J = I kron u^T written out; and u and p."""
    u, p = augmented(f.features_train[-1]), softmax(f.logits_train[-1].astype(np.float64), axis=1)
    jacobians = [np.kron(np.eye(f.n_classes), row) for row in u]
    return np.mean([j.T @ (np.diag(q) - np.outer(q, q)) @ j for j, q in zip(jacobians, p, strict=True)], axis=0), u, p


def margin_gradients(features, logits, labels):
    """Gradient of log(p_y / (1 - p_y)) with respect to the weights, (k, p): (onehot - p) / (1 - p_y) outer u."""
    p = softmax(logits.astype(np.float64), axis=1)
    directions = (np.eye(p.shape[1])[labels] - p) / (1 - p[np.arange(len(p)), labels])[:, None]
    return np.einsum("kc,kd->kcd", directions, augmented(features)).reshape(len(p), -1)


def unit(g):
    """Rows of length 1."""
    return g / np.linalg.norm(g, axis=1, keepdims=True)


def influence_function(f, labels, ridge=DAMPING):
    h = gauss_newton(f)[0]
    solved = np.linalg.solve(h + ridge * np.eye(len(h)), target_gradients(f).T)
    return training_gradients(f, labels) @ solved / f.n_train


def lissa(f, labels):
    scale = np.square(augmented(f.features_train[-1])).sum(axis=1).max() / 2
    return influence_function(f, labels, DAMPING * scale)


def datainf(f, labels):
    g = training_gradients(f, f.labels_train)
    ridge = 0.1 * np.square(g).mean()
    mean = np.mean([np.linalg.inv(ridge * np.eye(g.shape[1]) + np.outer(row, row)) for row in g], axis=0)
    return training_gradients(f, labels) @ mean @ target_gradients(f).T


def ekfac(f, labels):
    h, u, p = gauss_newton(f)
    _, qa = np.linalg.eigh(u.T @ u / len(u))
    _, qs = np.linalg.eigh(np.mean([np.diag(q) - np.outer(q, q) for q in p], axis=0))
    q = np.kron(qs, qa)
    eigenvalues = np.diag(q.T @ h @ q)
    inverse = q @ np.diag(1 / (eigenvalues + 0.1 * eigenvalues.mean())) @ q.T
    return training_gradients(f, labels) @ inverse @ target_gradients(f).T / f.n_train


def trak_like(f, labels):
    phi = margin_gradients(f.features_train[-1], f.logits_train[-1], f.labels_train)
    targets = margin_gradients(f.features_val[-1], f.logits_val[-1], f.labels_val)
    inverse = np.linalg.inv(phi.T @ phi / len(phi) + 0.01 * np.eye(phi.shape[1]))
    p = softmax(f.logits_train[-1].astype(np.float64), axis=1)[np.arange(f.n_train), labels]
    phi_i = margin_gradients(f.features_train[-1], f.logits_train[-1], labels)
    return (1 - p)[:, None] * (phi_i @ inverse @ targets.T)


def optimum(u, labels, classes, ridge, weights=None):
    """Weights that minimise sum_i w_i loss_i + (ridge/2) |W|^2, by a library; w_i is 1/n unless given."""
    weights = np.full(len(u), 1 / len(u)) if weights is None else weights

    def objective(flat):
        w = flat.reshape(classes, -1)
        logits = u @ w.T
        loss = -log_softmax(logits, axis=1)[np.arange(len(u)), labels]
        slope = ((softmax(logits, axis=1) - np.eye(classes)[labels]) * weights[:, None]).T @ u + ridge * w
        return weights @ loss + ridge / 2 * flat @ flat, slope.ravel()

    options = {"maxiter": 5000, "ftol": 0, "gtol": 1e-10}
    start = np.zeros(classes * u.shape[1])
    return minimize(objective, start, jac=True, method="L-BFGS-B", options=options).x.reshape(classes, -1)


def loo(f, labels):
    u, targets = augmented(f.features_train[-1]), augmented(f.features_val[-1])

    def losses(weights):
        w = optimum(u, labels, f.n_classes, DAMPING, weights)
        return -log_softmax(targets @ w.T, axis=1)[np.arange(f.n_val), f.labels_val]

    n = f.n_train
    return np.stack([losses((np.arange(n) != i) / n) - losses(np.full(n, 1 / n)) for i in range(n)])


CLOSED_FORMS = {
    "tracin": slow_matrix,
    "tracin_last": lambda f, labels: slow_matrix(f, labels, last_only=True),
    "grad_dot": lambda f, labels: training_gradients(f, labels) @ target_gradients(f).T,
    "grad_cos": lambda f, labels: unit(training_gradients(f, labels)) @ unit(target_gradients(f)).T,
    "influence_function": influence_function,
    "conjugate_gradient": influence_function,
    "lissa": lissa,
    "datainf": datainf,
    "ekfac": ekfac,
    "trak_like": trak_like,
    "loo": loo,
}


def test_every_estimator_has_a_closed_form():
    assert sorted(CLOSED_FORMS) == ESTIMATORS


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_matrix_is_the_closed_form(name, frozen, seed):
    f = random_factors(seed, frozen=frozen)
    close(matrix(build(name)(f), f.n_train), CLOSED_FORMS[name](f, f.labels_train))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", COUNTERFACTUAL)
def test_relabelled_rows_are_those_of_the_other_labels_at_the_last_checkpoint(name, seed):
    """Where the preconditioner depends on labels (datainf, trak_like), it keeps the observed ones."""
    f = random_factors(seed)
    labels = np.random.default_rng(seed).integers(4, size=f.n_train)
    rows = build(name)(f).rows(8, 30)
    expected = CLOSED_FORMS["tracin_last" if name == "tracin" else name](f, labels)
    close(as_matrix(rows.relabelled(EVERY, labels[8:30])), expected[8:30])
    at, columns = np.array([3, 0, 17]), slice(5, 19)
    close(as_matrix(rows.relabelled(at, labels[8 + at], columns)), expected[8 + at, columns])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", sorted(set(COUNTERFACTUAL) - {"datainf", "trak_like"}))
def test_relabelling_is_having_other_labels_where_the_preconditioner_has_none(name, seed):
    f = random_factors(seed)
    labels = np.random.default_rng(seed).integers(4, size=f.n_train)
    other = build(name)(changed(f, labels_train=labels).at(-1)).rows(0, f.n_train).matrix()
    close(as_matrix(build(name)(f).rows(0, f.n_train).relabelled(EVERY, labels)), other, 1e-6)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_self_influence_is_the_diagonal(name, seed):
    f = random_factors(seed)
    own = build(name)(f).self_influence()
    assert own.dtype == np.float64
    close(own, np.diag(matrix(build(name)(f.against_training()), f.n_train)))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != "loo"])
def test_a_constant_feature_is_a_bias(name, bias):
    f = random_factors(0)
    extended = {k: np.pad(getattr(f, k), ((0, 0), (0, 0), (0, 1)), constant_values=1.0 if bias else 0.0)
                for k in ("features_train", "features_val")}  # fmt: skip
    without = build(name, bias=False)(changed(f, **extended))
    if bias:
        close(matrix(without, f.n_train), matrix(build(name, bias=True)(f), f.n_train), 1e-6)
    elif name not in ("datainf", "ekfac"):  # whose damping is a mean over the parameters, of which there is one more
        close(matrix(without, f.n_train), matrix(build(name, bias=False)(f), f.n_train), 1e-6)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_permuting_samples_and_classes_permutes_the_matrix(name, seed):
    f = random_factors(seed)
    rng = np.random.default_rng(seed)
    rows, columns, classes = rng.permutation(f.n_train), rng.permutation(f.n_val), rng.permutation(4)
    renamed = np.argsort(classes)
    g = changed(
        f,
        features_train=f.features_train[:, rows],
        features_val=f.features_val[:, columns],
        logits_train=f.logits_train[:, rows][:, :, classes],
        logits_val=f.logits_val[:, columns][:, :, classes],
        labels_train=renamed[f.labels_train[rows]],
        labels_val=renamed[f.labels_val[columns]],
    )
    before, after = build(name)(f), build(name)(g)
    close(matrix(after, f.n_train), matrix(before, f.n_train)[np.ix_(rows, columns)])
    close(after.self_influence(), before.self_influence()[rows])


@pytest.mark.parametrize("name", ESTIMATORS)
def test_sums_depend_neither_on_threads_nor_on_the_size_of_blocks(name, monkeypatch):
    f = random_factors(1, n=200)
    whole = class_sums(build(name), f)
    small_blocks(monkeypatch)
    one, *more = (class_sums(build(name), f, threads=threads) for threads in (1, 2, 3))
    for sums in more:
        for field, array in vars(one).items():
            np.testing.assert_array_equal(getattr(sums, field), array, err_msg=field)
    close(one.neg, whole.neg, 1e-6)
    close(one.pos, whole.pos, 1e-6)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_memory_limits_change_no_result(name, monkeypatch):
    """Chunks of a few samples, and no explicit preconditioner for the iterative ones."""
    f = random_factors(2)
    before = build(name)(f)
    monkeypatch.setattr(_preconditioned, "ELEMENTS", 300)
    monkeypatch.setattr(_preconditioned, "LARGEST_EXPLICIT", 0)
    after = build(name)(f)
    close(matrix(after, f.n_train), matrix(before, f.n_train), 1e-6)
    close(after.self_influence(), before.self_influence(), 1e-6)


def edge_cases():
    """Name -> factors."""
    f = random_factors(0)
    doubled = {k: np.repeat(getattr(f, k), 2, axis=1) for k in ("features_train", "logits_train")}
    zero = {k: np.zeros_like(getattr(f, k)) for k in ("features_train", "features_val")}
    return {
        "saturated": random_factors(1, scale=1e4),
        "missing class": changed(f, labels_train=np.minimum(f.labels_train, 2)),
        "one class in validation": changed(f, labels_val=np.zeros_like(f.labels_val)),
        "duplicates": changed(f, **doubled, labels_train=np.repeat(f.labels_train, 2)),
        "zero features": changed(f, **zero),
        "two samples, two classes": random_factors(2, n=2, m=2, classes=2),
        "fitted": changed(f, logits_train=30 * np.eye(4, dtype=np.float32)[f.labels_train][None].repeat(3, axis=0)),
    }


@pytest.mark.parametrize("case", edge_cases())
@pytest.mark.parametrize("name", ESTIMATORS)
def test_edges_give_finite_influence(name, case):
    f = edge_cases()[case]
    if (name, case) == ("ekfac", "saturated"):
        with pytest.raises(CellError, match="ekfac: the preconditioned gradients exceed single precision"):
            build(name)(f)
        return
    e = build(name)(f)
    values, own = matrix(e, f.n_train), e.self_influence()
    assert np.isfinite(values).all()
    assert np.isfinite(own).all()
    if case == "duplicates":
        close(values[::2], values[1::2], 1e-6)
        close(own[::2], own[1::2], 1e-6)
    if case == "fitted":
        assert (own > 0).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_partial_cosine_keeps_the_length_of_the_training_gradient(seed):
    f = random_factors(seed)
    g, targets = training_gradients(f, f.labels_train), target_gradients(f)
    e = build("grad_cos", normalise="targets")(f)
    close(matrix(e, f.n_train), g @ unit(targets).T)
    close(e.self_influence(), np.linalg.norm(g, axis=1))


@pytest.mark.parametrize("seed", SEEDS)
def test_tracin_per_batch_divides_by_the_batch_size(seed):
    f = random_factors(seed)
    e = build("tracin", per_batch=True)(f)
    close(matrix(e, f.n_train), slow_matrix(f) / f.batch_size)
    close(e.self_influence(), build("tracin")(f).self_influence() / f.batch_size)


@pytest.mark.parametrize("seed", SEEDS)
def test_hessian_is_gauss_newton_and_the_derivative_of_the_gradient(seed):
    rng = np.random.default_rng(seed)
    u, w, labels = rng.normal(size=(30, 5)), rng.normal(size=(3, 5)), rng.integers(3, size=30)

    def gradient(flat):
        return ((softmax(u @ flat.reshape(3, 5).T, axis=1) - np.eye(3)[labels]).T @ u / 30).ravel()

    h = hessian(u, softmax(u @ w.T, axis=1))
    steps = 1e-5 * np.eye(15)
    differences = [(gradient(w.ravel() + s) - gradient(w.ravel() - s)) / 2e-5 for s in steps]
    close(h, np.stack(differences), 1e-8)
    logits = (u @ w.T).astype(np.float32)[None]
    f = changed(random_factors(0, n=30, d=4, classes=3, checkpoints=1), logits_train=logits,
                features_train=u[None, :, :4].astype(np.float32))  # fmt: skip
    slow, u_f, p_f = gauss_newton(f)
    close(hessian(u_f, p_f), slow, 1e-12)
    directions = rng.normal(size=(7, 3, 5))
    close(hessian_product(u_f, p_f, directions).reshape(7, -1), directions.reshape(7, -1) @ slow, 1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_hessian_has_no_negative_eigenvalues_for_saturated_softmaxes(seed):
    rng = np.random.default_rng(seed)
    p = softmax(40 * rng.normal(size=(30, 4)), axis=1)
    eigenvalues = np.linalg.eigvalsh(hessian(rng.normal(size=(30, 3)), p))
    assert eigenvalues.min() > -1e-15 * eigenvalues.max()


@pytest.mark.parametrize("seed", SEEDS)
def test_empirical_fisher_is_the_mean_of_squared_gradients(seed):
    f = random_factors(seed)
    g = training_gradients(f, f.labels_train)
    fisher = g.T @ g / len(g) + DAMPING * np.eye(g.shape[1])
    labels = np.random.default_rng(seed).integers(4, size=f.n_train)
    e = build("influence_function", curvature="empirical_fisher")(f)
    solved = np.linalg.solve(fisher, target_gradients(f).T) / f.n_train
    close(matrix(e, f.n_train), g @ solved)
    # the Fisher matrix keeps the observed labels
    close(e.rows(0, f.n_train).relabelled(EVERY, labels), training_gradients(f, labels) @ solved)


@pytest.mark.parametrize("seed", SEEDS)
def test_conjugate_gradient_agrees_with_the_library(seed):
    f = random_factors(seed)
    h, _, _ = gauss_newton(f)
    operator = LinearOperator(h.shape, matvec=lambda v: h @ v + DAMPING * v, dtype=np.float64)
    target = target_gradients(f)[0]
    solution, info = cg(operator, target, rtol=1e-10, maxiter=1000)
    assert info == 0
    e = build("conjugate_gradient")(f)
    close(e.solve(target.reshape(1, 4, -1))[0].ravel(), solution / f.n_train, 1e-7)


@pytest.mark.parametrize("seed", SEEDS)
def test_lissa_with_small_batches_is_near_its_limit(seed):
    f = random_factors(seed)
    parameters = {"damping": 0.05, "scale": 30.0, "depth": 200, "batch_size": 8, "seed": seed}
    limit = influence_function(f, f.labels_train, ridge=0.05 * 30)
    once = matrix(build("lissa", **parameters)(f), f.n_train)
    often = matrix(build("lissa", **parameters, repeats=30)(f), f.n_train)
    assert np.corrcoef(once.ravel(), limit.ravel())[0, 1] > 0.98
    close(often, limit, 0.05)
    np.testing.assert_array_equal(once, matrix(build("lissa", **parameters)(f), f.n_train))
    assert (once != matrix(build("lissa", **parameters | {"seed": seed + 10})(f), f.n_train)).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_lissa_converges_at_its_default_scale_with_batches_of_one(seed):
    f = random_factors(seed, scale=0.1)  # flat softmaxes have the largest curvature
    assert np.isfinite(matrix(build("lissa", batch_size=1)(f), f.n_train)).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_ekfac_is_exact_where_all_predictions_are_equal(seed):
    """The Hessian is then a Kronecker product."""
    f = random_factors(seed)
    f.logits_train[:] = f.logits_train[:, :1]
    damping = 0.1 * np.trace(gauss_newton(f)[0]) / 28
    close(matrix(build("ekfac")(f), f.n_train), influence_function(f, f.labels_train, ridge=damping))


@pytest.mark.parametrize("seed", SEEDS)
def test_ekfac_is_closer_to_the_influence_function_than_no_preconditioner_is(seed):
    f = random_factors(seed, n=300)
    f.features_train[:] *= np.array([4, 2, 1, 1, 0.5, 0.25], np.float32)
    damping = 0.1 * np.trace(gauss_newton(f)[0]) / 28
    exact = influence_function(f, f.labels_train, ridge=damping).ravel()

    def agreement(name):
        return np.corrcoef(matrix(build(name)(f), f.n_train).ravel(), exact)[0, 1]

    assert agreement("ekfac") > max(0.95, agreement("grad_dot"))


@pytest.mark.parametrize("seed", SEEDS)
def test_trak_with_a_projection_is_its_closed_form(seed):
    f = random_factors(seed)
    e = build("trak_like", dimensions=9, seed=seed)(f)
    phi = margin_gradients(f.features_train[-1], f.logits_train[-1], f.labels_train) @ e.projection
    targets = margin_gradients(f.features_val[-1], f.logits_val[-1], f.labels_val) @ e.projection
    inverse = np.linalg.inv(phi.T @ phi / f.n_train + 0.01 * np.eye(9))
    p = softmax(f.logits_train[-1].astype(np.float64), axis=1)[np.arange(f.n_train), f.labels_train]
    close(matrix(e, f.n_train), (1 - p)[:, None] * (phi @ inverse @ targets.T))
    again = build("trak_like", dimensions=9, seed=seed)(f)
    np.testing.assert_array_equal(e.projection, again.projection)


@pytest.mark.parametrize("margin", [0.0, 5.0, 50.0, 500.0])
def test_trak_margin_gradient_is_exact_for_saturated_softmaxes(margin):
    """f = z_0 - log(e^z_1 + e^z_2) does not depend on how saturated the label's logit is."""
    logits = np.array([[margin, 1.0, 0.0]], np.float32)
    e = build("trak_like")(random_factors(0, classes=3))
    others = np.exp([1.0, 0.0]) / np.exp([1.0, 0.0]).sum()
    np.testing.assert_allclose(e.target_directions(logits, np.array([0]))[0], [-1, *others], rtol=1e-6)


def convex_factors(seed, ridge, n=150, m=60, d=5, classes=3):
    """Factors whose logits are those of the last layer that minimises the mean loss plus (ridge/2) |W|^2."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, d))
    labels, labels_val = rng.integers(classes, size=n), rng.integers(classes, size=m)
    features, features_val = ((centres[y] + rng.normal(size=(len(y), d))).astype(np.float32)
                              for y in (labels, labels_val))  # fmt: skip
    wrong = rng.random(n) < 0.1
    labels[wrong] = rng.integers(classes, size=wrong.sum())
    w = optimum(augmented(features), labels, classes, ridge)
    logits, logits_val = ((augmented(u) @ w.T).astype(np.float32) for u in (features, features_val))
    return Factors(
        features[None], features_val[None], logits[None], logits_val[None], labels, labels_val, np.array([0.1]), 8
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("ridge", [0.01, 0.1])
def test_influence_function_predicts_retraining(seed, ridge):
    f = convex_factors(seed, ridge)
    predicted = matrix(build("influence_function", damping=ridge)(f), f.n_train)
    real = matrix(build("loo", ridge=ridge)(f), f.n_train)
    assert np.corrcoef(predicted.ravel(), real.ravel())[0, 1] >= 0.99
    slope = (predicted * real).sum() / np.square(predicted).sum()
    assert slope == pytest.approx(1, abs=0.15)
    own = build("influence_function", damping=ridge)(f).self_influence()
    assert np.corrcoef(own, build("loo", ridge=ridge)(f).self_influence())[0, 1] >= 0.99


@pytest.mark.parametrize("seed", SEEDS)
def test_loo_of_outliers_with_little_ridge_is_exact(seed):
    """Samples with much leverage, for which the full problem's Hessian does not do."""
    f = random_factors(seed, n=25, m=8, classes=3)
    f.features_train[:, :3] *= 30
    real = matrix(build("loo", ridge=1e-3, tolerance=1e-9)(f), 25)
    u, targets = augmented(f.features_train[-1]), augmented(f.features_val[-1])

    def losses(weights):
        w = optimum(u, f.labels_train, 3, 1e-3, weights)
        return -log_softmax(targets @ w.T, axis=1)[np.arange(8), f.labels_val]

    expected = [losses((np.arange(25) != i) / 25) - losses(np.full(25, 1 / 25)) for i in range(25)]
    close(real, np.stack(expected), 1e-3)


def test_loo_has_no_counterfactual():
    f = random_factors(0)
    sums = class_sums(build("loo"), f)
    assert sums.ncf_neg is None
    assert sums.pcf_pos is None
    with pytest.raises(CellError, match="use it with another estimator"):
        relabelled_sums(build("loo"), f, f.labels_train, np.ones(f.n_val, bool))


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("influence_function", {"max_memory_gb": 1e-6}, "4 classes x 7 weights, more than max_memory_gb"),
        ("influence_function", {"damping": 1e-30}, "is not positive definite"),
        ("influence_function", {"damping": 0}, "damping: 0 must be a finite number greater than 0"),
        ("influence_function", {"curvature": "exact"}, "curvature: 'exact' is unknown"),
        ("trak_like", {"max_memory_gb": 1e-6}, "more than max_memory_gb: 1e-06; lower dimensions"),
        ("trak_like", {"dimensions": 0}, "dimensions: 0 must be a whole number"),
        ("lissa", {"scale": 0.1}, "diverges at scale: 0.1; raise scale"),
        ("lissa", {"damping": 1.0}, "must be smaller than 1"),
        ("lissa", {"seed": None}, "seed: None must be a whole number of at least 0"),
        ("trak_like", {"seed": -1, "dimensions": 3}, "seed: -1 must be a whole number of at least 0"),
        ("influence_function", {"damping": np.inf}, "damping: inf must be a finite number"),
        ("lissa", {"depth": 1.5}, "depth: 1.5 must be a whole number"),
        ("conjugate_gradient", {"max_iterations": 2}, "left after 2 iterations"),
        ("conjugate_gradient", {"tolerance": -1}, "tolerance: -1 must be"),
        ("datainf", {"damping_scale": 0}, "damping_scale: 0 must be"),
        ("ekfac", {"damping_scale": None}, "damping_scale: None must be"),
        ("loo", {"max_parameters": 27}, "a layer of 28 parameters to 40 samples"),
        ("loo", {"max_samples": 39}, "more than max_parameters: 2000 or max_samples: 39"),
        ("loo", {"tolerance": 1e-30}, "above tolerance: 1e-30; raise tolerance or ridge"),
        ("grad_cos", {"normalise": "train"}, "normalise: 'train' is unknown"),
    ],
)
def test_what_cannot_be_computed_is_refused(name, parameters, message):
    with pytest.raises(CellError, match=message) as caught:
        build(name, **parameters)(random_factors(0))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "message"), [("datainf", "all training gradients"), ("ekfac", "the Hessian is zero")])
def test_a_relative_damping_needs_a_curvature(name, message):
    f = random_factors(0)
    f.logits_train[:] = 1e4 * np.eye(4, dtype=np.float32)[f.labels_train]
    with pytest.raises(CellError, match=message):
        build(name)(f)
