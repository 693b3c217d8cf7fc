"""Figures of the README and of "Limits": what is won and what is lost, from the results alone."""

import re
import statistics

from scale_tables import flows, milliseconds, named

MARKS = re.compile(r"(<!-- figures of (\w+): python docs/tables.py -->\n).*?(<!-- end)", re.DOTALL)
# Rows of the README's table of speed that say most.
BATCH = "factorised, four networks"
SIZES = (100_000, 1_000_000, 10_000_000)


def median(rows, value):
    return statistics.median(value(row) for row in rows)


def synchrony(results):
    """Circular variance of the first case, beside the paper's."""
    content = results("global_synchrony")
    own = [row["variance"] for row in content["rows"] if row["case"] == "I"]
    here, paper = median(own, lambda v: v["data_size"]), content["paper"]["I"][2]
    return (
        "to learn couplings that synchronise what differs in frequency, field, delay, lag or "
        f"noise: 10,000 new oscillators at circular variance {here:.3f}, in the paper {paper:.3f}"
    )


def tables(results):
    """Means over all tables, beside scikit-learn's perceptron."""
    entries = [e for e in results("tables")["tables"] if {"ours", "mlp"} <= set(e["models"])]

    def told(model):
        accuracy, loss = (
            statistics.mean(e["models"][model][figure] for e in entries)
            for figure in ("accuracy", "log_loss")
        )
        return f"accuracy {accuracy:.3f}, log loss {loss:.3f}"

    ratio = statistics.geometric_mean(e["time_ratio"] for e in entries)
    return (
        "to classify a table with probabilities that can be believed, and see classes as phases: "
        f"{told('ours')} on {len(entries)} tables, scikit-learn's `MLPClassifier` {told('mlp')}, "
        f"fits {ratio:.2f} times as long"
    )


def scribbles(results):
    """Images from scribbles, beside the best of the others."""
    rows = [row for row in results("segmentation")["rows"] if row["labels"] == "scribbles"]
    seeds = sorted({row["seed"] for row in rows})

    def score(value):
        images = ([value(r) for r in rows if r["seed"] == seed] for seed in seeds)
        return statistics.median(statistics.mean(image) for image in images)

    others = {p: score(lambda r, p=p: r["peers"][p]["sbd"]) for p in rows[0]["peers"]}
    best = max(others, key=others.get)
    here = score(lambda r: r["ours"]["sbd"])
    return (
        f"to segment a photograph from scribbles: best Dice {here:.2f} on the paper's nine images, "
        f"the best of the others ({best}) {others[best]:.2f}"
    )


def identification(results):
    """Couplings from recordings, in the network that is hardest to see."""
    rows = results("identify")["beside"]
    graph = max({row["graph"]: row["locked_pairs"] for row in rows}.items(), key=lambda x: x[1])[0]
    own = [row for row in rows if row["graph"] == graph and "splines" in row]
    here, splines = (median(own, lambda r, k=k: r[k]) for k in ("correlation", "splines"))
    return (
        f"to find couplings in measured phases: correlation {here:.3f} with the true ones of 50 "
        f"oscillators, {median(own, lambda r: r['locked_pairs']):.0%} of their pairs in step; by "
        f"regression on splines {splines:.3f}"
    )


def sizes(results):
    """The largest network."""
    row = max(results("sizes")["rows"], key=lambda r: r["n"])
    return (
        f"to simulate many: {row['n']:,} oscillators, {row['n_steps']} steps, in "
        f"{row['seconds']:.0f} s and {row['gigabytes_above_input']:.1f} GB"
    )


def small_tables(results):
    """What a fit takes where rows are few."""
    entries = [e for e in results("tables")["tables"] if e["n_rows"] < 1000]
    seconds = (
        statistics.median(e["models"][model]["fit_cpu_s"] for e in entries)
        for model in ("ours", "mlp", "logistic")
    )
    here, perceptron, logistic = (milliseconds(s) for s in seconds)
    return (
        "where a fit has to take milliseconds: on tables of less than 1,000 rows the median is "
        f"{here} here, {perceptron} of `MLPClassifier`, {logistic} of `LogisticRegression`"
    )


def fast_tables(results):
    """How often something much faster is as accurate."""
    entries = [e for e in results("tables")["tables"] if {"ours", "svc"} <= set(e["models"])]
    alike = sum(
        e["models"]["svc"]["accuracy"] >= e["models"]["ours"]["accuracy"] - 0.005 for e in entries
    )
    ratio = statistics.median(
        e["models"]["ours"]["fit_cpu_s"] / e["models"]["svc"]["fit_cpu_s"] for e in entries
    )
    return (
        "where only labels of a table count: scikit-learn's `SVC` is as accurate, or within .005, "
        f"on {alike} of {len(entries)} tables of any size, and fits {ratio:.0f} times as fast"
    )


