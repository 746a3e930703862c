"""Execute every chapter with papermill, lay the results over the sources, render the book.

    python book/build.py [--mode recorded|full] [--audit K] [--audit-seed S] [--chapters NN ...]

The notebooks are executed once, into _build/executed; what is rendered is a staged copy of the
sources with those notebooks in their place. So the numbers that were checked are those shown. In
full mode results that are missing are made first, then the book is built from them as always.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import audit_page
import front
import nbformat
import numpy as np
import verdicts
import yaml
from benchmark_tables import speed_tables
from marks import between

from companion.recorded.audit import Audited
from ivae.support import records
from ivae.support.progress import ProgressLine
from ivae.support.records import Record

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
EXECUTED = BUILD / "executed"
RECORDS = BUILD / "records"
STAGE = BUILD / "stage"
RESULTS = ROOT / "book" / "results"
BENCHMARKS = BUILD / "bench.json", ROOT / "book" / "results" / "bench.json"
TABLE_MARK = "% the execution table goes here"
SPEED_MARK = "% the benchmark goes here"


@dataclass(frozen=True)
class Outcome:
    """How the execution of one chapter ended."""

    chapter: Path
    succeeded: bool
    seconds: float


def main() -> int:
    """Build the book; return 0, or 1 when a chapter, the audit or the rendering failed."""
    arguments = _arguments()
    chapters = sorted((ROOT / "notebooks").glob("*.ipynb"))
    named = _named(chapters, arguments.chapters)
    chosen = _with_unfinished(chapters, named)
    given = {"seed": arguments.seed}
    audit = {"audit": arguments.audit, "audit_seed": arguments.audit_seed}
    if arguments.mode == "full" and not execute(named, "full", given):
        return 1
    if not execute(chosen, "recorded", given | audit):
        return 1
    if audit_page.report(audited(chapters)):
        return 1
    if arguments.mode == "full":
        verdicts.write()
        front.write()
        if any(one.stem == front.CHAPTER for one in chosen):
            front.draw()
    overlay(chapters)
    return render()


def audited(chapters: list[Path]) -> dict[str, list[Audited]]:
    """Return the runs of each chapter that its last execution made again."""
    return {
        chapter.stem: [Audited(**row) for row in _read_record(chapter).values["audited"]]
        for chapter in chapters
    }


def execute(chapters: list[Path], mode: str, given: dict[str, Any]) -> bool:
    """Execute chapters into _build/executed with some parameters; True if all succeeded.

    One for each core at a time; in full mode one after the other on all cores.
    """
    EXECUTED.mkdir(parents=True, exist_ok=True)
    workers = 1 if mode == "full" else max(1, min(os.cpu_count() or 1, len(chapters)))
    if mode != "full":
        chapters = sorted(chapters, key=_cost, reverse=True)  # So that no core waits at the end.
    finished: list[Outcome] = []
    line = ProgressLine(f"{mode} mode, {workers} at a time")
    line.announce(f"executing {len(chapters)} chapters in {line.label}")
    with ThreadPoolExecutor(workers) as pool:
        waiting = {pool.submit(_execute_one, one, mode, given, workers) for one in chapters}
        while waiting:
            done, waiting = wait(waiting, timeout=1, return_when=FIRST_COMPLETED)
            for outcome in (future.result() for future in done):
                finished.append(outcome)
                state = "done" if outcome.succeeded else "FAILED"
                line.announce(
                    f"[{len(finished)} of {len(chapters)}, {line.elapsed:.0f} s] "
                    f"{outcome.chapter.stem}: {state} in {outcome.seconds:.0f} s"
                )
            line.report(f"{len(finished)} of {len(chapters)} done")
    line.close()
    for outcome in finished:
        if not outcome.succeeded:
            print(_failure(outcome.chapter), file=sys.stderr, flush=True)
    return all(outcome.succeeded for outcome in finished)


def overlay(chapters: list[Path]) -> None:
    """Stage a copy of the sources with the executed chapters, execution table and footer."""
    shutil.rmtree(STAGE, ignore_errors=True)
    STAGE.mkdir(parents=True)
    shutil.copytree(ROOT / "book", STAGE / "book", ignore=shutil.ignore_patterns("*.py", "__*"))
    shutil.copy(ROOT / "_toc.yml", STAGE)
    (STAGE / "notebooks").mkdir()
    executions = []
    for chapter in chapters:
        notebook = nbformat.read(EXECUTED / chapter.name, as_version=4)
        for cell in notebook.cells:
            if "injected-parameters" in cell.metadata.get("tags", []):
                cell.metadata.tags.append("remove-cell")
        nbformat.write(notebook, STAGE / "notebooks" / chapter.name)
        record = _read_record(chapter)
        executions.append((chapter, notebook.metadata.papermill, record))
    _fill("reproduce", TABLE_MARK, _execution_table(executions))
    _fill("engine", SPEED_MARK, speed_tables(last_benchmark()))
    _fill("audit", audit_page.MARK, audit_page.tables(audited(chapters), _results(chapters)))
    claims = verdicts.load_claims()
    table = verdicts.results_page(claims, verdicts.verdicts(claims))
    page = STAGE / "book" / verdicts.RESULTS.name
    text = between(page.read_text(encoding="utf-8"), verdicts.MARKS, table, page.name)
    page.write_text(text, encoding="utf-8")
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    config["execute"]["execute_notebooks"] = "off"
    config["html"]["extra_footer"] = _footer(executions)
    (STAGE / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def _fill(name: str, mark: str, table: str) -> None:
    """Put a table where the mark is on a staged page."""
    page = STAGE / "book" / f"{name}.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace(mark, table), encoding="utf-8")


def render() -> int:
    """Render the staged book into _build/html, every warning an error; return the exit code."""
    output = BUILD / "render"
    shutil.rmtree(output, ignore_errors=True)
    command = [
        *(str(Path(sys.executable).with_name("jupyter-book")), "build", str(STAGE)),
        *("--path-output", str(output), "-W", "-n", "--keep-going"),
    ]
    started = time.monotonic()
    log = BUILD / "render.log"
    with log.open("w", encoding="utf-8") as file:
        code = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, cwd=ROOT).returncode
    if code:
        print(log.read_text(encoding="utf-8"), file=sys.stderr)
        print(f"rendering FAILED with exit code {code}", file=sys.stderr)
        return 1
    shutil.rmtree(BUILD / "html", ignore_errors=True)
    (output / "_build" / "html").rename(BUILD / "html")
    print(f"rendered in {time.monotonic() - started:.0f} s: _build/html/index.html", flush=True)
    return 0


def last_benchmark() -> dict[str, Any]:
    """Return the record of the last make bench here, else the one that is kept with the book."""
    path = next(path for path in BENCHMARKS if path.exists())
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Execute the chapters and render the book.")
    parser.add_argument(
        "--mode",
        choices=("recorded", "full"),
        default="recorded",
        help="full: make the results that are missing, at the paper's sizes, and judge the claims",
    )
    parser.add_argument("--seed", type=int, default=1, help="every chapter's seed (default 1)")
    parser.add_argument(
        "--audit", type=int, default=1, help="runs of each result to make again (default 1)"
    )
    parser.add_argument(
        "--audit-seed", default="", help="which runs, any text (by default the commit decides)"
    )
    parser.add_argument(
        "--chapters",
        nargs="+",
        metavar="NN",
        help="execute only these, by the start of their names; take the rest as last executed",
    )
    return parser.parse_args()


def _named(chapters: list[Path], starts: list[str] | None) -> list[Path]:
    """Return the chapters whose names start so, all where nothing is given."""
    if starts is None:
        return chapters
    for start in starts:
        if not any(chapter.name.startswith(start) for chapter in chapters):
            known = ", ".join(chapter.stem for chapter in chapters)
            raise SystemExit(f"no chapter starts with {start!r}; the chapters are {known}.")
    return [chapter for chapter in chapters if chapter.name.startswith(tuple(starts))]


def _with_unfinished(chapters: list[Path], named: list[Path]) -> list[Path]:
    """Return the chapters named, and those that have not run to their end yet."""
    return [one for one in chapters if one in named or not _record(one).exists()]


def _record(chapter: Path) -> Path:
    """Where a chapter's last cell writes its record: it exists once the chapter has finished."""
    return RECORDS / f"{chapter.stem}.json"


