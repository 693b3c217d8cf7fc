"""Tables and the picture of "Tables that people bring"."""

import statistics

from matplotlib.figure import Figure
from scale_tables import csv_table

NAMES = {
    "ours": "KuraNetClusterer",
    "mlp": "MLP",
    "logistic": "logistic regression",
    "svc": "SVC",
    "hgb": "gradient boosting",
    "realmlp": "RealMLP-TD",
}
STYLES = {
    "logistic": {"color": "#b9c3cc", "marker": "^", "s": 16},
    "svc": {"color": "#8fb8a0", "marker": "s", "s": 14},
    "hgb": {"color": "#d9b779", "marker": "D", "s": 14},
    "realmlp": {"color": "#a592c7", "marker": "v", "s": 18},
    "mlp": {"facecolors": "white", "edgecolors": "#222222", "marker": "o", "s": 28, "zorder": 3},
    "ours": {"color": "#c3272b", "marker": "o", "s": 30, "zorder": 4},
}


def present(entries):
    """Models of any table, in the order of the columns."""
    return [name for name in NAMES if any(name in entry["models"] for entry in entries)]


def cell(entry, model, figure, digits):
    value = entry["models"].get(model, {}).get(figure)
    return "–" if value is None else f"{value:.{digits}f}"


def about(content):
    body = [
        [e["data_set"], e["about"].replace('"', ""), str(e["n_classes"])] for e in content["tables"]
    ]
    return csv_table("The tables", ["", "what it is", "classes"], body)


def accuracy(content):
    entries = content["tables"]
    models = present(entries)
    body = [[e["data_set"], *(cell(e, m, "accuracy", 4) for m in models)] for e in entries]
    means = []
    for model in models:
        values = [e["models"].get(model, {}).get("accuracy") for e in entries]
        means.append("–" if None in values else f"{statistics.mean(values):.4f}")
    body.append(["mean", *means])
    return csv_table("Accuracy on test rows", ["", *(NAMES[m] for m in models)], body)


def probabilities(content):
    models = [m for m in present(content["tables"]) if m != "svc"]
    body = [
        [
            e["data_set"],
            f"{e['constant_log_loss']:.3f}",
            *(
                f"{cell(e, m, 'log_loss', 4)} ({cell(e, m, 'calibration_error', 3)})"
                for m in models
            ),
        ]
        for e in content["tables"]
    ]
    header = ["", "class frequencies", *(NAMES[m] for m in models)]
    word = "Log loss on test rows, and the calibration error in brackets"
    return csv_table(word, header, body)


def brier(content):
    models = [m for m in present(content["tables"]) if m != "svc"]
    body = [[e["data_set"], *(cell(e, m, "brier", 4) for m in models)] for e in content["tables"]]
    return csv_table("Brier score on test rows", ["", *(NAMES[m] for m in models)], body)


def tuning(content):
    body = [
        [
            f"``{row['change']}``",
            f"{row['accuracy']:+.4f}",
            f"× {row['log_loss']:.2f}",
            f"× {row['time']:.1f}",
        ]
        for row in content["rows"]
    ]
    header = ["", "accuracy", "log loss", "time of a fit"]
    return csv_table("What a parameter does, beside the defaults", header, body)


def seconds(content):
    models = present(content["tables"])
    body = [
        [e["data_set"], *(cell(e, m, "fit_cpu_s", 3) for m in models)] for e in content["tables"]
    ]
    return csv_table("Processor seconds of fit", ["", *(NAMES[m] for m in models)], body)


def bars(content):
    """Nothing where the benchmark has not run with both."""
    body = [
        [bar["what"], f"{bar['value']:.4f}", bar["where"], f"{bar['bar']:g}"]
        for bar in content["bars"]
    ]
    header = ["KuraNetClusterer", "", "table", "bar"]
    return csv_table("All tables together, beside the perceptron", header, body) if body else ""


def single(content):
    """One row at a time, and a grid search, where they were measured."""
    body = [
        [f"predict of one image of digits, {name}", f"{value:.3g} ms"]
        for name, value in content.get("latency", {}).items()
    ]
    body += [
        [f"grid search of 20 candidates, five folds of the irises, {NAMES[name]}", f"{x:.3g} s"]
        for name, found in content.get("grid_search", {}).items()
        for x in [found["seconds"]]
    ]
    return csv_table("Waiting", ["", "median or total"], body) if body else ""


def scatter(axis, entries, value):
    """Dots of every model, from ``value(entry, figures of the model)``."""
    for model, style in STYLES.items():
        found = [
            (value(entry, entry["models"][model]), -place)
            for place, entry in enumerate(entries)
            if "accuracy" in entry["models"].get(model, ())
        ]
        found = [(x, y) for x, y in found if x is not None]
        if found:
            axis.scatter(*zip(*found), label=NAMES[model], linewidths=0.9, **style)


def picture(content):
    """Accuracy, log loss and time of each table, in three columns of dots."""
    entries = [entry for entry in content["tables"] if "accuracy" in entry["models"].get("mlp", ())]
    figure = Figure(figsize=(10, 1.2 + 0.22 * len(entries)), layout="constrained")
    difference, loss, time = axes = figure.subplots(1, 3, sharey=True)
    scatter(difference, entries, lambda e, m: m["accuracy"] - e["models"]["mlp"]["accuracy"])
    scatter(loss, entries, lambda e, m: m.get("log_loss"))
    scatter(time, entries, lambda e, m: m["fit_cpu_s"] / e["models"]["mlp"]["fit_cpu_s"])
    places = range(0, -len(entries), -1)
    chances = [entry["constant_log_loss"] for entry in entries]
    loss.scatter(chances, places, marker="|", color="#222222", label="class frequencies")

    difference.set_xscale("symlog", linthresh=0.01)
    difference.set_xticks([-0.1, -0.01, 0, 0.01, 0.1], ["−.1", "−.01", "0", ".01", ".1"])
    loss.set_xscale("log")
    time.set_xscale("log")
    for axis, middle, bar in ((difference, 0, -0.01), (time, 1, 3)):
        axis.axvline(middle, color="#222222", linewidth=0.7)
        axis.axvline(bar, color=STYLES["ours"]["color"], linewidth=0.7, linestyle=":")
    titles = ("accuracy minus the MLP's", "log loss", "time of fit over the MLP's")
    for axis, title in zip(axes, titles):
        axis.set_title(title, fontsize=10)
        axis.grid(axis="y", color="#eeeeee", linewidth=0.8)
        axis.set_axisbelow(True)
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.tick_params(axis="y", length=0)
        axis.tick_params(axis="x", labelsize=8)
    difference.set_yticks(places, [entry["data_set"] for entry in entries], fontsize=8)
    difference.set_ylim(-len(entries) + 0.3, 0.7)

    dots = {}
    for axis in axes:
        dots |= dict(zip(*reversed(axis.get_legend_handles_labels())))
    order = [name for name in (*NAMES.values(), "class frequencies") if name in dots]
    figure.legend(
        [dots[name] for name in order],
        order,
        loc="outside upper center",
        ncols=len(order),
        frameon=False,
        fontsize=8,
        handletextpad=0.2,
    )
    return figure
