"""The project's own rules: what imports what, which versions agree, what a notebook may hold."""

import ast
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import ivae
from ivae.support import records

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LOCKED = dict(
    line.split("==")
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").lower().splitlines()
    if line and not line.startswith("#")
)
# Each module may import only from those before it.
ORDER = [
    "checks",
    "findings",
    "memory",
    "streams",
    "progress",
    "results",
    "families",
    "likelihoods",
    "mixing",
    "recipes",
    "data",
    "simulation",
    "nets",
    "passes",
    "generative",
    "models",
    "truth",
    "schedules",
    "aggregate",
    "objectives",
    "gradients",
    "metrics",
    "principal",
    "two_sample",
    "adam",
    "steps",
    "batches",
    "descent",
    "standing",
    "shards",
    "history",
    "checkpoints",
    "workers",
    "training",
    "drift",
    "separator",
    "discrimination",
    "recovered",
    "stages",
    "recovery",
    "trials",
    "archive",
    "estimator",
    "ceilings",
    "runs",
    "sweep",
    "protocols",
    "comparison",
    "rises",
    "noise",
    "characteristic",
    "sufficient",
    "injectivity",
    "rank",
    "exact",
    "theory",
    "equivalence",
    "resolve",
    "pooled",
    "linear",
    "diagonal",
    "contrastive",
    "level_sets",
    "erased",
    "posteriors",
    "diagnosis",
    "quadrature",
    "constructions",
    "discrete",
    "bits",
    "style",
    "interactive",
    "illustrations",
    "sketches",
    "plots",
    "charts",
    "trends",
    "preferences",
    "chapter",
]
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def imports(path):
    """Names of the modules of ivae that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "ivae":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ivae."):
            names.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            names |= {a.name.split(".")[1] for a in node.names if a.name.startswith("ivae.")}
    return names


def test_imports_run_in_one_direction():
    files = {path.stem: path for path in (ROOT / "ivae").glob("*.py") if path.stem != "__init__"}
    assert set(files) == set(ORDER)
    for name, path in files.items():
        assert imports(path) <= set(ORDER[: ORDER.index(name)]), name


def requirements():
    extras = PROJECT["optional-dependencies"].values()
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("requirement", requirements(), ids=lambda r: r.name)
def test_the_lock_pins_what_the_project_asks_for(requirement):
    names = {re.sub(r"[-_.]+", "-", name): version for name, version in LOCKED.items()}
    assert requirement.specifier.contains(names[requirement.name.lower()])


def test_the_conda_environment_has_the_locks_versions():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *conda, pip = environment["dependencies"]
    assert pip == {"pip": ["-r requirements.lock", "-e ."]}
    assert f"pytorch={LOCKED['torch']}=cpu*" in conda
    (python,) = [line for line in conda if line.startswith("python")]
    assert SpecifierSet(python.removeprefix("python")) == SpecifierSet(PROJECT["requires-python"])


def test_the_lock_is_what_is_installed():
    for name, pinned in LOCKED.items():
        assert Version(version(name)).public == Version(pinned).public, name


def test_torch_is_the_version_that_the_makefile_installs_first():
    assert LOCKED["torch"] == "2.13.0"
    assert "grep '^torch=='" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_one_version_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert citation["version"] == ivae.__version__
    assert f"## {ivae.__version__}" in changelog
    assert citation["preferred-citation"]["title"].startswith("Variational Autoencoders and Non")


@each_notebook
def test_notebooks_are_stripped(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata.language_info) == {"name"}
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@each_notebook
def test_notebooks_have_one_cell_of_parameters_and_start_with_prose(path):
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    tagged = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    names = {node.targets[0].id: node.value.value for node in ast.parse(tagged[0].source).body}
    assert names == {"mode": "fast", "seed": 1}


@each_notebook
def test_notebook_cells_are_short(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            lines = [line for line in cell.source.splitlines() if line.strip()]
            assert len(lines) <= 12, cell.source


@each_notebook
def test_notebooks_are_in_the_table_of_contents(path):
    assert f"notebooks/{path.stem}\n" in (ROOT / "_toc.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("page", "shown"), [("README.md", "Theorem 2 applies"), ("book/engine.md", "data_seed")]
)
def test_the_python_of_a_page_runs(page, shown, tmp_path, monkeypatch, capsys):
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    monkeypatch.chdir(tmp_path)
    for block in blocks:
        exec(compile(block, page, "exec"), {})
    assert shown in capsys.readouterr().out


def test_the_readme_lists_every_module():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert listed == ORDER


@each_notebook
def test_every_chapter_has_the_record_of_a_full_run(path):
    record = records.load(ROOT / "book" / "results" / "full" / f"{path.stem}.json")
    assert (record.name, record.settings["mode"]) == (path.stem, "full")
    assert not record.provenance["commit"].endswith("-dirty")
