"""The project's own rules: what imports what, how large it is, which versions agree, what a
notebook may hold, what an installed copy needs.
"""

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from graphlib import TopologicalSorter
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import ivae

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (ROOT / "ivae", ROOT / "notebooks" / "companion")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LOCKED = dict(
    line.split("==")
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").lower().splitlines()
    if line and not line.startswith("#")
)
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)

BOOKKEEPING = r"chapter\.(number|word|series|summary|figure|save)\("

# Rooms are the files and folders right below `ivae` and `companion`. Each may import from the
# lines above its own, and a folder from itself.
LAYERS = [
    "ivae.support",
    "ivae.families ivae.likelihoods ivae.mixing ivae.schedules ivae.metrics",
    "ivae.data ivae.nets",
    "ivae.models",
    "ivae.objectives",
    "ivae.engine",
    "ivae.training",
    "ivae.theory ivae.recipe",
    "ivae.estimator ivae.sweeps",
    "ivae",
    "companion",
    "companion.style",
    "companion.stepper",
    "companion.whitening companion.simulation companion.two_sample companion.protocols",
    "companion.scores",
    "companion.recorded",
    "companion.figures companion.chapter companion.comparison companion.ceilings "
    "companion.neighbours",
    " ".join(f"companion.c{number:02d}" for number in range(1, len(NOTEBOOKS) + 1)),
]
ABOVE = {
    room: set(" ".join(LAYERS[:level]).split())
    for level, layer in enumerate(LAYERS)
    for room in layer.split()
}


def modules():
    """Names of all modules of ivae and companion, with their files."""
    found = {}
    for package in PACKAGES:
        for path in sorted(package.rglob("*.py")):
            parts = path.relative_to(package.parent).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def room(name):
    return ".".join(name.split(".")[:2])


def imports(source):
    """Modules of ivae and companion that a source imports; `from ivae import data` is ivae.data."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute here"
            each = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name in MODULES else node.module for name in each}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name.split(".")[0] in ("ivae", "companion")}


def imports_of(name):
    return imports(MODULES[name].read_text(encoding="utf-8"))


def imports_of_notebook(path):
    cells = nbformat.read(path, as_version=4).cells
    return imports("\n".join(cell.source for cell in cells if cell.cell_type == "code"))


def lines(*paths):
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def run_python(code, folder):
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", MODULES)
def test_imports_run_in_one_direction(name):
    """Above all: ivae knows nothing of companion, and a chapter's code nothing of another's."""
    assert room(name) in ABOVE, f"{name} has no place in LAYERS"
    for imported in imports_of(name):
        assert imported in MODULES
        assert room(imported) in ABOVE[room(name)] | {room(name)}, imported


def test_no_module_imports_itself_by_way_of_others():
    TopologicalSorter({name: imports_of(name) for name in MODULES}).prepare()


@each_notebook
def test_chapters_import_what_is_there_and_is_theirs(path):
    found = imports_of_notebook(path)
    assert found <= set(MODULES)
    of_chapters = {room(name) for name in found if re.match(r"companion\.c\d\d", name)}
    assert of_chapters <= {f"companion.c{path.stem[:2]}"}


def test_every_folder_of_a_chapter_is_used_by_it():
    used = {room(name) for path in NOTEBOOKS for name in imports_of_notebook(path)}
    assert {room(name) for name in MODULES if re.match(r"companion\.c\d\d", name)} <= used


@each_notebook
def test_chapters_import_from_at_most_nine_modules(path):
    assert len(imports_of_notebook(path)) <= 9


def test_the_method_stays_small():
    root = sorted((ROOT / "ivae").glob("*.py"))
    every = [path for name, path in MODULES.items() if name.split(".")[0] == "ivae"]
    assert len(root) <= 12
    assert lines(*root) <= 3000
    assert lines(*every) <= 8500
    assert lines(*MODULES.values()) <= 16_600  # With the experiments of all chapters.


@pytest.mark.parametrize(
    "path",
    [*MODULES.values(), *(ROOT / "book").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_files_are_short_and_say_what_they_are(path):
    assert lines(path) <= 320
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_every_folder_is_a_package():
    for package in PACKAGES:
        for folder in {path.parent for path in package.rglob("*.py")}:
            assert (folder / "__init__.py").exists(), folder


def test_importing_ivae_imports_no_large_library():
    code = "import sys, ivae; print(*{'torch', 'pandas', 'sklearn'} & set(sys.modules))"
    assert run_python(code, ROOT).strip() == ""


def test_the_names_of_ivae():
    assert len(ivae.__all__) <= 12
    rooms = {room(name).removeprefix("ivae.") for name in MODULES if name.startswith("ivae.")}
    assert set(dir(ivae)) == {*ivae.__all__, *rooms, "__version__"}
    for name in ivae.__all__:
        assert getattr(ivae, name) is not None
    assert ivae.generate is ivae.data.generate
    assert ivae.ivae is ivae.models.ivae
    with pytest.raises(AttributeError, match="module 'ivae' has no attribute 'nothing'"):
        _ = ivae.nothing


def test_type_checkers_see_what_python_gives():
    """The names that are imported for them alone are those that are imported when asked for."""
    tree = ast.parse(MODULES["ivae"].read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    homes = {name: f"ivae.{home}" for name, home in ivae._HOMES.items()}
    assert seen == homes | {"theory": "ivae"}
    assert set(seen) == set(ivae.__all__)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The module as an install has it, unpacked; without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", str(ROOT)]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def test_a_wheel_holds_the_module_its_types_and_nothing_else(wheel):
    found = {path.relative_to(wheel).as_posix() for path in wheel.rglob("*") if path.is_file()}
    module = {name for name in found if ".dist-info/" not in name}
    of_ivae = (path for name, path in MODULES.items() if name.split(".")[0] == "ivae")
    files = {path.relative_to(ROOT).as_posix() for path in of_ivae}
    assert module == files | {"ivae/py.typed"}
    (metadata,) = wheel.glob("*.dist-info/METADATA")
    asked = re.findall(r"^Requires-Dist: (.*)$", metadata.read_text("utf-8"), re.MULTILINE)
    needed = {one.name for one in map(Requirement, asked) if one.marker is None}
    assert needed == {Requirement(line).name for line in PROJECT["dependencies"]}


def with_what_they_need(names):
    """Distributions that an install of some brings along."""
    waiting, found = [canonicalize_name(name) for name in names], set()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            asked = [Requirement(line) for line in requires(name) or ()]
        except PackageNotFoundError:  # Of another platform, or another build of torch.
            continue
        asked = [one for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
        waiting += [canonicalize_name(one.name) for one in asked]
    return found


WITHOUT_EXTRAS = """
import sys
from importlib import import_module
from importlib.machinery import PathFinder
from pkgutil import walk_packages

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        is_missing = name.partition(".")[0] in {missing}
        return None if is_missing else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
