"""Tables of groups that training has never seen."""

import statistics

from scale_tables import csv_table

OURS = {"ours": "KuraNet", "ours, k": "KuraNet, k"}


def rows_of_classes(rows):
    """Adjusted Rand index of each method by data, and how often the number of groups is right."""
    data = list(dict.fromkeys(r["data"] for r in rows))
    body = []
    for method in rows[0]["index"]:
        cells = []
        for name in data:
            own = [r for r in rows if r["data"] == name]
            values = [r["index"][method] for r in own]
            cell = f"{statistics.mean(values):.3f} ({min(values):.2f})"
            if not method.endswith(", k"):
                right = sum(r["found"][method] == r["n_groups"] for r in own)
                cell += f", {right} of {len(own)}"
            cells.append(cell)
        body.append([OURS.get(method, method), *cells])
    n_seeds = len({r["seed"] for r in rows})
    title = (
        "Adjusted Rand index of classes never seen: mean and worst of all splits and "
        f"{n_seeds} {'seed' if n_seeds == 1 else 'seeds'}, and how often the number of groups was "
        "right. k: the number was given"
    )
    return csv_table(title, ["", *data], body)


def unlabelled(rows):
    """Adjusted Rand index and numbers of clusters of each method, by table, and agreement."""
    body = []
    for name in dict.fromkeys(r["data"] for r in rows):
        own = [r for r in rows if r["data"] == name]
        k = own[0]["n_groups"]
        cells = []
        for method in own[0]["index"]:
            if k == 1 and method.endswith(", k"):
                cells.append("–")
                continue
            values = [r["index"][method] for r in own]
            cell = f"{statistics.mean(values):.2f} ({min(values):.2f})"
            if not method.endswith(", k"):
                numbers = [r["found"][method] for r in own]
                cell += f", {spread(numbers)}"
            cells.append(cell)
        seen = "" if own[0]["part"] == "others" else "*"
        agreements = [r["agreement"] for r in own]
        cells.append(f"{min(agreements):.2f} to {max(agreements):.2f}")
        body.append([name + seen, str(k), *cells])
    n_seeds = len({r["seed"] for r in rows})
    title = (
        f"Adjusted Rand index without labels: mean and worst of {n_seeds} seeds, and the least and "
        "largest number of clusters found. k: the number was given; \\*: settings were chosen on it"
    )
    return csv_table(title, ["", "groups", *rows[0]["index"], "agreement"], body)


def spread(numbers):
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def images(content):
    """Scores of each method on the tested images and on all, mean and worst of the seeds."""
    rows = content["rows"]
    body = []
    for method in rows[0]["tested"]:
        cells = []
        for part in ("tested", "all"):
            own = [r[part][method] for r in rows if method in r[part]]
            for key in ("covering", "covering_ois"):
                cells.append(both([o[key] for o in own], min))
            if part == "tested":
                cells.append(both([o["variation_of_information"] for o in own], max))
                cells.append(both([o["rand_index"] for o in own], min))
        body.append([{"ours": "KuraNet"}.get(method, method), *cells])
    n = content["n_images"], content["n_all"]
    header = ["", "covering", "for each image", "VI", "PRI"]
    header += [f"covering of {n[1]}", "for each of them"]
    title = f"Scores of {n[0]} images never seen, mean of {len(rows)} seeds and the worst"
    return csv_table(title, header, body)


def both(values, worst):
    if not values:
        return "–"
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{statistics.mean(values):.3f} ({worst(values):.3f})"


def images_time(content):
    rows = content["rows"]
    body = [
        [
            str(r["seed"]),
            f"{r['fit_cpu_seconds']:.0f}",
            f"{r['threshold']:.3f}",
        ]
        for r in rows
    ]
    header = ["seed", "fit, s of one core", "threshold chosen"]
    return csv_table("Time of training, and the threshold that it has chosen", header, body)


TABLES = {"unseen": rows_of_classes}
UNLABELLED = {"unlabelled": unlabelled}
WHOLE = {"unseen_images": images, "unseen_images_time": images_time}
