"""The tables of the page on speed, from a record of make bench."""

from __future__ import annotations

from typing import Any

AIMS = {
    "ratio_usual_loop": ("{:.1f}x", 12, "many iVAEs, Eq. (8), against the usual loop"),
    "ratio_released_objective": (
        "{:.1f}x",
        8,
        "many iVAEs, released objective, against the usual loop with its MCC of each minibatch",
    ),
    "ratio_released_objective_without_mcc": ("{:.1f}x", None, "the same, without that MCC"),
    "ratio_single_member": ("{:.1f}x", 2, "one iVAE alone, Eq. (8), against the usual loop"),
    "fraction_of_peak": ("{:.0%}", 0.35, "share of the best rate of matrix products"),
    "peak_memory_gb": ("{:.1f} GB", 3, "most memory, 4 members and a million samples"),
}


def speed_tables(record: dict[str, Any]) -> str:
    """Return Markdown: the machine, what was aimed at and reached, and all times."""
    return "\n\n".join(
        [
            _machine(record),
            _aims(record["values"]),
            _times(record["values"]),
            _sizes(record["values"]),
        ]
    )


def _machine(record: dict[str, Any]) -> str:
    origin, settings = record["provenance"], record["settings"]
    versions = ", ".join(f"{name} {version}" for name, version in origin["packages"].items())
    return (
        f"Measured {origin['date'][:10]} at commit `{origin['commit']}` on "
        f"{settings['processor']} ({origin['machine']}), {settings['threads']} threads, "
        f"Python {origin['python']}, "
        f"{versions}. Width {settings['hidden']} where none is given; {settings['members']} "
        "members where there are many."
    )


def _aims(values: dict[str, Any]) -> str:
    rows = ["| | aimed at | measured | |", "|---|---|---|---|"]
    for name, (form, aim, title) in AIMS.items():
        value = values[name]
        wanted = verdict = ""
        if aim is not None:
            at_most = name == "peak_memory_gb"
            wanted = ("at most " if at_most else "at least ") + form.format(aim)
            verdict = (
                "reached" if (value <= aim if at_most else value >= aim) else "**not reached**"
            )
        rows.append(f"| {title} | {wanted} | {form.format(value)} | {verdict} |")
    return "\n".join(rows)


def _times(values: dict[str, Any]) -> str:
    members = list(values["table"][0]["ensemble"])
    head = "| model | width | usual loop | " + " | ".join(f"E = {e}" for e in members) + " |"
    rows = [head, "|---" * (3 + len(members)) + "|"]
    for row in values["table"]:
        cells = " | ".join(
            f"{time:.2f} ({row['usual'] / time:.1f}x)" for time in row["ensemble"].values()
        )
        rows.append(f"| {row['model']} | {row['hidden']} | {row['usual']:.2f} | {cells} |")
    caption = (
        "Milliseconds for one step of one member, in one process, and how many times faster than "
        "the usual loop of the same model:"
    )
    return caption + "\n\n" + "\n".join(rows)


def _sizes(values: dict[str, Any]) -> str:
    rows = ["| samples | seconds an epoch | microseconds a sample | memory |", "|---|---|---|---|"]
    for row in values["sizes"]:
        each = row["seconds"] / row["n"] * 1e6
        memory = row["peak_memory_gb"]
        rows.append(f"| {row['n']:,} | {row['seconds']:.1f} | {each:.0f} | {memory:.2f} GB |")
    gpu = "".join(
        f" {row['members']} members on a GPU: {row['member_steps']:,.0f} member-steps a second."
        for row in values["gpu"]
    )
    no_gpu = "No GPU was at hand: the CUDA path was not measured."
    caption = (
        "One epoch of 4 iVAEs and its evaluation, in one process, against the size of the data:"
    )
    return caption + "\n\n" + "\n".join(rows) + "\n\n" + (gpu.strip() or no_gpu)