sys.path.insert(0, {wheel!r})
import ivae

assert ivae.__file__.startswith({wheel!r}), ivae.__file__
for module in walk_packages(ivae.__path__, "ivae."):
    import_module(module.name)
data = ivae.generate("linear", 1, 2, 2, 4, 100)
print(ivae.theory.of_dataset(data))
few = ivae.Settings(hidden=8, n_blocks=1, n_starts=2, n_steps=20, n_steps_generative=10)
model = ivae.IVAE(n_latents=2, settings=few, progress=False).fit(data.x, data.u)
print("latents", model.transform(data.x).shape)
runs = [ivae.sweeps.runs.Run.of(preset="linear", epochs=1, hidden=8, n_segments=4)]
print("sweep", ivae.sweep(runs, "sweep", progress=False)["status"].tolist())
"""


@pytest.mark.slow
def test_an_install_without_extras_works(wheel, tmp_path):
    """What an extra alone brings is made to be missing."""
    needed = with_what_they_need(Requirement(line).name for line in PROJECT["dependencies"])
    missing = {
        name
        for name, owners in packages_distributions().items()
        if not needed & {canonicalize_name(owner) for owner in owners}
    }
    missing = missing - {"ivae"} | {"companion"}
    assert {"distributed", "dask", "matplotlib", "seaborn", "PIL", "IPython"} <= missing
    shown = run_python(WITHOUT_EXTRAS.format(missing=missing, wheel=str(wheel)), tmp_path)
    for text in ("Theorem 2 applies", "latents (400, 2)", "sweep ['done']"):
        assert text in shown


def requirements():
    extras = PROJECT["optional-dependencies"].values()
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("requirement", requirements(), ids=lambda r: r.name)
def test_the_lock_pins_what_the_project_asks_for(requirement):
    names = {canonicalize_name(name): version for name, version in LOCKED.items()}
    assert requirement.specifier.contains(names[canonicalize_name(requirement.name)])


def test_the_lock_was_made_with_every_extra():
    first = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()[0]
    assert f"[{','.join(sorted(PROJECT['optional-dependencies']))}]" in first


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


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_builds_the_book_again_when_any_module_changes():
    command = ["make", "--print-data-base", "--dry-run", "clean"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (sources,) = re.findall(r"^SOURCES := (.*)$", printed, re.MULTILINE)
    wanted = [*MODULES.values(), *NOTEBOOKS, *(ROOT / "book").glob("*.md")]
    assert {path.relative_to(ROOT).as_posix() for path in wanted} <= set(sources.split())


def test_one_version_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## (\d\S*)", changelog, re.MULTILINE)
    assert citation["version"] == ivae.__version__ == released[0]
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
    assert names == {"mode": "recorded", "audit": 2, "audit_seed": None, "seed": 1}


def code_of(path, *, folded):
    """Sources of the cells of code that a reader has to unfold, or of all others."""
    return [
        cell.source
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code" and ("hide-input" in cell.metadata.get("tags", [])) is folded
    ]


def filled(source):
    """Lines that are not empty, where asking for a result is one, however many sizes it has."""
    inside = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "chapter.result":
            inside |= set(range(node.lineno, node.end_lineno))
    lines = source.splitlines()
    return [line for number, line in enumerate(lines) if line.strip() and number not in inside]


@each_notebook
def test_notebook_cells_are_short(path):
    for source in code_of(path, folded=False):
        assert len(filled(source)) <= 12, source
    for source in code_of(path, folded=True):
        assert len(source.splitlines()) <= 16, source


@each_notebook
def test_bookkeeping_is_out_of_sight(path):
    """Of the open lines of code at most a tenth only keeps numbers and figures for the page."""
    lines = [line for source in code_of(path, folded=False) for line in filled(source)]
    kept = [line for line in lines if re.search(BOOKKEEPING, line)]
    assert len(kept) <= 0.1 * len(lines), kept


@each_notebook
def test_chapters_tell_one_truth(path):
    """Nothing on a page is about a run that the reader does not see."""
    text = path.read_text(encoding="utf-8")
    for word in ("fast mode", "full mode", "not run in this mode", "(nan:"):
        assert word not in text, word
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells]
    assert cells[-1].strip() == "chapter.save()"
    assert any(re.search("^## Try it", source, re.MULTILINE) for source in cells)


def test_results_are_small():
    kept = [path for path in (ROOT / "book" / "results").rglob("*") if path.is_file()]
    assert kept
    assert max(path.stat().st_size for path in kept) <= 2_000_000
    assert sum(path.stat().st_size for path in kept) <= 15_000_000


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


def test_the_readme_is_read_in_three_minutes():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for unread in (r"```.*?```", r"<!--.*?-->", r"(?<=\])\([^)]*\)"):
        text = re.sub(unread, "", text, flags=re.DOTALL)
    assert 600 <= len([word for word in text.split() if re.search(r"\w", word)]) <= 800


def first_cells(page):
    """Names in backticks in the first cells of a page's tables."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return set(re.findall(r"`([^`]+)`", " ".join(re.findall(r"^\| (`.*?) \|", text, re.MULTILINE))))


def test_contributing_says_of_every_module_what_it_owns():
    """Of every room: a file or folder of ivae and companion; those of chapters are one row."""
    rooms = {room(name) for name in MODULES} - {"ivae", "companion"}
    rooms = {re.sub(r"\.c\d\d$", ".cNN", name).split(".")[1] for name in rooms}
    assert first_cells("CONTRIBUTING.md") == rooms


def test_the_readme_names_every_folder():
    ours = {name for name in MODULES if name.startswith("ivae.") and name.count(".") == 1}
    folders = {name.replace(".", "/") for name in ours if MODULES[name].stem == "__init__"}
    assert {f"{name}/" for name in folders} <= first_cells("README.md")
    for name in first_cells("README.md"):
        if name.endswith("/"):
            assert (ROOT / name).is_dir()


@each_notebook
def test_what_a_chapter_shows_was_made_from_a_commit(path):
    for result in sorted((ROOT / "book" / "results" / path.stem).glob("*.json")):
        commit = json.loads(result.read_text(encoding="utf-8"))["provenance"]["commit"]
        assert re.fullmatch("[0-9a-f]{40}", commit), result
