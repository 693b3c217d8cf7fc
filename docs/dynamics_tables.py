"""Tables of "Other equations of motion"."""

import statistics
from functools import partial

from scale_tables import csv_table

# Of each figure its name, and which of the seeds is the worst.
FIGURES = {
    "variance": ("circular variance", max),
    "order_parameter": ("order parameter", min),
    "at_rest": ("share of grids at rest", min),
    "largest_deviation": ("largest deviation of frequency after a cut", max),
    "back_at_rest": ("share back at rest", min),
    "prevalence": ("share of the infected", max),
}


def problem(name, title, content):
    """Figures of one problem, for each kind of couplings and each size."""
    rows = [row for row in content["rows"] if row["problem"] == name]
    figures = [figure for figure in FIGURES if figure in rows[0]]
    body = []
    for n, couplings in dict.fromkeys((row["n"], row["couplings"]) for row in rows):
        own = [row for row in rows if (row["n"], row["couplings"]) == (n, couplings)]
        cells = []
        for figure in figures:
            values = [row[figure] for row in own]
            cells.append(f"{statistics.median(values):.3f} ({FIGURES[figure][1](values):.3f})")
        body.append([f"{n}", couplings, *cells])
    header = ["nodes", "couplings", *(FIGURES[figure][0] for figure in figures)]
    return csv_table(f"{title}, median of the seeds and, in brackets, the worst", header, body)


def wins(content):
    """At how many seeds learned couplings are better than each control."""
    found = {(w["problem"], w["n"], w["figure"], w["over"]): w for w in content["wins"]}
    controls = list(dict.fromkeys(over for *_, over in found))
    body = [
        [name, str(n), FIGURES[figure][0], *(_won(found.get((*key, c))) for c in controls)]
        for key in dict.fromkeys(key[:3] for key in found)
        for name, n, figure in [key]
    ]
    header = ["", "nodes", "", *(f"learned beat {control}" for control in controls)]
    return csv_table("Seeds", header, body)


def _won(won):
    if won is None:
        return "–"
    tied = f", {won['seeds_tied']} tied" if won["seeds_tied"] else ""
    return f"{won['seeds_won']} of {won['seeds']}{tied}"


def design(content):
    """Order of designs of graphs as they are and after faults, means of the seeds."""
    faults = ("whole", "random_cuts", "loaded_cuts", "no_hubs")
    body = []
    for case in dict.fromkeys((r["graph"], r["n"], r["couplings"]) for r in content["rows"]):
        own = [r for r in content["rows"] if (r["graph"], r["n"], r["couplings"]) == case]
        means = [f"{statistics.mean(r[fault] for r in own):.3f}" for fault in faults]
        seconds = statistics.mean(r["train_seconds"] for r in own)
        body.append([case[0], str(case[1]), case[2], *means, f"{seconds:.1f}" if seconds else ""])
    header = ["graph", "nodes", "couplings", "R", "random lines cut", "loaded lines cut"]
    header += ["hubs gone", "seconds of training"]
    seeds = len({row["seed"] for row in content["rows"]})
    return csv_table(f"Designs of graphs, means of {seeds} seeds", header, body)


def design_words(content):
    """On how many graphs which design is the best."""
    graphs = {}
    for row in content["rows"]:
        graphs.setdefault((row["graph"], row["n"], row["seed"]), {})[row["couplings"]] = row

    def count(holds):
        return sum(map(holds, graphs.values()))

    def is_best(name, fault):
        return count(lambda own: own[name] is max(own.values(), key=lambda row: row[fault]))

    seen = count(lambda own: own["learned from measured"]["whole"] > own["learned"]["whole"])
    lost = sum(loss["fault"] == "loaded_cuts" for loss in content["losses"])
    return (
        "Of the whole graph, the design with node identity is the best on "
        f"{is_best('learned, node identity', 'whole')} of {len(graphs)} graphs. Couplings that "
        "begin with measured weights end in more order than those by features alone on "
        f"{seen}, though the weights were drawn at random: they tell lines apart. Few strong "
        "lines pay for it where lines fail: after random cuts, couplings learned for cuts are "
        f"the best on {is_best('learned for cuts', 'random_cuts')}. Cuts of the most loaded lines "
        "remain the weak point of all that is learned: on "
        f"{lost} of {len(graphs)} graphs a plain rule is left with more order than any of them.\n"
    )


# Name of each include file, and what makes it from the whole content of the results.
TABLES = {
    "dynamics_lags": partial(problem, "phase lags", "Phase lags"),
    "dynamics_noise": partial(problem, "noise", "Noise"),
    "dynamics_grids": partial(problem, "power grids", "Power grids"),
    "dynamics_epidemics": partial(problem, "epidemics", "Epidemics"),
    "dynamics_wins": wins,
}
