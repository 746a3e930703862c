# Each target sets up what it needs in .venv, from requirements.lock, and only when that changed.
PYTHON ?= python3
PY := .venv/bin/python
READY := .venv/.ready
HTML := _build/html/index.html
SOURCES := $(shell find ivae notebooks/companion -name '*.py') \
           $(wildcard notebooks/*.ipynb book/*.py book/*.md book/*.bib) \
           $(shell find book/_static book/results -type f) _config.yml _toc.yml

.PHONY: book test full bench clean
.DELETE_ON_ERROR:

book: $(HTML)  ## the book from its recorded runs, some of them made again, in _build/html
	@echo "The book is in _build/html/index.html"

test: $(READY) $(HTML)  ## lint, types, unit tests, and tests of the rendered book in a browser
	$(PY) tests/ensure_chromium.py
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m codespell_lib README.md CONTRIBUTING.md CHANGELOG.md ivae book/*.md book/*.py \
	  notebooks benchmarks tests
	OMP_NUM_THREADS=1 $(PY) -m pytest

full: $(READY)  ## make the recorded runs that are missing, hours from nothing, then the book
	$(PY) book/build.py --mode full

bench: $(READY)  ## how fast training is, against the usual loop; writes _build/bench.json
	$(PY) benchmarks/speed.py

clean:  ## remove everything that was built, but not .venv
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(HTML): $(READY) $(SOURCES)
	$(PY) book/build.py

# torch comes first and by itself, so that nothing else can pull in another build of it.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else \
	"Python 3.11, 3.12 or 3.13 is needed; got %d.%d. Name one: make PYTHON=python3.12 book" % v)'
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet "$$(grep '^torch==' requirements.lock)"
	$(PY) -m pip install --quiet -r requirements.lock
	$(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@