def columns_that_say_nothing(results):
    """A table on which trees gain much."""
    entry = next(e for e in results("tables")["tables"] if e["data_set"] == "many_features")
    trees, here = (entry["models"][model]["accuracy"] for model in ("hgb", "ours"))
    return (
        f"where few of many columns matter: on one of these tables, with {entry['n_features']} "
        f"columns, gradient boosting reaches accuracy {trees:.2f}, this {here:.2f}"
    )


def unseen(results):
    """Groups of classes that training has not seen, beside a method that is told their number."""
    here, kmeans = indices(results, "digits", ("ours", "k-means, k"))
    return (
        "to find groups of classes that were never there: three digits after training on the other "
        f"seven, adjusted Rand index {here:.2f}, without their number; k-means with it "
        f"{kmeans:.2f}"
    )


def letters(results):
    """Unseen classes that stay hard."""
    here, kmeans = indices(results, "letters", ("ours", "k-means, k"))
    return (
        "for unseen classes of shapes that move, which want an embedding of images first: letters, "
        f"turned and shifted, adjusted Rand index {here:.2f}, k-means with their number "
        f"{kmeans:.2f}"
    )


def indices(results, data, methods):
    """Mean adjusted Rand index of methods on one kind of table."""
    rows = [row["index"] for row in results("unseen")["rows"] if row["data"] == data]
    return [statistics.mean(row[method] for row in rows) for method in methods]


def unseen_images(results):
    """Photographs that training has not seen."""
    tested = [row["tested"] for row in results("unseen_images")["rows"]]
    here, there = (
        statistics.mean(t[method]["covering"] for t in tested if method in t)
        for method in ("ours", "felzenszwalb")
    )
    return (
        "to segment photographs after training on others: covering "
        f"{here:.2f} on images of BSDS500, scikit-image's `felzenszwalb` {there:.2f}, "
        "each at its best setting"
    )


def power_grids(results):
    """Where a rule by hand is as good as what is learned."""
    rows = [r for r in results("other_dynamics")["rows"] if r["problem"] == "power grids"]
    size = max(row["n"] for row in rows)

    def order(couplings):
        own = [row for row in rows if (row["n"], row["couplings"]) == (size, couplings)]
        return {row["seed"]: row["order_parameter"] for row in own}

    learned, by_hand = order("learned"), order("by hand")
    won = sum(learned[seed] > by_hand[seed] for seed in learned)
    return (
        "to beat a good rule at what it is made for: capacities of a power grid in proportion to "
        f"its flow keep grids of {size} in better step at {len(learned) - won} of "
        f"{len(learned)} seeds"
    )


GAINS = (synchrony, identification, scribbles, unseen_images, tables, unseen, sizes)
LOSSES = (small_tables, fast_tables, columns_that_say_nothing, letters, power_grids)


def when(results):
    """Markdown lists of what to use the library for, and what not."""
    gains, losses = (
        "\n".join(f"- {line(results)};" for line in lines) for lines in (GAINS, LOSSES[:-1])
    )
    return f"Use it\n\n{gains[:-1]}.\n\nUse something else\n\n{losses[:-1]}.\n"


def speed(results):
    """Markdown rows of what the library does, and of what others do in the same run."""
    measured = results("speed")["rows"]
    row, rival = next(flows(measured))
    rows = [
        (
            f"100 steps and their gradient, {row['what']}",
            milliseconds(row["seconds"]["skkuranet"]),
            f"{rival}: {milliseconds(row['seconds'][rival])}, "
            f"{1.0 / row['memory_share'][rival]:.3g} times the memory",
        )
    ]
    batch = named(measured, "training batch")
    rows += [
        (
            f"a training batch, n=100, {BATCH}",
            milliseconds(batch["seconds"][BATCH]),
            f"the authors' code, one network: {milliseconds(batch['authors_seconds'])}",
        )
    ]
    rows += [
        (
            f"{row['n']:,} oscillators, {row['what']}, {row['n_steps']} steps",
            f"{row['seconds']:.3g} s",
            f"{row['gigabytes_above_input']:.2g} GB above the input",
        )
        for row in results("sizes")["rows"]
        if row["n_steps"] > 1 and row["n"] in SIZES
    ]
    lines = ["| | here | beside, or memory |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


BLOCKS = {"when": when, "speed": speed}


def fill(text, results):
    """The README with the figures of today between its marks."""
    return MARKS.sub(lambda mark: mark[1] + BLOCKS[mark[2]](results) + mark[3], text)


def limits(results):
    """A list in reStructuredText of where something else is better."""
    return "\n".join(f"- {line(results)}.".replace("`", "``") for line in LOSSES) + "\n"
