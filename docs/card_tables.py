"""Tables of what a CUDA card does."""

from scale_tables import csv_table, milliseconds, named


def card_networks(content):
    """Networks from features to limit phases, and exact couplings of all pairs."""
    body = []
    for row in content["rows"]:
        if row["what"].startswith("factorised"):
            steps = milliseconds(row["seconds"] / 200)
            share = row["share_of_copy"]
        elif "step_seconds" in row:
            steps, share = milliseconds(row["step_seconds"]), row["share_of_copy"]
        else:
            continue
        what = row["what"].removesuffix(", 200 steps").replace("InDegree", "in-degree")
        what = what.replace("MeanDegree", "mean degree")
        if "storage" in row:
            what += f", {row['storage']}{', symmetrised' if row['symmetrised'] else ''}"
        body.append(
            [
                what,
                f"{row['n']:,}",
                milliseconds(row["build_seconds"]),
                steps,
                f"{share:.2f}",
                f"{max(row['build_gigabytes'], row.get('gigabytes', 0)):.2g}",
            ]
        )
    header = ["couplings", "oscillators", "to build", "a step", "share of copying", "GB at most"]
    return csv_table(f"Networks on an {content['card']}", header, body)


def card_learning(content):
    """Training, fits and predictions."""
    rows, body = content["rows"], []
    for kind in ("factorised", "pairwise"):
        for way in ("eager", "recorded"):
            row = named(rows, f"training batch, {kind}, {way}")
            for n in (4, 64):
                what = f"training batch, {kind}, {n} networks, steps {way}"
                body.append([what, milliseconds(row[f"seconds_of_{n}"]), ""])
    for row in rows:
        if row["what"].startswith("fit, "):
            beside = f"{milliseconds(row['processor_seconds'])} on its {row['processor_threads']} "
            body.append([row["what"], milliseconds(row["seconds"]), beside + "processor threads"])
        elif row["what"].startswith("gradients"):
            what = f"{row['what']}, n = {row['n']:,}"
            beside = f"torchdiffeq: {milliseconds(row['torchdiffeq']['seconds'])}"
            body.append([what, milliseconds(row["seconds"]), beside])
        elif row["what"] == "predict":
            what = f"labels of {row['n']:,} rows"
            body.append([what, milliseconds(row["seconds"]), ""])
    title = f"Learning on an {content['card']}"
    return csv_table(title, ["", "on the card", "beside"], body)
