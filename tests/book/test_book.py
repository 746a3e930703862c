"""The rendered pages show the numbers of the run's records; the build reports failures."""

import html
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
import verdicts

from companion.recorded import audit, store
from companion.recorded.audit import Audited
from ivae.support import records

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
RESULTS = ROOT / "book" / "results"
CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
GLUED = re.compile(r"\{glue:text\}`([^`:]+)(?::([^`]+))?`")

spec = importlib.util.spec_from_file_location("build", ROOT / "book" / "build.py")
build = importlib.util.module_from_spec(spec)
sys.modules["build"] = build
spec.loader.exec_module(build)


def prose(chapter):
    notebook = nbformat.read(ROOT / "notebooks" / f"{chapter}.ipynb", as_version=4)
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def rendered(page):
    return (HTML / f"{page}.html").read_text(encoding="utf-8")


def pasted(page):
    """The texts of all glued numbers on a page, in order."""
    found = re.findall(r'<span class="pasted-text">(.*?)</span>', rendered(page), re.DOTALL)
    return [html.unescape(re.sub(r"<[^>]+>", "", text)) for text in found]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_number_on_the_page_is_the_records(chapter):
    values = records.load(ROOT / "_build" / "records" / f"{chapter}.json").values
    roles = GLUED.findall(prose(chapter))
    expected = [format(values[name], code) for name, code in roles]
    assert expected
    assert sorted(pasted(f"notebooks/{chapter}")) == sorted(expected)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_figure_has_a_caption_and_an_alternative_text(chapter):
    directives = re.findall(r"```\{glue:figure\} (\w+)\n(.*?)```", prose(chapter), re.DOTALL)
    assert directives
    for name, body in directives:
        assert re.search(r"^:alt: .{40,}$", body, re.MULTILINE), name
        caption = re.sub(r"^:\w+:.*$", "", body, flags=re.MULTILINE).strip()
        assert len(caption) > 20, name
    figures = re.findall(r"<figure.*?</figure>", rendered(f"notebooks/{chapter}"), re.DOTALL)
    assert len([figure for figure in figures if "<figcaption" in figure]) == len(directives)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_nothing_of_this_machine_is_on_the_page(chapter):
    page = rendered(f"notebooks/{chapter}")
    assert str(ROOT) not in page
    assert "PosixPath" not in page


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_cell_warned_or_failed(chapter):
    executed = nbformat.read(ROOT / "_build" / "executed" / f"{chapter}.ipynb", as_version=4)
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    for output in (output for cell in code for output in cell.outputs):
        assert output.output_type != "error"
        assert output.get("name") != "stderr", output.text


def test_every_page_says_how_it_was_made():
    for chapter in CHAPTERS:
        record = records.load(ROOT / "_build" / "records" / f"{chapter}.json")
        page = rendered(f"notebooks/{chapter}")
        assert str(record.provenance["commit"])[:10] in page
        assert "Built from recorded runs" in page
    table = rendered("book/reproduce")
    for chapter in CHAPTERS:
        assert f'href="../notebooks/{chapter}.html"' in table
    assert build.TABLE_MARK not in table
    assert "torch 2." in table


def test_the_results_page_shows_every_verdict():
    table_rows = re.findall(r"<tr.*?</tr>", rendered("book/results"), re.DOTALL)
    rows = [re.findall(r"<td.*?>(.*?)</td>", row, re.DOTALL) for row in table_rows]
    texts = [[html.unescape(re.sub(r"<[^>]+>", "", cell)) for cell in row] for row in rows]
    found = json.loads(verdicts.VERDICTS.read_text(encoding="utf-8"))
    assert [one["claim"] for one in found] == [claim.id for claim in verdicts.load_claims()]
    for one in found:
        (row,) = [cells for cells in texts if cells and cells[0].startswith(one["claim"] + ":")]
        assert row[1] == one["verdict"]
        assert f"{one['median']:.3f} ({one['low']:.3f} to {one['high']:.3f})" in row[3]


def test_the_audit_page_lists_every_run_that_was_made_again():
    page = rendered("book/audit")
    again = 0
    for chapter in CHAPTERS:
        values = records.load(ROOT / "_build" / "records" / f"{chapter}.json").values
        for result in values["results"]:
            assert f"{chapter[:2]} {result['name']}" in page
        for row in values["audited"]:
            again += 1
            assert f"{row['run']}: {html.escape(row['what'])}" in page
    assert again > 0
    assert f"This build made {again} runs" in page
    assert build.audit_page.MARK not in page


def test_every_kept_result_is_one_that_a_chapter_shows():
    kept = {path.relative_to(ROOT / "book" / "results") for path in RESULTS.glob("[01]*/*.json")}
    shown = set()
    for chapter in CHAPTERS:
        values = records.load(ROOT / "_build" / "records" / f"{chapter}.json").values
        shown |= {Path(chapter) / f"{result['name']}.json" for result in values["results"]}
    assert kept == shown


