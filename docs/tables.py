"""Tables and pictures of the documentation, from nothing but the JSON that the benchmarks write.

python docs/tables.py
"""

import json
import statistics
from pathlib import Path

import card_tables
import dynamics_tables
import identify_tables
import peer_tables
import physics_tables
import readme_figures
import result_pictures
import scale_tables
import soak_tables
import unseen_tables
from scale_tables import csv_table

PAPER = {
    "Moons": (0.0154, 0.0012, 0.0011),
    "Circles": (0.0257, 0.0015, 0.0021),
    "Spirals": (0.0182, 0.0096, 0.0094),
    "mean of GMM2 to GMM10": (0.0144, 0.0069, 0.0073),
}
RINGS = [f"GMM{k}" for k in range(2, 11)]
GROUPS = {
    **{name: [name] for name in ("Moons", "Circles", "Spirals")},
    "mean of GMM2 to GMM10": RINGS,
    "the same without GMM4": [name for name in RINGS if name != "GMM4"],
    "GMM4": ["GMM4"],
}
REGIMES = ("data", "size", "data_size")


def losses(rows):
    found = {(r["data_set"], r["seed"]): r["loss"] for r in rows if "loss" in r}
    seeds = sorted({seed for _, seed in found})
    body = []
    for group, names in GROUPS.items():
        if any((n, s) not in found for n in names for s in seeds):
            continue
        cells = []
        for place, regime in enumerate(REGIMES):
            worst = max(statistics.mean(found[n, s][regime] for n in names) for s in seeds)
            paper = f"{PAPER[group][place]:.4f}" if group in PAPER else "–"
            cells += [f"{max(worst, 0.0):.5f}", paper]
        body.append([group, *cells])
    header = ["", "Data", "paper", "Size", "paper", "Data+Size", "paper"]
    word = f"worst of {len(seeds)} seeds" if len(seeds) > 1 else "one seed"
    return csv_table(f"Cluster synchrony loss, {word}", header, body)


def accuracy(rows):
    peers = list(rows[0]["peers"])
    body = []
    for name in dict.fromkeys(r["data_set"] for r in rows):
        own = [r for r in rows if r["data_set"] == name]
        mean = [statistics.mean(r["ours"]["accuracy"] for r in own)]
        mean += [statistics.mean(r["peers"][p]["accuracy"] for r in own) for p in peers]
        seconds = statistics.median(r["ours"]["fit_s"] for r in own)
        mlp = statistics.median(r["peers"]["MLP"]["fit_s"] for r in own)
        body.append([name, *(f"{m:.4f}" for m in mean), f"{seconds:.1f}", f"{mlp:.1f}"])
    header = ["", "KuraNetClusterer", *peers, "fit, s", "fit of MLP, s"]
    return csv_table("Accuracy on new rows, mean over the seeds", header, body)


def controls(rows):
    columns = ("trained", "untrained_factorized", "untrained_pairwise", "block")
    body = []
    for name in dict.fromkeys(r["data_set"] for r in rows):
        own = [r for r in rows if r["data_set"] == name]
        values = (statistics.median(r[c]["data"] for r in own) for c in columns)
        body.append([name, *(f"{max(v, 0.0):.4f}" for v in values)])
    header = ["", "trained", "untrained, factorised", "untrained, pairwise", "block control"]
    return csv_table("Loss of new networks of 100 oscillators, median of the seeds", header, body)


def prediction(rows):
    body = [
        [r["what"], f"{r['n']:,}", f"{r['seconds']:.2f}", f"{r['gigabytes_above_input']:.2f}"]
        for r in rows
    ]
    return csv_table("Time and memory", ["", "rows", "seconds", "GB above the input"], body)


def latency(rows):
    names = list(rows[0]["milliseconds"])
    body = [[r["what"], *(f"{r['milliseconds'][name]:.2f}" for name in names)] for r in rows]
    return csv_table("Milliseconds of a call, median of 1,000", ["", *names], body)


