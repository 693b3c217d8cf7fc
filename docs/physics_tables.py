"""Tables of "The physicist's bench"."""

import statistics

from scale_tables import csv_table, milliseconds


def power(number):
    """A number with its power of ten, which no line may break."""
    return f"{number:.0e}".replace("e-0", "e-").replace("-", "\u2011")


def simulations(rows):
    """Seconds and errors of the same simulations, one library beside the other."""
    rows = [row for row in rows if "ways" in row]
    names = list(dict.fromkeys(name for row in rows for name in row["ways"]))
    body = []
    for row in rows:
        cells = []
        for name in names:
            way = row["ways"].get(name)
            cells.append(
                f"{milliseconds(way['seconds'])} ({power(way['wrong_by'])})" if way else "–"
            )
        body.append([f"{row['what']}, n = {row['n']}", *cells])
    versions = {n: w["version"] for row in rows for n, w in row["ways"].items() if "version" in w}
    header = ["", *(f"{name} {versions.get(name, '')}".strip() for name in names)]
    title = "CPU seconds for 100 units of time and, in brackets, mean error of the last phases"
    return csv_table(title, header, body)


def transitions(rows):
    """Critical couplings, and loops of explosive synchronisation."""
    body = []
    for row in rows:
        if row["what"].startswith("critical"):
            errors = [one["error"] for one in row["found"]]
            body.append(
                [
                    row["what"].removeprefix("critical coupling, ") + " frequencies",
                    f"{row['theory']:.4f}",
                    f"{row['mean']:.3f}",
                    f"{statistics.median(errors):.3f}",
                    f"{row['intervals_that_hold_it']:.0%} of {len(errors)}",
                    milliseconds(row["seconds_each"]),
                ]
            )
    header = [
        "",
        "theory",
        "mean of seeds",
        "stated error",
        "95 % hold it",
        "CPU time",
    ]
    return csv_table("Critical couplings of 100 to 800 oscillators", header, body)


def explosion(rows):
    """Where scale-free graphs lock and let go."""
    body = [
        [
            f"{row['seed']}",
            f"{row['locks_at']:.3f}",
            f"{row['lets_go_at']:.3f}",
            f"{row['largest_jump']:.2f}",
            f"{row['area']:.3f}",
            milliseconds(row["seconds"]),
        ]
        for row in rows
        if row["what"].startswith("explosive")
    ]
    header = ["graph", "locks at", "lets go at", "jump of R", "area of the loop", "CPU time"]
    return csv_table("Scale-free graphs of 500, frequencies equal to degrees", header, body)


def stability(rows):
    """Lyapunov spectra, fixed points and eigenvalues."""
    body = []
    for row in rows:
        cells = [
            row["what"].replace("lyapunov", "Lyapunov exponents"),
            f"{row['n']:,}",
            milliseconds(row["seconds"]),
        ]
        cells.append(f"{row['megabytes']:.0f}")
        told = ""
        if "mean_trace" in row:
            told = f"sum {row['sum']:.2f}, mean trace {row['mean_trace']:.2f}"
        elif "seconds_compiling" in row:
            told = f"{milliseconds(row['seconds_compiling'])} of it compiling"
        elif "residual" in row:
            told = f"residual {power(row['residual'])}"
        body.append([*cells, told])
    header = ["", "oscillators", "CPU time", "MB", ""]
    return csv_table("Stability, one thread", header, body)
