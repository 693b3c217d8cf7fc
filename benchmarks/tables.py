"""The tables that people bring: the clusterer's defaults beside scikit-learn's, fold by fold.

Every model gets the same folds in the same process, one after the other, on one thread. For each
fold: accuracy, log loss, Brier score (sum over the classes), calibration error (15 bins of the
largest probability), and seconds. What encodes columns is fitted in the training fold and not
timed. A fit that raises leaves its message in ``failed``, and the run goes on.

    python benchmarks/tables.py [--tables iris wine] [--models ours mlp] [--seeds 0] [--merge]

RealMLP-TD is optional. It wants an environment of its own, which has this package as well, and
its figures join those of the others:

    pip install torch==2.13.0 && pip install pytabkit==1.7.3 && pip install -e ".[benchmark]"
    python benchmarks/tables.py --models realmlp --merge
"""

import argparse
import dataclasses
import json
import logging
import os
import time
import warnings

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np
import torch
from _common import RESULTS, write
from _tables_data import TABLES
from _tables_summary import bars, mean_figures, print_comparison, tables
from sklearn.datasets import load_digits, load_iris
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skkuranet import KuraNetClusterer

QUICK = ("iris", "few_rows", "faces", "gaussians20_imbalanced")
N_BINS = 15
GRID = {
    "hidden_layer_sizes": [(32,), (64,), (64, 64), (128,), (128, 128)],
    "learning_rate_init": [1e-3, 2e-3, 5e-3, 1e-2],
}


def realmlp(seed):
    try:
        from pytabkit import RealMLP_TD_Classifier
    except ImportError as error:
        raise SystemExit(
            'Model "realmlp" needs pytabkit: pip install pytabkit, in an environment of its own.'
        ) from error
    # Every fit would tell of its devices.
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    return RealMLP_TD_Classifier(random_state=seed, device="cpu", n_threads=1)


MODELS = {
    "ours": lambda seed: KuraNetClusterer(random_state=seed),
    "mlp": lambda seed: make_pipeline(StandardScaler(), MLPClassifier(random_state=seed)),
    "logistic": lambda seed: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "svc": lambda seed: make_pipeline(StandardScaler(), SVC()),
    "hgb": lambda seed: HistGradientBoostingClassifier(random_state=seed),
    "realmlp": realmlp,
}


def calibration_error(y, labels, probabilities):
    """Mean gap of the largest probability and the accuracy, in bins of equal width."""
    top = probabilities.max(axis=1)
    right = labels == y
    place = np.minimum((top * N_BINS).astype(int), N_BINS - 1)
    gaps = np.bincount(place, weights=top - right, minlength=N_BINS)
    return float(np.abs(gaps).sum() / len(y))


def of_probabilities(model, X, y, labels, classes):
    """Figures of how good probabilities are; a class that no training row had gets 0."""
    given = model.predict_proba(X)
    probabilities = np.zeros((len(y), len(classes)), dtype=given.dtype)
    probabilities[:, np.searchsorted(classes, model.classes_)] = given
    return {
        "log_loss": float(log_loss(y, probabilities, labels=classes)),
        "brier": float(brier_score_loss(y, probabilities, labels=classes, scale_by_half=False)),
        "calibration_error": calibration_error(y, labels, probabilities),
    }


def figures(model, train, test, classes):
    X, y = test
    cpu, start = time.process_time(), time.perf_counter()
    model.fit(*train)
    cpu, fitted = time.process_time() - cpu, time.perf_counter()
    labels = model.predict(X)
    predicted = time.perf_counter()
    made = {
        "accuracy": float(np.mean(labels == y)),
        "balanced_accuracy": float(balanced_accuracy_score(y, labels)),
        "fit_cpu_s": cpu,
        "fit_s": fitted - start,
        "predict_s": predicted - fitted,
    }
    if hasattr(model, "predict_proba"):
        made |= of_probabilities(model, X, y, labels, classes)
    if hasattr(model, "limit_loss_"):
        made["limit_loss"] = float(model.limit_loss_)
    return made


