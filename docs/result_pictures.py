"""Pictures of the paper's two tables, and of accuracy against time."""

import statistics

from matplotlib.figure import Figure
from peer_tables import STYLES

HERE, PAPER = STYLES["ours"]["color"], "#222222"
REGIMES = {"data": "Data", "size": "Size", "data_size": "Data+Size"}


def panels(title, groups, found, paper):
    """A dot for each seed and the paper's figure, for each regime; ``found(group, regime)``."""
    figure = Figure(figsize=(8, 1.1 + 0.32 * len(groups)), layout="constrained")
    axes = figure.subplots(1, len(REGIMES), sharex=True, sharey=True)
    for place, (axis, (regime, name)) in enumerate(zip(axes, REGIMES.items())):
        for row, group in enumerate(groups):
            values = found(group, regime)
            axis.scatter(values, [-row] * len(values), s=22, color=HERE, label="here, each seed")
            if group in paper:
                axis.scatter(
                    paper[group][place], -row, s=70, marker="|", color=PAPER, label="the paper"
                )
        axis.set_title(name, fontsize=10)
        axis.grid(axis="y", color="#eeeeee", linewidth=0.8)
        axis.set_axisbelow(True)
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.tick_params(axis="y", length=0)
    axes[0].set_yticks(range(0, -len(groups), -1), groups)
    figure.supxlabel(title, fontsize=10)
    dots = dict(zip(*reversed(axes[0].get_legend_handles_labels())))
    figure.legend(
        dots.values(), dots.keys(), loc="outside upper center", ncols=2, frameon=False, fontsize=9
    )
    return figure


def table_one(content):
    """Circular variance of the three cases."""
    cases = {f"Case {case}": case for case in content["paper"]}

    def found(name, regime):
        rows = [row for row in content["rows"] if row["case"] == cases[name]]
        return [row["variance"][regime] for row in rows]

    paper = {name: content["paper"][case] for name, case in cases.items()}
    return panels("circular variance, less is better", list(cases), found, paper)


def table_two(groups, paper):
    """What draws the cluster synchrony loss of groups of data sets."""

    def picture(content):
        losses = {
            (row["data_set"], row["seed"]): row["loss"] for row in content["rows"] if "loss" in row
        }
        seeds = sorted({seed for _, seed in losses})

        def found(group, regime):
            every = ([losses[name, seed][regime] for name in groups[group]] for seed in seeds)
            return [max(0.0, statistics.mean(one)) for one in every]

        figure = panels("cluster synchrony loss, less is better", list(groups), found, paper)
        for axis in figure.axes:
            axis.set_xscale("symlog", linthresh=1e-4)
            axis.set_xlim(-5e-5, 0.05)
            axis.set_xticks([0, 1e-4, 1e-3, 1e-2], ["0", ".0001", ".001", ".01"], fontsize=8)
        return figure

    return picture


def time_and_accuracy(content):
    """A dot for each table: what is won beside the perceptron, and what it takes."""
    entries = [e for e in content["tables"] if {"ours", "mlp"} <= set(e["models"])]
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axis = figure.subplots()
    sizes = [12 + 4 * e["n_rows"] ** 0.35 for e in entries]
    gains = [e["models"]["ours"]["accuracy"] - e["models"]["mlp"]["accuracy"] for e in entries]
    ratios = [e["time_ratio"] for e in entries]
    axis.scatter(ratios, gains, s=sizes, color=HERE, alpha=0.7, linewidths=0)
    axis.axhline(0.0, color=PAPER, linewidth=0.7)
    axis.axvline(1.0, color=PAPER, linewidth=0.7)
    axis.set_xscale("log")
    axis.set_xticks([0.5, 1, 2], ["half", "the same", "twice"])
    axis.minorticks_off()
    axis.set_yscale("symlog", linthresh=0.01)
    axis.set_yticks([-0.01, 0, 0.01, 0.1], ["−.01", "0", ".01", ".1"])
    axis.set_ylim(-0.01, 0.2)
    axis.set_xlabel("time of a fit beside the perceptron's; larger dots have more rows")
    axis.set_ylabel("accuracy, more than its")
    axis.spines[["top", "right"]].set_visible(False)
    return figure