def _read_record(chapter: Path) -> Record:
    return records.load(_record(chapter))


def _results(chapters: list[Path]) -> dict[str, list[dict[str, Any]]]:
    """Return what each chapter's record says of its results."""
    return {one.stem: _read_record(one).values["results"] for one in chapters}


def _execute_one(chapter: Path, mode: str, given: dict[str, Any], workers: int) -> Outcome:
    """Run papermill in a process of its own; its output notebook grows cell by cell."""
    threads = max(1, (os.cpu_count() or 1) // workers)
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads),
        "IVAE_RECORDS": str(RECORDS),
    }
    parameters = [
        f for name, value in ({"mode": mode} | given).items() for f in ("-p", name, str(value))
    ]
    command = [
        *(sys.executable, "-m", "papermill", str(chapter), str(EXECUTED / chapter.name)),
        *(*parameters, "--kernel", "python3", "--no-progress-bar", "--cwd", str(chapter.parent)),
    ]
    _record(chapter).unlink(missing_ok=True)
    started = time.monotonic()
    with (EXECUTED / f"{chapter.stem}.log").open("w", encoding="utf-8") as log:
        done = subprocess.run(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    return Outcome(chapter, done.returncode == 0, time.monotonic() - started)


def _cost(chapter: Path) -> float:
    """Return about how long the audit of a chapter's results takes, in seconds of one core."""
    kept = sorted((RESULTS / chapter.stem).glob("*.json"))
    found = [json.loads(path.read_text(encoding="utf-8"))["seconds"] for path in kept]
    return float(sum(np.mean(seconds) for seconds in found))


def _failure(chapter: Path) -> str:
    """Describe the failing cell: its source and traceback, or papermill's log without one."""
    partial = EXECUTED / chapter.name
    head = f"\n{chapter.stem} failed; what it had reached is kept in {partial.relative_to(ROOT)}\n"
    if partial.exists():
        for number, cell in enumerate(nbformat.read(partial, as_version=4).cells):
            for output in cell.get("outputs", []):
                if output.output_type == "error":
                    trace = "\n".join(output.traceback)
                    return f"{head}cell {number}:\n{cell.source}\n\n{trace}"
    return head + (EXECUTED / f"{chapter.stem}.log").read_text(encoding="utf-8")


def _execution_table(executions: list[tuple[Path, Any, Record]]) -> str:
    rows = [
        "| chapter | runs made again | executed (UTC) | seconds |",
        "|---|---|---|---|",
    ]
    for chapter, papermill, record in executions:
        executed = record.provenance["date"][:16].replace("T", " ")
        rows.append(
            f"| [](../notebooks/{chapter.name}) | {len(record.values['audited'])} | "
            f"{executed} | {papermill['duration']:.0f} |"
        )
    provenance = executions[-1][2].provenance
    versions = ", ".join(f"{name} {version}" for name, version in provenance["packages"].items())
    rows += [
        "",
        f"Commit `{provenance['commit']}`; Python {provenance['python']}, {versions}; "
        f"{provenance['machine']}.",
    ]
    return "\n".join(rows)


def _footer(executions: list[tuple[Path, Any, Record]]) -> str:
    of_all = [record for _, _, record in executions]
    again = sum(len(record.values["audited"]) for record in of_all)
    last = max(record.provenance["date"] for record in of_all)
    commit = str(of_all[-1].provenance["commit"])
    short = commit[:10] + ("-dirty" if commit.endswith("-dirty") else "")
    seconds = sum(papermill["duration"] for _, papermill, _ in executions)
    return (
        f"<p>Built from recorded runs {last[:10]} at commit {short}; {again} of the runs were made "
        f"again and compared, in {seconds / 60:.1f} minutes of notebook time.</p>"
    )


if __name__ == "__main__":
    sys.exit(main())
