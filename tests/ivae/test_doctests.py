"""The examples in docstrings give what they say; each file at the root of ivae has one."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import ivae

FOLDER = Path(ivae.__file__).parent
MODULES = {
    ".".join(path.relative_to(FOLDER.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(FOLDER.rglob("*.py"))
}


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = doctest.testmod(import_module(name))
    assert outcome.failed == 0
    if MODULES[name].parent == FOLDER:
        assert outcome.attempted > 0