def test_every_result_says_on_its_page_what_was_made_again():
    for chapter in CHAPTERS:
        values = records.load(ROOT / "_build" / "records" / f"{chapter}.json").values
        page = rendered(f"notebooks/{chapter}")
        for result in values["results"]:
            assert values[f"{result['name']}_audited"] in page, result


def test_no_page_shows_what_is_not_a_number():
    for chapter in CHAPTERS:
        assert not {"nan", "inf", "-inf"} & set(pasted(f"notebooks/{chapter}")), chapter


@pytest.mark.slow
def test_of_200_builds_by_the_records_own_second_runs_at_most_two_fail(monkeypatch):
    """Runs that were made twice stand for runs that another machine makes again.

    Moved copies of one, which a run in doubt is held against, are a model: they are further from it
    or nearer than its double by a factor of e, give or take.
    """
    results = [store.load(path) for path in sorted(RESULTS.glob("[01]*/*.json"))]
    rng = np.random.default_rng(0)

    def made_again(experiment, run, nudge=0.0):
        values, double = experiment[run["number"]]
        if not nudge:
            return double, 0.0
        apart = {word: audit.difference(values[word], double[word]) for word in values}
        return {
            w: double[w] + apart[w] * np.exp(rng.normal()) * max(1, abs(double[w])) for w in apart
        }, 0.0

    monkeypatch.setattr(audit, "make_again", made_again)
    failed = []
    for _ in range(200):
        several = []
        for place, result in enumerate(results):
            order = rng.permutation(len(result.doubled)).tolist()
            drawn = order[: 1 + audit.MORE]
            numbers = [int(result.doubled[i]) for i in drawn]
            left = replace(
                result,
                runs=[{"number": number} for number in range(len(result))],
                doubled=np.delete(result.doubled, drawn),
                moved={word: np.delete(value, drawn) for word, value in result.moved.items()},
            )
            world = {
                number: (
                    {word: float(value[number]) for word, value in result.values.items()},
                    {word: float(value[i]) for word, value in result.moved.items()},
                )
                for i, number in zip(drawn, numbers, strict=True)
            }
            monkeypatch.setattr(audit, "shuffled", lambda *_, numbers=numbers: np.array(numbers))
            several += audit.audit(str(place), world, left, 1, "")
        failed += [audit.alarms(several)] if audit.alarms(several) else []
    assert len(failed) <= 2, failed


def test_readme_and_results_page_are_of_these_records():
    """After results have been made anew: book/build.py --mode full writes them."""
    claims = verdicts.load_claims()
    found = verdicts.verdicts(claims)
    assert verdicts.VERDICTS.read_text(encoding="utf-8") == verdicts.as_json(found)
    for page, table in (
        (verdicts.README, verdicts.readme_table(claims, found)),
        (verdicts.RESULTS, verdicts.results_page(claims, found)),
    ):
        assert table in page.read_text(encoding="utf-8")


