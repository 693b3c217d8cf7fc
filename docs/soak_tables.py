"""What a soak has found, of "Saving, sharing and trust"."""

from scale_tables import csv_table


def sentence(content):
    """Counts of all accidents, and what memory did."""
    found = (
        f"In {content['seconds'] / 60:.0f} minutes, from seed {content['seed']}: "
        f"**{content['survived']:,} faults survived, {content['lost']:,} lost.**"
    )
    if not content["growth"]:
        return found + "\n"
    memory, files = content["growth"]["megabytes"], content["growth"]["open files"]
    return (
        f"{found} The process had {memory['first']:.0f} MB in the first quarter of the time and "
        f"{memory['last']:.0f} MB in the last, {files['first']:.0f} and {files['last']:.0f} open "
        "files.\n"
    )


def table(content):
    """Counts of each accident."""
    body = [
        [row["accident"].replace("_", " ")]
        + [f"{row[what]:,}" for what in ("happened", "survived", "lost")]
        for row in sorted(content["rows"], key=lambda row: row["accident"])
    ]
    return csv_table("Accidents", ["", "times", "faults survived", "lost"], body)


TABLES = {"soak_sentence": sentence, "soak": table}
