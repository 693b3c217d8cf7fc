"""Tables of "Performance and scale"."""

import statistics

# Seconds of training at which the losses of recipes are compared.
MOMENTS = (5, 20, 60)


def csv_table(title, header, rows):
    lines = [f".. csv-table:: {title}", "   :header: " + ", ".join(f'"{h}"' for h in header), ""]
    return "\n".join([*lines, *("   " + ", ".join(f'"{c}"' for c in row) for row in rows), ""])


def named(rows, what):
    return next(row for row in rows if row["what"] == what)


def milliseconds(seconds):
    return f"{1e3 * seconds:.3g} ms" if seconds < 1.0 else f"{seconds:.3g} s"


def flows(rows):
    for row in rows:
        for rival in row.get("memory_share", ()):
            yield row, rival


def flow_speed(rows):
    body = [
        [
            row["what"],
            milliseconds(row["seconds"]["skkuranet"]),
            rival,
            milliseconds(row["seconds"][rival]),
            f"{row['faster'][rival]:.1f}",
            f"{row['memory_share'][rival]:.2f}",
        ]
        for row, rival in flows(rows)
    ]
    header = [
        "100 steps and their gradient",
        "here",
        "beside",
        "",
        "times as fast",
        "memory, ratio",
    ]
    return csv_table("Median seconds, single precision, one thread", header, body)


def dynamics_speed(rows):
    shapes = [row for row in rows if row["what"].startswith("dynamics, ")]
    body = [
        [
            name,
            *(
                cell
                for row in shapes
                for cell in (
                    f"{row['time_ratio'][name]:.1f}",
                    f"{row['memory_ratio'][name]:.1f}",
                )
            ),
        ]
        for name in shapes[0]["seconds"]
    ]
    names = (row["what"].removeprefix("dynamics, ") for row in shapes)
    header = ["", *(cell for name in names for cell in (name, "memory"))]
    title = "100 steps and their gradient: time and memory, those of Kuramoto oscillators being 1"
    return csv_table(title, header, body)


def oscillatools_speed(rows):
    body = [
        [
            row["what"].removeprefix("oscillatools, "),
            milliseconds(row["seconds"]["skkuranet"]),
            milliseconds(row["seconds"]["oscillatools"]),
            f"{row['faster']:.0f}",
            f"{row['gradient_difference']:.0e}",
        ]
        for row in rows
        if row["what"].startswith("oscillatools, ")
    ]
    header = ["steps and their gradient", "here", "there", "times as fast", "gradients differ by"]
    return csv_table("Beside oscillatools 0.1.0, double precision, one thread", header, body)


def core_speed(rows):
    pairs, matvec = named(rows, "pair network, n=2,000"), named(rows, "dense matvec, n=10,000")
    half = named(rows, "bfloat16")
    batch, imported = named(rows, "training batch"), named(rows, "import")
    body = [
        [
            "coupling network, all pairs of 2,000 nodes",
            f"{pairs['gflops']['network']:.0f} GFLOP/s",
            "torch.mm of the same shapes",
            f"{pairs['gflops']['mm']:.0f} GFLOP/s",
            f"{pairs['share_of_mm']:.2f}",
        ],
        *(
            [
                f"product with stored couplings, n = 10,000, {what}",
                f"{matvec['gigabytes_per_s'][what]:.1f} GB/s",
                "torch's copy",
                f"{matvec['gigabytes_per_s']['copy']:.1f} GB/s",
                f"{share:.2f}",
            ]
            for what, share in matvec["share_of_copy"].items()
        ),
        *(
            [
                f"the same in bfloat16, {what}",
                milliseconds(half["seconds"][f"{what}, bfloat16"]),
                "in single precision",
                milliseconds(half["seconds"][f"{what}, single"]),
                f"{half['faster'][what]:.2f}",
            ]
            for what in half["faster"]
        ),
        *(
            [
                f"a training batch of 100 oscillators, {kind}",
                milliseconds(seconds),
                "the authors' code, a batch of one network",
                milliseconds(batch["authors_seconds"]),
                f"{batch['faster_than_authors'][kind]:.1f}",
            ]
            for kind, seconds in batch["seconds"].items()
        ),
        [
            "import",
            milliseconds(imported["seconds"]["skkuranet"]),
            "import of torch and scikit-learn",
            milliseconds(imported["seconds"]["torch and scikit-learn"]),
            f"{1.0 / imported['ratio']:.2f}",
        ],
    ]
    return csv_table("One thread", ["", "here", "beside", "", "ratio of rates"], body)


def sizes(rows):
    body = [
        [
            row["what"],
            f"{row['n']:,}",
            str(row["n_steps"]),
            f"{row['seconds']:.2f}",
            f"{row['gigabytes_above_input']:.2f}",
        ]
        for row in rows
    ]
    header = ["couplings", "oscillators", "steps", "seconds", "GB above the input"]
    return csv_table("From node features to limit phases", header, body)


def scaling(content):
    names = list(content["oscillators"])
    header = ["processes"]
    for name in names:
        header += [f"{name}, n = {content['oscillators'][name]:,}", "times as fast"]
    body = [
        [str(row["processes"])]
        + [
            cell
            for name in names
            for cell in (
                milliseconds(row["seconds_per_step"][name]),
                f"{row['faster'][name]:.2f}",
            )
        ]
        for row in content["rows"]
    ]
    return csv_table("A step of one network that processes share", header, body)


def loss_at(row, moment):
    """The loss of the last weights that were noted before."""
    seen = [loss for t, loss in zip(row["seconds"], row["loss"]) if t <= moment]
    # Rounding may leave a vanishing loss slightly negative.
    return max(0.0, seen[-1])


def equal_budget(rows):
    body = []
    for name in dict.fromkeys(row["data_set"] for row in rows):
        for recipe in dict.fromkeys(row["recipe"] for row in rows):
            own = [r for r in rows if (r["data_set"], r["recipe"]) == (name, recipe)]
            losses = ([loss_at(row, moment) for row in own] for moment in MOMENTS)
            cells = (f"{statistics.median(x):.4f} ({max(x):.4f})" for x in losses)
            body.append([name, recipe, *cells])
    header = ["", "", *(f"after {moment} s" for moment in MOMENTS)]
    return csv_table("Loss at the limit, median of the seeds and the worst", header, body)