CASES = ("I", "II", "III")


def synchrony(content):
    rows, body = content["rows"], []
    for case in CASES:
        own = [r["variance"] for r in rows if r["case"] == case]
        cells = []
        for place, regime in enumerate(REGIMES):
            values = [r[regime] for r in own]
            median, paper = statistics.median(values), content["paper"][case][place]
            cells += [f"{median:.4f} ({max(values):.4f})", f"{paper:.4f}"]
        body.append([f"Case {case}", *cells])
    header = ["", "Data", "paper", "Size", "paper", "Data+Size", "paper"]
    word = f"median of {len(rows) // len(CASES)} seeds and, in brackets, the worst"
    return csv_table(f"Circular variance, {word}", header, body)


def synchrony_controls(rows):
    columns = {
        "untrained_factorized": "untrained, factorised",
        "untrained_pairwise": "untrained, pairwise (Data)",
        "uniform": "all alike",
    }
    body = []
    for case in CASES:
        own = [r for r in rows if r["case"] == case]
        cells = [
            ", ".join(
                f"{statistics.median(r[c][g] for r in own):.2f}" for g in REGIMES if g in own[0][c]
            )
            for c in columns
        ]
        body.append([f"Case {case}", *cells])
    return csv_table("Data, Size and Data+Size of the controls", ["", *columns.values()], body)


def synchrony_relation(content):
    paper = {"I": ".81", "II": ".64", "III": ".14"}
    body = [[f"Case {r['case']}", f"{r['r2']:.2f}", paper[r["case"]]] for r in content["relation"]]
    return csv_table("Squared correlation of V and C_x", ["", "r²", "paper"], body)


def synchrony_limits(content):
    body = [
        [f"Case {r['case']}", f"{r['learned']:.4f}", f"{r['free']:.4f}", "–"]
        for r in content["free"]
    ]
    body[0][-1] = f"{content['case_one']['variance']:.4f}"
    header = ["", "learned K, one network", "free K, the same network", "lowest of linear programs"]
    return csv_table("Circular variance", header, body)


def synchrony_scale(rows):
    names = {
        "training": "training",
        "factorized": "one network, factorised",
        "pairwise": "one network, pairwise",
    }
    body = [
        [
            f"Case {r['case']}, {names[r['what']]}",
            f"{r['seconds']:.1f}",
            f"{r['gigabytes_above_input']:.2f}",
        ]
        for r in rows
    ]
    return csv_table("Time and memory", ["", "seconds", "GB above the input"], body)


LABELS = {
    "half": "half of the pixels",
    "1000": "1,000 pixels",
    "100": "100 pixels",
    "scribbles": "scribbles",
}


def by_labels(rows):
    """Rows of each kind of labels, in the order of the table."""
    for kind, title in LABELS.items():
        own = [r for r in rows if r["labels"] == kind]
        if own:
            yield title, own, sorted({r["seed"] for r in own})


def of_seeds(rows, seeds, value):
    """Mean over the images, for each seed."""
    return [statistics.mean(value(r) for r in rows if r["seed"] == seed) for seed in seeds]


def segmentation(rows):
    peers = [p for p, found in rows[0]["peers"].items() if "seconds" in found]
    body = []
    for title, own, seeds in by_labels(rows):
        scores = [of_seeds(own, seeds, lambda r: r["ours"]["sbd"])]
        scores += [of_seeds(own, seeds, lambda r, p=p: r["peers"][p]["sbd"]) for p in peers]
        seconds = [
            statistics.median(made["seconds"] for made in found)
            for found in ([r["ours"] for r in own], [r["peers"]["MLP"] for r in own])
        ]
        body.append(
            [title]
            + [f"{statistics.median(s):.4f} ({min(s):.4f})" for s in scores]
            + [f"{s:.1f}" for s in seconds]
        )
    header = ["labelled", "KuraNetSegmenter", *peers, "seconds", "seconds of MLP"]
    word = "SBD of the other pixels, mean of nine images: median of the seeds and the worst"
    return csv_table(word, header, body)


