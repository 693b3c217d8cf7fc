"""Means, comparison with the perceptron and bars of ``tables.py``."""

import statistics

FIGURES = (
    "accuracy",
    "balanced_accuracy",
    "log_loss",
    "brier",
    "calibration_error",
    "fit_cpu_s",
    "fit_s",
    "predict_s",
    "limit_loss",
)
# Bars of every table: least difference, and largest of the others.
WORST_DIFFERENCE, WORST_LOSS_RATIO, TIMES_MLP, FREE_SECONDS = -0.01, 1.25, 3.0, 0.5
# Bars of all tables together.
MEAN_DIFFERENCE, MEAN_TIME_RATIO = 0.0, 1.5


def mean_figures(folds):
    """Mean of each figure over the folds that have it, and what went wrong in any."""
    made = {
        figure: statistics.mean(values)
        for figure in FIGURES
        if (values := [fold[figure] for fold in folds if figure in fold])
    }
    for trouble in ("failed", "warnings"):
        made[trouble] = sum(trouble in fold for fold in folds)
    return made


def tables(rows):
    """One entry for each data set: means over seeds and folds, and ours beside the perceptron."""
    made = []
    for name in dict.fromkeys(row["data_set"] for row in rows):
        own = [row for row in rows if row["data_set"] == name]
        entry = {k: own[0][k] for k in ("data_set", "about", "n_rows", "n_features", "n_classes")}
        entry["constant_log_loss"] = statistics.mean(row["constant_log_loss"] for row in own)
        entry["models"] = {
            model: mean_figures([fold for row in own for fold in row["models"].get(model, ())])
            for model in dict.fromkeys(m for row in own for m in row["models"])
        }
        pair = [entry["models"].get(model, {}) for model in ("ours", "mlp")]
        if all("accuracy" in means for means in pair):
            entry |= compare(*pair, entry["constant_log_loss"])
        made.append(entry)
    return made


def compare(ours, mlp, constant):
    """Differences and ratios of one table, and the names of the bars that it misses."""
    made = {
        "difference": ours["accuracy"] - mlp["accuracy"],
        "loss_ratio": ours["log_loss"] / mlp["log_loss"],
        "of_constant": ours["log_loss"] / constant,
        "time_ratio": ours["fit_cpu_s"] / mlp["fit_cpu_s"],
        "of_allowed_time": ours["fit_cpu_s"] / max(TIMES_MLP * mlp["fit_cpu_s"], FREE_SECONDS),
    }
    missed = {
        "accuracy": made["difference"] < WORST_DIFFERENCE,
        "log loss": made["loss_ratio"] > WORST_LOSS_RATIO,
        "frequencies": made["of_constant"] > 1.0,
        "time": made["of_allowed_time"] > 1.0,
        "failed": ours["failed"] > 0,
    }
    return made | {"missed": [name for name, true in missed.items() if true]}


def bars(entries):
    """What is asked of all tables together: value, the table it comes from, bar and verdict."""
    own = [entry for entry in entries if "difference" in entry]
    if not own:
        return []

    def bar(what, value, limit, where="", above=False):
        holds = value >= limit if above else value <= limit
        return {"what": what, "value": value, "bar": limit, "where": where, "holds": holds}

    def worst(what, key, limit, above=False):
        entry = (min if above else max)(own, key=lambda e: e[key])
        return bar(what, entry[key], limit, entry["data_set"], above)

    mean = statistics.mean(e["difference"] for e in own)
    time = statistics.geometric_mean(e["time_ratio"] for e in own)
    failed = sum(e["models"]["ours"]["failed"] for e in entries if "ours" in e["models"])
    return [
        bar("accuracy minus the perceptron's, mean", mean, MEAN_DIFFERENCE, above=True),
        worst("accuracy minus the perceptron's, worst", "difference", WORST_DIFFERENCE, True),
        worst("log loss over the perceptron's, worst", "loss_ratio", WORST_LOSS_RATIO),
        worst("log loss over that of class frequencies, worst", "of_constant", 1.0),
        worst(
            f"fit over {TIMES_MLP:g} times the perceptron's or {FREE_SECONDS:g} s, worst",
            "of_allowed_time",
            1.0,
        ),
        bar("fit over the perceptron's, geometric mean", time, MEAN_TIME_RATIO),
        bar("folds that failed", failed, 0),
    ]


def print_comparison(entries):
    """Print each table, ours beside the perceptron, and the bars; nothing without the two."""
    if not bars(entries):
        return
    header = f"{'accuracy':>9s}{'MLP':>8s}{'diff':>8s}{'log loss':>10s}{'MLP':>8s}{'ratio':>7s}"
    header += f"{'ECE':>7s}{'MLP':>7s}{'fit s':>8s}{'MLP':>7s}{'ratio':>7s}  misses"
    print(f"\n{'':24s}{header}")
    for entry in entries:
        if "difference" not in entry:
            print(f"{entry['data_set']:24s}  one of the two has no figures")
            continue
        ours, mlp = entry["models"]["ours"], entry["models"]["mlp"]
        print(
            f"{entry['data_set']:24s}"
            f"{ours['accuracy']:9.4f}{mlp['accuracy']:8.4f}{entry['difference']:+8.4f}"
            f"{ours['log_loss']:10.4f}{mlp['log_loss']:8.4f}{entry['loss_ratio']:7.2f}"
            f"{ours['calibration_error']:7.3f}{mlp['calibration_error']:7.3f}"
            f"{ours['fit_cpu_s']:8.2f}{mlp['fit_cpu_s']:7.2f}{entry['time_ratio']:7.2f}"
            f"  {', '.join(entry['missed'])}"
        )
    print()
    for bar in bars(entries):
        verdict = "holds" if bar["holds"] else "MISSED"
        print(f"{verdict:7s}{bar['what']:60s}{bar['value']:9.4f} (bar {bar['bar']}) {bar['where']}")
