"""Table II's mixtures, real data and peers: losses, accuracy and time, as JSON and a table.

Protocol of the paper: 10,000 training and 10,000 test nodes. Data: mean over 100 test networks
of 100 nodes. Size: all training nodes as one exact network. Data+Size: all test nodes as one.
All from random initial phases, after 500 units of time.

    python benchmarks/mixtures.py [--seeds 0 1 2 3 4] [--coupling factorized] [--sets Moons ...]
"""

import argparse
import statistics
import time

import numpy as np
from _common import MIXTURES, regimes, write
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skkuranet import KuraNetClusterer

# Merged clusters cost .07 (k=3) to .5 (k=2).
STUCK = 0.05

REAL = {
    "iris": load_iris,
    "wine": load_wine,
    "breast_cancer": load_breast_cancer,
    "digits": load_digits,
}


def peers(seed):
    return {
        "MLP": make_pipeline(StandardScaler(), MLPClassifier(random_state=seed)),
        "KNN": make_pipeline(StandardScaler(), KNeighborsClassifier()),
        "SVC": make_pipeline(StandardScaler(), SVC(random_state=seed)),
        "forest": RandomForestClassifier(random_state=seed),
    }


def timed_accuracy(model, train, test):
    start = time.perf_counter()
    model.fit(*train)
    fitted = time.perf_counter()
    accuracy = float(np.mean(model.predict(test[0]) == test[1]))
    return {
        "accuracy": accuracy,
        "fit_s": fitted - start,
        "predict_s": time.perf_counter() - fitted,
    }


def mixture(name, seed, settings, models):
    rng = np.random.RandomState(seed)
    train, test = MIXTURES[name](rng), MIXTURES[name](rng)
    model = KuraNetClusterer(random_state=seed, **settings)
    row = {"data_set": name, "seed": seed, "ours": timed_accuracy(model, train, test)}
    phases = np.random.RandomState(seed)
    row["loss"] = regimes(lambda X, y: model.synchrony_loss(X, y, random_state=phases), train, test)
    row["stuck"] = bool(row["loss"]["data"] > STUCK)
    row["limit_loss"], row["n_iter"] = model.limit_loss_, model.n_iter_
    row["peers"] = {k: timed_accuracy(m, train, test) for k, m in models.items()}
    return row


def real(name, seed, settings, models):
    X, y = REAL[name](return_X_y=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    models = {"ours": KuraNetClusterer(random_state=seed, **settings), **models}
    scores = {
        k: [timed_accuracy(m, (X[a], y[a]), (X[b], y[b])) for a, b in folds.split(X, y)]
        for k, m in models.items()
    }
    means = {k: {f: statistics.mean(s[f] for s in v) for f in v[0]} for k, v in scores.items()}
    return {"data_set": name, "seed": seed, "ours": means.pop("ours"), "peers": means}


def line(row):
    losses = row.get("loss", {})
    text = "".join(
        f"{losses[k]:9.5f}" if losses else " " * 9 for k in ("data", "size", "data_size")
    )
    best = "".join(f"{p['accuracy']:8.4f}" for p in row["peers"].values())
    ours = row["ours"]
    text = f"{row['data_set']:14s}{row['seed']:3d}{text}"
    return f"{text}{ours['fit_s']:7.1f}{ours['accuracy']:8.4f}{best}"


def summary(rows):
    """Print the worst seed of each group of sets, in each regime, and the fit times."""
    rings = [f"GMM{k}" for k in range(2, 11)]
    groups = {n: [n] for n in ("Moons", "Circles", "Spirals")} | {
        "GMM mean": rings,
        "without 4": [n for n in rings if n != "GMM4"],
        "GMM4": ["GMM4"],
    }
    found = {(r["data_set"], r["seed"]): r["loss"] for r in rows if "loss" in r}
    seeds = sorted({seed for _, seed in found})
    print("worst seed         data     size   d+size")
    for group, names in groups.items():
        if not found or not all((n, s) in found for n in names for s in seeds):
            continue
        worst = [
            max(statistics.mean(found[n, s][regime] for n in names) for s in seeds)
            for regime in ("data", "size", "data_size")
        ]
        print(f"{group:14s}" + "".join(f"{w:9.5f}" for w in worst))
    mixed = [r for r in rows if "loss" in r]
    if mixed:
        fits = [r["ours"]["fit_s"] for r in mixed]
        print(f"fit: median {statistics.median(fits):.1f} s, longest {max(fits):.1f} s")
        print(f"stuck: {sum(r['stuck'] for r in mixed)} of {len(mixed)} fits")
    compared = [r for r in mixed if r["peers"]]
    if compared:
        behind = max(r["peers"]["MLP"]["accuracy"] - r["ours"]["accuracy"] for r in compared)
        print(f"accuracy: at worst {behind:.4f} behind MLPClassifier")
    real_rows = [r for r in rows if "loss" not in r and r["peers"]]
    if real_rows:
        ours = statistics.mean(r["ours"]["accuracy"] for r in real_rows)
        mlp = statistics.mean(r["peers"]["MLP"]["accuracy"] for r in real_rows)
        print(f"real data: mean accuracy {ours:.4f}, MLPClassifier {mlp:.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--coupling", default="factorized")
    parser.add_argument("--max-iter", type=int, help="iterations of training, for all sets alike")
    parser.add_argument("--sets", nargs="+", default=[*MIXTURES, *REAL])
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--name", help="of the JSON file in benchmarks/results")
    options = parser.parse_args()
    settings = {"coupling": options.coupling}
    if options.max_iter is not None:
        settings["max_iter"] = options.max_iter
    print(
        f"{'set':14s}seed    data     size  d+size   fit_s    ours     MLP     KNN     SVC  forest"
    )
    rows = []
    for name in options.sets:
        for seed in options.seeds:
            models = {} if options.without_peers else peers(seed)
            rows.append((mixture if name in MIXTURES else real)(name, seed, settings, models))
            print(line(rows[-1]), flush=True)
            # After every row, as some runs take an hour.
            write(
                options.name or f"mixtures_{options.coupling}", {"settings": settings, "rows": rows}
            )
    summary(rows)


if __name__ == "__main__":
    main()