def notebook(*sources):
    """A notebook with a parameters cell and the given code cells."""
    parameters = 'mode = "recorded"\naudit = 2\naudit_seed = None\nseed = 1'
    cells = [nbformat.v4.new_code_cell(parameters)]
    cells[0].metadata["tags"] = ["parameters"]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    made = nbformat.v4.new_notebook(cells=cells)
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "", "language": "python"}
    return made


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Point the build at an empty folder."""
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "EXECUTED", tmp_path / "_build" / "executed")
    monkeypatch.setattr(build, "RECORDS", tmp_path / "_build" / "records")
    return tmp_path


@pytest.mark.slow
def test_a_failing_cell_is_shown_and_partial_output_kept(elsewhere, capsys):
    good, bad = elsewhere / "01_good.ipynb", elsewhere / "02_bad.ipynb"
    nbformat.write(notebook("print('fine')"), good)
    nbformat.write(notebook("print('reached')", "value = 1 / 0", "print('never')"), bad)
    assert not build.execute([good, bad], "recorded", {"seed": 1})
    printed = capsys.readouterr()
    assert "01_good: done" in printed.out
    assert "02_bad: FAILED" in printed.out
    assert "value = 1 / 0" in printed.err
    assert "ZeroDivisionError" in printed.err
    partial = (elsewhere / "_build" / "executed" / "02_bad.ipynb").read_text()
    assert "reached" in partial
    executed = nbformat.reads(partial, as_version=4)
    assert not any("never" in str(cell.get("outputs")) for cell in executed.cells)


@pytest.mark.slow
def test_parameters_reach_the_notebook(elsewhere):
    chapter = elsewhere / "01_echo.ipynb"
    nbformat.write(notebook("print(mode, seed, audit, audit_seed)"), chapter)
    given = {"seed": 7, "audit": 3, "audit_seed": "mine"}
    assert build.execute([chapter], "full", given)
    executed = (elsewhere / "_build" / "executed" / "01_echo.ipynb").read_text()
    assert "full 7 3 mine" in executed


@pytest.mark.slow
def test_a_broken_page_fails_the_rendering(elsewhere, monkeypatch, capsys):
    monkeypatch.setattr(build, "BUILD", elsewhere / "_build")
    monkeypatch.setattr(build, "STAGE", elsewhere / "_build" / "stage")
    build.STAGE.mkdir(parents=True)
    (build.STAGE / "_config.yml").write_text("title: broken\n")
    (build.STAGE / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (build.STAGE / "index.md").write_text("# A page\n\n{doc}`no_such_page`\n")
    assert build.render() == 1
    assert "no_such_page" in capsys.readouterr().err


def test_a_chapter_that_did_not_finish_is_executed_again(elsewhere):
    """A failed run leaves its partial notebook; only the record says that a chapter is done."""
    chapters = [elsewhere / name for name in ("01_a.ipynb", "02_b.ipynb", "03_c.ipynb")]
    build.EXECUTED.mkdir(parents=True)
    build.RECORDS.mkdir(parents=True)
    for chapter in chapters:
        (build.EXECUTED / chapter.name).write_text("{}")
    (build.RECORDS / "01_a.json").write_text("{}")
    (build.RECORDS / "03_c.json").write_text("{}")
    named = build._named(chapters, ["03"])
    assert named == chapters[2:]
    assert build._with_unfinished(chapters, named) == chapters[1:]
    nbformat.write(notebook("1 / 0"), chapters[0])
    assert not build.execute(chapters[:1], "recorded", {"seed": 1})
    assert build._with_unfinished(chapters, named) == chapters


def audited(difference):
    p = 1e-9
    return Audited("r", 3, "seed 3", "mcc", 0.5, 0.5 + difference, difference, "mcc", p, p, 1, 1)


def test_a_run_that_diverged_is_told_of_as_one(tmp_path, monkeypatch):
    """Its numbers are missing, in the record of the chapter too."""
    monkeypatch.setattr(build, "RECORDS", tmp_path)
    lost = replace(audited(0.0), recorded=np.nan, again=np.nan, p_of_all=1.0)
    for name, rows in (("05_figure_1", [lost]), ("06_figure_2", [])):
        values = {"audited": audit.as_rows(rows), "results": []}
        records.save(records.Record(name, {}, values), tmp_path / f"{name}.json")
    found = build.audited([Path("05_figure_1.ipynb"), Path("06_figure_2.ipynb")])
    assert build.audit_page.report(found) == 0
    table = build.audit_page.tables(found, {})
    assert "| 05 r | 3: seed 3 | mcc | diverged | diverged | 0.0e+00 |" in table
    assert "nan" not in table


def test_a_failed_audit_is_told_before_anything_is_written(elsewhere, monkeypatch):
    for name in ("execute", "overlay", "render"):
        monkeypatch.setattr(build, name, lambda *_: True)
    monkeypatch.setattr(build, "audited", lambda _: {"05_figure_1": [audited(0.1)]})
    monkeypatch.setattr(build.verdicts, "write", lambda: pytest.fail("written"))
    monkeypatch.setattr(sys, "argv", ["build.py", "--mode", "full"])
    assert build.main() == 1


def test_in_full_mode_only_the_chapters_named_are_made(elsewhere, monkeypatch):
    """A chapter without a record is executed on the results that are there."""
    (elsewhere / "notebooks").mkdir()
    for name in ("01_a", "02_b"):
        (elsewhere / "notebooks" / f"{name}.ipynb").write_text("{}")
    made = []
    execute = lambda some, mode, given: made.append((mode, [one.stem for one in some]))  # noqa: E731
    monkeypatch.setattr(build, "execute", lambda *how: execute(*how) or how[1] == "full")
    monkeypatch.setattr(sys, "argv", ["build.py", "--mode", "full", "--chapters", "02"])
    assert build.main() == 1
    assert made == [("full", ["02_b"]), ("recorded", ["01_a", "02_b"])]


def test_an_audit_that_fails_fails_the_build_and_says_why(capsys):
    assert build.audit_page.report({"05_figure_1": [audited(0.1)]}) == 1
    printed = capsys.readouterr().err
    assert "audit FAILED: 05 r, run 3 (seed 3): mcc 0.5 recorded, 0.6 now" in printed
    assert "Fisher's p of all results is 1.0e-09" in printed
    assert (
        build.audit_page.report(
            {"05_figure_1": [replace(audited(0.0), p=0.7, p_of_all=0.7)], "06": []}
        )
        == 0
    )
    assert build.audit_page.report({"05_figure_1": []}) == 0


def test_an_unknown_chapter_is_refused():
    with pytest.raises(SystemExit, match="no chapter starts with '77'"):
        build._named([ROOT / "notebooks" / "01_unidentifiability.ipynb"], ["77"])


@pytest.mark.slow
def test_plain_jupyter_book_builds_too(tmp_path):
    """The sources alone, executed by Jupyter Book itself, cut to the chapters that are quick."""
    for name in ("book", "notebooks"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "_config.yml", tmp_path)
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    slow = r"^ +- file: notebooks/(?!02)\d\d_\w+\n"
    (tmp_path / "_toc.yml").write_text(re.sub(slow, "", toc, flags=re.MULTILINE), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "_build" / "html" / "notebooks" / "02_model.html").read_text()
    assert "<figcaption" in page
    assert 'class="pasted-text"' in page