def segmentation_textures(rows):
    """Scribbles once more, beside peers that see the same features."""
    own = [r for r in rows if r["labels"] == "scribbles"]
    seeds = sorted({r["seed"] for r in own})
    names = {"KuraNetSegmenter": lambda r: r["ours"]["sbd"]}
    for peer in own[0]["peers"]:
        if "multiscale" in peer or peer == "TrainableSegmenter":
            names[peer] = lambda r, p=peer: r["peers"][p]["sbd"]
    body = [
        [name, *(f"{score:.4f}" for score in of_seeds(own, seeds, value))]
        for name, value in names.items()
    ]
    header = ["", *(f"seed {seed}" for seed in seeds)]
    return csv_table("SBD from scribbles, all with multiscale features", header, body)


def segmentation_whole(rows):
    """What the exact network of a whole image does, where half of the pixels are labelled."""
    own = [r for r in rows if r["labels"] == "half"]
    seeds = sorted({r["seed"] for r in own})
    values = {
        "SBD of k-means on the limit phases of all pixels": lambda r: r["whole"]["sbd"],
        "loss, networks of 1,000 pixels": lambda r: r["loss"]["data"],
        "loss, all labelled pixels as one network": lambda r: r["loss"]["size"],
        "loss, all other pixels as one network": lambda r: r["loss"]["data_size"],
        "SBD of k-means on RGB": lambda r: r["peers"]["k-means RGB"]["sbd"],
        "SBD of k-means on the five features": lambda r: r["peers"]["k-means five"]["sbd"],
    }
    body = [
        [name, *(f"{score:.4f}" for score in of_seeds(own, seeds, value))]
        for name, value in values.items()
    ]
    header = ["half of the pixels labelled", *(f"seed {seed}" for seed in seeds)]
    return csv_table("The limit of random initial phases, mean of nine images", header, body)


def segmentation_images(rows):
    kinds = list(by_labels(rows))
    body = []
    for image in dict.fromkeys(r["image"] for r in rows):
        cells = []
        for _, own, _ in kinds:
            made = [r["ours"] for r in own if r["image"] == image]
            both = (statistics.mean(m[k] for m in made) for k in ("sbd", "sbd_without_background"))
            cells.append("{:.3f} ({:.3f})".format(*both))
        body.append([str(image), *cells])
    word = "SBD of each image, mean of the seeds, and without the background in brackets"
    return csv_table(word, ["image", *(title for title, _, _ in kinds)], body)


def series(rows):
    names = list(rows[0]["models"])
    body = []
    for kind in dict.fromkeys(r["series"] for r in rows):
        own = [r["models"] for r in rows if r["series"] == kind]
        cells = []
        for name in names:
            first, after = (
                statistics.median(r[name][what] for r in own) for what in ("first", "next")
            )
            cells.append(f"{first:.3f}, {after:.3f}")
        body.append([kind, *cells])
    word = "Share of each class named right, of the first image and of the next ones; median seed"
    return csv_table(word, ["series", *names], body)


def segmentation_scale(rows):
    return prediction(rows).replace('"rows"', '"pixels"')


def of_mixtures(rows):
    return accuracy([r for r in rows if "loss" in r])


def of_real_data(rows):
    return accuracy([r for r in rows if "loss" not in r])


