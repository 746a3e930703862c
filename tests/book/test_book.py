"""The rendered pages show the numbers of the run's records; the build reports failures."""

import html
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import bands
import nbformat
import pytest
import verdicts

from ivae.support import records

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
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
        assert f"in {record.settings['mode']} mode" in page
        assert f"seed {record.settings['seed']}" in page
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


def test_this_builds_numbers_lie_in_the_bands_around_the_full_records():
    known = json.loads(bands.BANDS.read_text(encoding="utf-8"))
    assert set(known) == set(bands.MEASURES)
    assert bands.outside(ROOT / "_build" / "records", known) == []


def notebook(*sources):
    """A notebook with a parameters cell and the given code cells."""
    cells = [nbformat.v4.new_code_cell('mode = "fast"\nseed = 1')]
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
    monkeypatch.setattr(build, "SWEEPS", tmp_path / "_build" / "sweeps")
    return tmp_path


@pytest.mark.slow
def test_a_failing_cell_is_shown_and_partial_output_kept(elsewhere, capsys):
    good, bad = elsewhere / "01_good.ipynb", elsewhere / "02_bad.ipynb"
    nbformat.write(notebook("print('fine')"), good)
    nbformat.write(notebook("print('reached')", "value = 1 / 0", "print('never')"), bad)
    assert not build.execute([good, bad], "fast", 1)
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
    nbformat.write(notebook("print(mode, seed)"), chapter)
    assert build.execute([chapter], "full", 7)
    executed = (elsewhere / "_build" / "executed" / "01_echo.ipynb").read_text()
    assert "full 7" in executed


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
    assert build._chosen(chapters, ["03"]) == chapters[1:]
    nbformat.write(notebook("1 / 0"), chapters[0])
    assert not build.execute(chapters[:1], "fast", 1)
    assert build._chosen(chapters, ["03"]) == chapters


def test_an_unknown_chapter_is_refused():
    with pytest.raises(SystemExit, match="no chapter starts with '77'"):
        build._chosen([ROOT / "notebooks" / "01_unidentifiability.ipynb"], ["77"])


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