def attempt(model, train, test, classes):
    """Figures of one fold, or the message of what was raised, and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            made = figures(model, train, test, classes)
        except Exception as error:
            made = {"failed": f"{type(error).__name__}: {error}"}
    texts = [f"{w.category.__name__}: {str(w.message).splitlines()[0]}" for w in caught]
    if texts:
        made["warnings"] = list(dict.fromkeys(texts))
    return made


def run(name, table, seed, models):
    """One table: every model in turn, fold by fold."""
    made, constants = {model: [] for model in models}, []
    for train, test in table.folds(seed):
        classes = np.unique(np.concatenate((train[1], test[1])))
        prior = DummyClassifier(strategy="prior").fit(*train)
        constants.append(of_probabilities(prior, *test, prior.predict(test[0]), classes))
        for model in models:
            made[model].append(attempt(MODELS[model](seed), train, test, classes))
    return {
        "data_set": name,
        "about": table.about,
        "seed": seed,
        "n_rows": len(train[1]) + len(test[1]),
        "n_features": train[0].shape[1],
        "n_classes": len(classes),
        "constant_log_loss": float(np.mean([c["log_loss"] for c in constants])),
        "models": made,
    }


def lines(row):
    for model, folds in row["models"].items():
        means = mean_figures(folds)
        text = f"{row['data_set']:24s}{row['seed']:3d} {model:10s}"
        for figure in ("accuracy", "log_loss", "calibration_error", "fit_cpu_s", "predict_s"):
            text += f"{means[figure]:9.4f}" if figure in means else " " * 9
        troubles = {w for fold in folds for w in [*fold.get("warnings", ()), fold.get("failed")]}
        yield text + "  " + "; ".join(sorted(t[:60] for t in troubles if t))


def latency(seed):
    """Median milliseconds of predict, one row of the digits at a time."""
    X, y = load_digits(return_X_y=True)
    models = {
        "factorized": KuraNetClusterer(max_iter=24, random_state=seed),
        "pairwise": KuraNetClusterer(coupling="pairwise", max_iter=24, random_state=seed),
        "mlp": MODELS["mlp"](seed),
    }
    made = {}
    for name, model in models.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y)
        seconds = []
        for row in X[:50]:
            start = time.perf_counter()
            model.predict(row[None])
            seconds.append(time.perf_counter() - start)
        made[name] = 1e3 * float(np.median(seconds))
        print(f"predict of one row, {name}: {made[name]:.3f} ms")
    return made


def grid_search(seed):
    """Seconds of 20 candidates in five folds of the irises, the same candidates for both."""
    X, y = load_iris(return_X_y=True)
    made = {}
    for name, prefix in {"ours": "", "mlp": "mlpclassifier__"}.items():
        grid = {prefix + parameter: values for parameter, values in GRID.items()}
        search = GridSearchCV(MODELS[name](seed), grid, cv=5)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = time.perf_counter()
            search.fit(X, y)
        made[name] = {"seconds": time.perf_counter() - start, "accuracy": float(search.best_score_)}
        print(f"grid search, {name}: {made[name]['seconds']:.1f} s")
    return made


def merged(rows, name):
    """The rows of a file, with those of this run in them."""
    found = {(row["data_set"], row["seed"]): row for row in rows}
    path = RESULTS / f"{name}.json"
    old = json.loads(path.read_text()) if path.exists() else {"rows": []}
    for row in (row for row in old["rows"] if row["data_set"] in TABLES):
        key = row["data_set"], row["seed"]
        models = row["models"] | found.get(key, {"models": {}})["models"]
        found[key] = found.get(key, row) | {"models": models}
    order = list(TABLES)
    made = sorted(found.values(), key=lambda r: (order.index(r["data_set"]), r["seed"]))
    return made, {k: old[k] for k in ("latency", "grid_search") if k in old}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--tables", nargs="+", choices=TABLES, metavar="TABLE")
    parser.add_argument(
        "--models",
        nargs="+",
        choices=MODELS,
        default=[model for model in MODELS if model != "realmlp"],
    )
    parser.add_argument("--merge", action="store_true", help="into the rows of the JSON file")
    parser.add_argument("--name", default="tables", help="of the JSON file in benchmarks/results")
    parser.add_argument(
        "--quick", action="store_true", help="two folds of a few tables, into tables_quick.json"
    )
    parser.add_argument("--grid-search", action="store_true", help="time a grid search as well")
    options = parser.parse_args()
    if options.quick:
        options.name += "_quick"
    return options


def main():
    options = arguments()
    torch.set_num_threads(1)
    names = options.tables or (QUICK if options.quick else list(TABLES))
    # What a model loads at its first fit is not counted.
    for model in options.models:
        attempt(MODELS[model](0), *[load_iris(return_X_y=True)] * 2, np.arange(3))
    rows, extras = [], {}

    def save():
        everything, old = merged(rows, options.name) if options.merge else (rows, {})
        entries = tables(everything)
        content = {"rows": everything, "tables": entries, "bars": bars(entries)} | old | extras
        write(options.name, content)
        return entries

    print(f"{'':24s}seed{'':10s} accuracy log loss      ECE    fit s  predict s")
    for name in names:
        table = TABLES[name]
        if options.quick:
            table = dataclasses.replace(table, n_folds=min(2, table.n_folds), n_repeats=1)
        for seed in options.seeds:
            rows.append(run(name, table, seed, options.models))
            print(*lines(rows[-1]), sep="\n", flush=True)
        entries = save()
    if "ours" in options.models:
        extras["latency"] = latency(options.seeds[0])
        if options.grid_search:
            extras["grid_search"] = grid_search(options.seeds[0])
        entries = save()
    print_comparison(entries)


if __name__ == "__main__":
    main()