# Name of the include file, of the results it needs and of what makes the table.
TABLES = {
    "losses": ("mixtures_factorized", losses),
    "losses_pairwise": ("mixtures_pairwise", losses),
    "accuracy": ("mixtures_factorized", of_mixtures),
    "accuracy_real": ("mixtures_factorized", of_real_data),
    "controls": ("controls", controls),
    **{name: ("unseen", table) for name, table in unseen_tables.TABLES.items()},
    **{name: ("grouper", table) for name, table in unseen_tables.UNLABELLED.items()},
    "prediction": ("prediction", prediction),
    "latency": ("latency", latency),
    "synchrony_controls": ("global_synchrony", synchrony_controls),
    "synchrony_scale": ("synchrony_scale", synchrony_scale),
    "segmentation": ("segmentation", segmentation),
    "segmentation_textures": ("segmentation", segmentation_textures),
    "segmentation_whole": ("segmentation", segmentation_whole),
    "segmentation_images": ("segmentation", segmentation_images),
    "segmentation_scale": ("segmentation_scale", segmentation_scale),
    "series": ("series", series),
    "flow_speed": ("speed", scale_tables.flow_speed),
    "dynamics_speed": ("speed", scale_tables.dynamics_speed),
    "oscillatools_speed": ("speed", scale_tables.oscillatools_speed),
    "core_speed": ("speed", scale_tables.core_speed),
    "sizes": ("sizes", scale_tables.sizes),
    "equal_budget": ("equal_budget", scale_tables.equal_budget),
    "bench_simulations": ("bench", physics_tables.simulations),
    "bench_transitions": ("bench", physics_tables.transitions),
    "bench_explosion": ("bench", physics_tables.explosion),
    "stability": ("stability", physics_tables.stability),
}
# The same, of the whole content of a JSON file.
WHOLE = {
    "synchrony": ("global_synchrony", synchrony),
    "synchrony_relation": ("global_synchrony", synchrony_relation),
    "synchrony_limits": ("synchrony_limits", synchrony_limits),
    "scaling": ("distributed_scaling", scale_tables.scaling),
    "card_networks": ("card", card_tables.card_networks),
    "card_learning": ("card", card_tables.card_learning),
    "tables_brier": ("tables", peer_tables.brier),
    "tuning": ("tuning", peer_tables.tuning),
    "tables_about": ("tables", peer_tables.about),
    "tables_accuracy": ("tables", peer_tables.accuracy),
    "tables_probabilities": ("tables", peer_tables.probabilities),
    "tables_seconds": ("tables", peer_tables.seconds),
    "tables_bars": ("tables", peer_tables.bars),
    "tables_single": ("tables", peer_tables.single),
    **{name: ("other_dynamics", table) for name, table in dynamics_tables.TABLES.items()},
    **{name: ("unseen_images", table) for name, table in unseen_tables.WHOLE.items()},
    "design": ("design", dynamics_tables.design),
    "design_words": ("design", dynamics_tables.design_words),
    **{name: ("soak", table) for name, table in soak_tables.TABLES.items()},
    **{name: ("identify", table) for name, table in identify_tables.TABLES.items()},
}
# The same, of what makes a picture.
PICTURES = {
    "tables": ("tables", peer_tables.picture),
    "tables_scatter": ("tables", result_pictures.time_and_accuracy),
    "table_one": ("global_synchrony", result_pictures.table_one),
    "table_two": ("mixtures_factorized", result_pictures.table_two(GROUPS, PAPER)),
}


HERE = Path(__file__).parent


def results(name):
    return json.loads((HERE.parent / "benchmarks" / "results" / f"{name}.json").read_text())


def readme():
    """The README with the figures of today."""
    return readme_figures.fill((HERE.parent / "README.md").read_text(), results)


def main():
    folder = HERE / "generated"
    folder.mkdir(exist_ok=True)
    for name, (source, table) in {**TABLES, **WHOLE}.items():
        content = results(source)
        made = table(content if name in WHOLE else content["rows"])
        (folder / f"{name}.inc.rst").write_text(made)
    for name, (source, picture) in PICTURES.items():
        picture(results(source)).savefig(folder / f"{name}.svg")
    (folder / "limits.inc.rst").write_text(readme_figures.limits(results))
    (HERE.parent / "README.md").write_text(readme())


if __name__ == "__main__":
    main()
