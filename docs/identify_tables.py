"""Tables of "Couplings found in measured phases"."""

import statistics

from scale_tables import csv_table

RANGES = {
    "noise": ("measurement noise, share of a turn", "{:.3g}"),
    "length": ("units of time", "{:.0f}"),
    "interval": ("time between samples", "{:.3g}"),
    "dynamic_noise": ("noise of the dynamics", "{:.3g}"),
}
WAYS = {
    "correlation": "here",
    "regression": "here, max_iter=0",
    "splines": "derivatives of splines",
    "differences": "differences",
}
OTHERS = {
    "bayesian": "infer_network_bayesian",
    "sparse": "discover_phase_dynamics",
    "trajectory": "learn_coupling",
}


def cell(values):
    return f"{statistics.median(values):.4f} ({min(values):.4f})" if values else ""


def beside(content):
    """Correlations of couplings found with true ones, by way and network."""
    rows = content["beside"]
    graphs = list(dict.fromkeys(row["graph"] for row in rows))
    body = []
    for graph in graphs:
        own = [row for row in rows if row["graph"] == graph]
        locked = statistics.median(row["locked_pairs"] for row in own)
        found = [cell([row[way] for row in own if way in row]) for way in WAYS]
        theirs = [row["oscillatools"] for row in own if "oscillatools" in row]
        found += [cell([row[way] for row in theirs]) for way in OTHERS]
        body.append([graph, f"{locked:.0%}", *found])
    seconds = [f"{statistics.median(row[w] for row in rows):.2g} s" for w in ("seconds",)]
    for way in ("regression", "splines", "differences"):
        key = f"{way}_seconds"
        seconds.append(f"{statistics.median(row[key] for row in rows if key in row):.2g} s")
    theirs = [row["oscillatools"] for row in rows if "oscillatools" in row]
    for way in OTHERS:
        told = [row[f"{way}_seconds"] for row in theirs]
        seconds.append(f"{statistics.median(told):.2g} s" if told else "")
    body.append(["processor time", "", *seconds])
    header = ["couplings", "pairs in step", *WAYS.values(), *OTHERS.values()]
    return csv_table(
        "Correlation with true couplings, median and, in brackets, the worst of the seeds",
        header,
        body,
    )


def errors(content):
    """What noise, length and sampling do."""
    body = [
        [
            f"{RANGES[row['what']][0]}: {RANGES[row['what']][1].format(row['value'])}",
            f"{row['correlation']:.4f}",
            f"{row['error']['rms']:.4f}",
            f"{row['error']['in_units_of_standard_errors']:.2f}",
            f"{row['n_determined']:.1f}",
            f"{row['seconds']:.2g} s",
        ]
        for row in content["curves"]
    ]
    header = ["", "correlation", "error", "error / standard error", "determined of 49", "time"]
    return csv_table("One thing changed at a time", header, body)


def new_nodes(content):
    """Nodes never measured, beside a matrix fitted to a recording of theirs."""
    body = []
    for row in content["new_nodes"]:
        tests = row["tests"]
        ahead = [test["forecast_errors_after_1_5_10"] for test in tests]
        body.append(
            [
                f"{row['recordings']}",
                *(
                    f"{statistics.median(test[key] for test in tests):.3f}"
                    for key in ("correlation", "refitted_correlation", "score", "refitted_score")
                ),
                *(
                    f"{statistics.median(each[kind][1] for each in ahead):.3f}"
                    for kind in ("here", "refitted")
                ),
                f"{row['seconds']:.2g} s",
            ]
        )
    header = [
        "recordings in training",
        "correlation",
        "refitted",
        "R²",
        "refitted",
        "error after 5 units",
        "refitted",
        "processor time of fit",
    ]
    return csv_table("Three networks of 30 nodes never measured, medians", header, body)


def brain(content):
    """A recording of which nobody knows the couplings."""
    row = content["resting_brain"]
    error, size = row["errors_beside_couplings"]
    body = [
        ["regions", f"{row['regions']}"],
        ["samples", f"{row['samples']}"],
        ["couplings determined of each region", f"{row['n_determined']:.1f}"],
        ["couplings found, root mean square", f"{size:.3f}"],
        ["their standard errors", f"{error:.3f}"],
        ["R² of the later half", f"{row['score_of_later_half']:.2f}"],
        ["R² without couplings", f"{row['score_without_couplings']:.2f}"],
    ]
    return csv_table("Brain at rest", ["", ""], body)


# Name of each include file, and what makes it from the whole content of the results.
TABLES = {
    "identify_beside": beside,
    "identify_errors": errors,
    "identify_new_nodes": new_nodes,
    "identify_brain": brain,
}
