"""What README and documentation show is run: Python in one namespace for each page, commands against the real program.

Budgets are clamped (`CLAMPS`), since these tests ask whether what is shown works, not how good the outcome is. A page
finds the table and the run that `docs/table.md` makes where it names them. A block that cannot be run here stands
behind a comment that says why, and `SKIPPED` counts them: nothing escapes unseen.

    <!-- skip: next "why" -->      the next block is shown only
    <!-- file: map.toml -->        the next block is that file
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest import SkipTest

import pytest
from sybil import Document, Example, Sybil
from sybil.parsers.markdown import CodeBlockParser
from sybil.parsers.myst import SkipParser

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
KEPT = ("CHANGELOG.md", "CONTRIBUTING.md", "README.md", "benchmarks/README.md", "meta_db/README.md")
PAGES = [
    path
    for path in [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("reference/*.md"))]
    if path.relative_to(DOCS if path.is_relative_to(DOCS) else ROOT).as_posix()
    not in ("changelog.md", "contributing.md", "reference/commands.md")  # which a build of the site writes
]
LANGUAGES = {
    "python",
    "console",
    "toml",
    "json",
    "text",
    "bibtex",
}  # of the blocks that are shown; the last two are read
CLAMPS = {  # what a block says -> what is run
    r"(?<=\btime=)\d+": "None, trials=2, families=['linear', 'naive_bayes']",
    r"(?<=n_trials=)\d+": "4",
    r"(?<=steps=)\d+": "2",
    r"(autometa (?:fit|resume) .*)--time \w+": r"\1--trials 2",
    r"(autometa fit (?!.*--families).*)": r"\1 --families linear,naive_bayes",
    r"--steps (\d)\d+": r"--steps \1",
    r"--episodes \d+": "--episodes 4",
    r"rf,lightgbm": "lightgbm",  # two thousand trees
    r"\(\"lightgbm\", \"rf\"\)": '("lightgbm",)',
}
SKIPPED = {  # page -> why a block of it is shown only, as often as it is
    "README.md": ["installs", "runs for minutes and installs"],
    "benchmarking.md": ["OpenML cannot be reached from tests; installs 3 GB; publishes"],
    "cluster.md": ["needs other machines"],
    "deployment.md": ["serves until it is ended", "installs", "is the run of this page, but for one flag"],
    "importing.md": ["OpenML cannot be reached from tests"],
    "foundation.md": ["installs, and downloads"],
    "installation.md": ["installs"],
    "machines.md": ["needs other machines", "needs other machines; grpcio"],
    "openml.md": ["OpenML cannot be reached from tests"] * 3,
    "runs.md": ["shows a page until it is ended"],
    "sampler.md": ["needs five studies, and a minute"],
    "tools.md": ["serves until it is ended"],
}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def clamped(text: str) -> str:
    for found, instead in CLAMPS.items():
        text = re.sub(found, instead, text)
    return text


def run_python(example: Example) -> None:
    """In the namespace of the page; lines of a traceback are the page's."""
    source = "\n" * (example.line + example.parsed.line_offset) + clamped(example.parsed)
    exec(compile(source, example.path, "exec", dont_inherit=True), example.namespace)


def run_commands(example: Example) -> None:
    """Every line that begins with a prompt; what stands between them is what it prints."""
    lines = [line[2:] for line in example.parsed.splitlines() if line.startswith("$ ")]
    assert lines, "a block of commands has none: each begins with '$ '"
    for line in lines:
        words = shlex.split(clamped(line), comments=True)
        if words[0] == "autometa":
            run_autometa(words[1:])
        else:
            subprocess.run(words, check=True, capture_output=True, timeout=60)


def run_autometa(words: list[str]) -> str:
    """The program itself, in this process: what it prints, where it ends well."""
    from autometa.cli import main

    said, printed, showwarning = io.StringIO(), io.StringIO(), warnings.showwarning
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(printed):
            code = main(words)
    finally:
        warnings.showwarning = showwarning
    assert code == 0, f"autometa {shlex.join(words)} ends with {code}: {said.getvalue()}"
    return printed.getvalue()


def load(language: str):
    """TOML or JSON is read, and written where the page says which file it is."""

    def evaluate(example: Example) -> None:
        (tomllib.loads if language == "toml" else json.loads)(example.parsed)
        before = example.document.text[: example.region.start].rstrip()
        if name := re.search(r"<!-- file: (\S+) -->$", before):
            Path(name[1]).write_text(example.parsed, encoding="utf-8")

    return evaluate


SYBIL = Sybil(
    parsers=[
        SkipParser(),
        CodeBlockParser("python", run_python),
        CodeBlockParser("console", run_commands),
        CodeBlockParser("toml", load("toml")),
        CodeBlockParser("json", load("json")),
    ],
    pattern="*.md",
)


def skips(page: Path) -> list[str]:
    return re.findall(r'<!-- skip: next "(.+)" -->', page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the table that `docs/table.md` begins with, and a finished run on it."""
    folder = tmp_path_factory.mktemp("beginning")
    first = next(block for language, block in fences(DOCS / "table.md") if language == "python")
    with contextlib.chdir(folder):
        exec(first, {})
        words = "fit customers.csv --target churned --trials 2 --families linear,naive_bayes --run run"
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            run_autometa(shlex.split(words))
    return folder


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Warnings of libraries are for whoever runs an example, and no failure of it."""
    import matplotlib as mpl

    mpl.use("agg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def fences(page: Path) -> list[tuple[str, str]]:
    """Every fenced block of a page: its language, its text."""
    text = page.read_text(encoding="utf-8")
    return [(match[1], match[2]) for match in re.finditer(r"^```(.*)\n((?:.*\n)*?)```$", text, re.MULTILINE)]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_shows_runs(
    page: Path, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    languages = {language for language, _ in fences(page)}
    if not languages & {"python", "console", "toml", "json"}:
        return
    text = page.read_text(encoding="utf-8")
    if page.name != "table.md" and re.search(r"customers\.csv|new\.csv|\brun\b", text):
        shutil.copytree(request.getfixturevalue("beginning"), tmp_path, dirs_exist_ok=True)
    run = re.sub(r"<!-- skip: next .*? -->\n```.*?\n```", "", text, flags=re.DOTALL)
    if "--run run\n" in run or "--run run " in run:
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
    monkeypatch.chdir(tmp_path)
    document: Document = SYBIL.parse(page)
    document.namespace["__name__"] = "__main__"
    with contextlib.redirect_stdout(io.StringIO()):
        for example in document.examples():
            with contextlib.suppress(SkipTest):
                example.evaluate()


def test_only_these_blocks_are_not_run() -> None:
    found = {page.name: sorted(skips(page)) for page in PAGES if skips(page)}
    assert found == {name: sorted(why) for name, why in SKIPPED.items()}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_row_stands_outside_of_its_table(page: Path) -> None:
    """A blank line before a row ends the table, and the row is shown as text."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"(?<=\n\n)\|.*\n(?!\|[\s|:-]+\|\n)", text) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_says_what_it_is(page: Path) -> None:
    odd = [language for language, _ in fences(page) if language not in LANGUAGES and not language.startswith("{")]
    assert odd == [], "a block without a language, or with one that is not run, escapes the tests"


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200


def test_forty_questions_have_an_answer_and_a_page() -> None:
    lines = (DOCS / "questions.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if re.match(r"\| \d+ \|", line)]
    assert [int(number) for number, *_ in rows] == list(range(1, 41))
    assert all(question and answer and LINK.search(page) for _, question, _, answer, page in rows)


# ------------------------------------------------------------------------------------------- links, names, figures

LINK = re.compile(r"\[[^\]]*\]\(([^)\s#:]*)(?:#([^)\s]+))?\)")


def anchors(page: Path) -> set[str]:
    """The anchors of a page, as GitHub and the site make them of its headings; equal ones are numbered."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        found.add(slug + (f"-{seen[slug]}" if seen[slug] else ""))
        seen[slug] += 1
    return found


@pytest.mark.parametrize("page", [*PAGES, *(ROOT / name for name in KEPT[:2] + KEPT[3:])], ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    lost = []
    for target, anchor in LINK.findall(re.sub(r"`[^`\n]*`", "``", text)):
        path = (page.parent / target).resolve() if target else page
        if not path.exists() and target not in WRITTEN:
            lost.append(target)
        elif anchor and path.suffix == ".md" and anchor not in anchors(path):
            lost.append(f"{target}#{anchor}")
    assert lost == []


WRITTEN = ("python/index.rst", "commands.md")  # when the site is built


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "benchmarks/README.md"], ids=name_of)
def test_files_that_are_named_are_there(page: Path) -> None:
    named = re.findall(
        r"`(?:python )?((?:autometa|benchmarks|docs|tests|meta_db|integrations)/[\w./-]+?\.\w+)[` ]",
        page.read_text(encoding="utf-8"),
    )
    made = [name for name in named if re.search(r"/[A-Z]+\.|docs/_build|-KIND", name)]  # NAME.py is no file
    assert [name for name in named if name not in made and not (ROOT / name).exists()] == []


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(DOCS)
    import figures

    yield figures
    sys.modules.pop("figures", None)


def test_the_readme_shows_the_figures_that_were_measured(figures) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "<!-- figures: suite -->" in text
    assert figures.drawn(text) == text, "python docs/figures.py draws it anew"


def test_every_figure_in_prose_is_in_the_results(figures) -> None:
    roles = [role for page in PAGES for role in re.findall(r"\{result\}`([^`]+)`", page.read_text(encoding="utf-8"))]
    assert roles
    for role in roles:
        assert figures.looked_up(role)


def test_what_is_counted_in_words_is_as_many() -> None:
    from autometa import MetaStore
    from autometa.families import FAMILIES, REGISTRY
    from autometa.fewshot import LEARNERS
    from autometa.libraries import LIBRARIES
    from autometa.metafeatures import FEATURE_NAMES

    memory = MetaStore.with_shipped("none_yet.db").tasks(space=None)
    real = [task for task in memory if task.source != "simulated"]
    counted = {
        r"(\d+) (?:numbers|\*{0,2}meta-features)\b": {str(len(FEATURE_NAMES))},
        r"(\d+) (?:tables under|real tables and|that the shipped)": {str(len({task.name for task in real}))},
        r"(\d+) simulated ones": {str(len({task.name for task in memory} - {task.name for task in real}))},
        r"(\w+) model families, one file each": {{18: "Eighteen"}.get(len(FAMILIES.keys() - REGISTRY.of_one_search))},
        r"(\w+) (?:episodic )?learners(?:, one trainer:| \(MAML)": {{19: "Nineteen"}.get(len(LEARNERS))},
        r"XGBoost, LightGBM, CatBoost and (\w+) more": {{12: "nine"}.get(len(LIBRARIES))},
    }
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if page.name != "decisions.md")
    assert {words: set(re.findall(words, text)) for words in counted} == counted


SETTINGS = {  # page -> what looks like a measured figure there, and is a setting, a limit, a rule or an example
    "deployment.md": {"32 MB"},  # what a request may hold
    "README.md": {"3.11", "60 s"},
    "benchmarking.md": {"10 s", "3 GB"},
    "budgets.md": {".2", "5 s", "10 s", "30 s", "30 seconds", "41 s", "60 s"},
    "errors.md": {"30 s"},
    "explaining.md": {"0.6", "10 s", "20 s", "3 %", "90 %"},
    "fewshot.md": {"0.2", "95 %"},  # learn2learn's version
    "gaussian_process.md": {"60 s", "95 %"},
    "how.md": {"40 %"},
    "installation.md": {"3.11", "469 MB"},  # what pyproject.toml says of a wheel
    "libraries.md": {"0.02", ".05"},
    "metrics.md": {"1.5"},
    "openml.md": {"10 %", "20 %"},
    "probabilities.md": {"10 %", "30 %"},
    "questions.md": {"10 s", "60 s"},
    "results.md": {"30 s", "60 s"},
    "runs.md": {"95 %"},
    "stability.md": {"1.0"},
    "studies.md": {"0.02", ".05", "95 %"},
    "table.md": {"60 s"},
    "tables.md": {"2 GB", "10 GB", "50 MB", "300 kB"},
    "transfer.md": {".02", "80 %"},
    "trust.md": {"60 s"},
}
MEASURED = re.compile(
    r"(?<![\w.,/=-])(?:\d[\d,]*)?\.?\d+ ?(?:%|(?:s|ms|MB|GB|kB|seconds|milliseconds)\b)|(?<![\w.,/-])\d*\.\d+(?![\w.])"
)


def written_by_hand(page: Path) -> set[str]:
    """What looks like a measured figure in the prose of a page: shares, times, sizes, and numbers with a point."""
    text = page.read_text(encoding="utf-8")
    for mark in (r"^```.*?^```$", r"<!-- (columns|faults|figures: \w+) -->.*?<!-- /"):  # code, and what is drawn
        text = re.sub(mark, "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"(?:\{\w+\})?`[^`]*`", "``", text)  # code, and roles
    return {" ".join(found.split()) for found in MEASURED.findall(text)}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_measured_figure_is_written_by_hand(page: Path) -> None:
    """But on the page of what was left out, whose figures stand nowhere else, with their commands."""
    if page.name != "decisions.md":
        found = written_by_hand(page) - SETTINGS.get(page.name, set())
        assert not found, "look it up by the role `result` (docs/figures.py), or name it in SETTINGS"


def test_settings_that_no_page_names_go() -> None:
    found = {page.name: written_by_hand(page) for page in PAGES}
    assert {name: found[name] & settings for name, settings in SETTINGS.items()} == SETTINGS


def test_a_figure_that_is_not_there_is_refused(figures) -> None:
    with pytest.raises(figures.MissingFigureError, match=r"no benchmarks/results/nothing\.md"):
        figures.figure("nothing.md", "a", "b")
    with pytest.raises(figures.MissingFigureError, match="a row 'AutoMeta' and a column 'beauty'"):
        figures.figure("suite/report.md", "AutoMeta", "beauty")
    for text, why in {
        "nothing.jsonl; ; count": r"no benchmarks/results/nothing\.jsonl",
        "speed.jsonl; measure=budgets; count": "no line of .* has 'measure=budgets'",
        "speed.jsonl; measure=budget; max beauty": "not every such line .* has 'beauty'",
        "speed.jsonl; measure; count": "'measure' is no condition",
        "speed.jsonl; measure=budget; max over * 2": "'max over \\* 2' is no figure",
        "suite/results.jsonl; fold=0; rank of nobody": "no cell .* is of 'nobody'",
        "speed.jsonl": "too few or too many parts",
    }.items():
        with pytest.raises(figures.MissingFigureError, match=why):
            figures.looked_up(text)


def test_a_figure_is_made_of_the_lines_that_are_meant(figures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    lines = [
        {"what": "10 %, twice", "budget": 10, "over": {"s": 0.25}, "lost": []},
        {"what": "10 %, twice", "budget": 20, "over": {"s": 0.75}, "lost": ["a", "b"]},
        {"what": "other", "budget": 20, "over": {"s": 9.0}, "lost": []},
    ]
    (tmp_path / "made.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    shown = {
        "made.jsonl; what=10 %, twice; over.s; .1f": "0.8",  # the last one's
        "made.jsonl; what=10 %, twice, budget<20; over.s": "0.25",
        "made.jsonl; what=10 %, twice; mean over.s": "0.5",
        "made.jsonl; what!=other; max budget / 1e3": "0.02",
        "made.jsonl; budget>=20; count": "2",
        "made.jsonl; lost>=1; sum budget": "20",  # of a list its length
        "made.jsonl; ; count": "3",
    }
    assert {text: figures.looked_up(text) for text in shown} == shown


def test_the_average_rank_of_a_method_is_that_of_its_cells_among_the_others(figures, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    scores = {"a": {"mine": 0.9, "b": 0.8, "c": 0.7}, "z": {"mine": 0.5, "b": 0.5, "c": 0.7}}
    cells = [
        {"task": task, "fold": 0, "method": method, "score": score}
        for task, row in scores.items()
        for method, score in row.items()
    ]
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite/results.jsonl").write_text("\n".join(map(json.dumps, cells)), encoding="utf-8")
    assert figures.looked_up("suite/results.jsonl; fold=0; rank of mine; .2f") == "1.75"  # 1, and 2 and 3 shared
    assert figures.looked_up("suite/results.jsonl; task=z; rank of c; .0f") == "1"


def test_every_file_of_results_says_what_measured_it(figures) -> None:
    text = figures.origins()
    for path in [*figures.RESULTS.rglob("*.md"), *figures.RESULTS.rglob("*.jsonl")]:
        assert f"({figures.label(path.relative_to(figures.RESULTS).as_posix())})=" in text
    for program in re.findall(r"`python (benchmarks/\w+\.py)", text):
        assert (ROOT / program).is_file(), program


# ------------------------------------------------------------------------------------------- the reference

INNER = {"bench.cells", "fewshot.data", "task.read"}  # modules whose `__all__` is for the room around them
PROGRAM = {"cli"}  # what it exports is run by its name


@pytest.fixture
def generated(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(DOCS)
    import generated

    yield generated
    sys.modules.pop("generated", None)


def test_the_reference_has_every_module_that_says_what_is_public(generated) -> None:
    said = {
        ".".join(path.relative_to(ROOT / "autometa").with_suffix("").parts).removesuffix(".__init__")
        for path in ROOT.glob("autometa/**/*.py")
        if re.search(r"^__all__ = ", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert said - {"__init__"} - INNER - PROGRAM <= set(generated.ROOMS)


def test_everything_public_has_an_example(generated) -> None:
    """In its docstring, or where it is a class in those of its methods; the doctests run them."""
    without = []
    for room in generated.ROOMS:
        module = importlib.import_module(f"autometa.{room}")
        for name in generated.public(room):
            value = getattr(module, name)
            if inspect.isclass(value) and value.__module__.startswith("autometa."):
                docs = [value.__doc__, *(getattr(part, "__doc__", None) for part in vars(value).values())]
            elif inspect.isfunction(value):
                docs = [value.__doc__]
            else:
                continue
            if not any(">>>" in (doc or "") for doc in docs):
                without.append(f"{room}.{name}")
    assert without == []


def test_what_most_people_need_says_what_to_see_also(generated) -> None:
    import autometa

    values = {name: getattr(autometa, name) for name in generated.front()}
    said = {name: (inspect.getdoc(value) or "").count("See Also:") for name, value in values.items() if callable(value)}
    assert {name for name, times in said.items() if times != 1} == set()


def test_every_environment_variable_is_described() -> None:
    page = (DOCS / "reference" / "environment.md").read_text(encoding="utf-8")
    described = set(re.findall(r"^\| `([A-Z_]+)`", page, re.MULTILINE))
    pattern = re.compile(r"\b(AUTOMETA_[A-Z_]+[A-Z])\b|environ(?:\.get\(|\[)\s*\"([A-Z_]+)\"")
    used = {
        name
        for path in [*ROOT.glob("autometa/**/*.py"), *ROOT.glob("tests/**/*.py"), ROOT / "Makefile"]
        for match in pattern.finditer(path.read_text(encoding="utf-8"))
        if (name := match[1] or match[2])
    }
    ours = {name for name in used if name.startswith("AUTOMETA_")}
    assert ours == {name for name in described if name.startswith("AUTOMETA_")}
    code = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("autometa/**/*.py"))
    read = set(re.findall(r"environ(?:\.get\(|\[)\s*\"([A-Z_]+)\"", code))
    assert read - described == {"OPENML_SKIP_PARQUET"}, "which is set for the client, and back again"


# ----------------------------------------------------------------------------------------- the site, where it is built

BUILT = (DOCS / "_build" / "html", DOCS / "_build" / "pages" / "html")  # by `make docs`, by `make pages`


@pytest.fixture
def site() -> Path:
    """What was built last."""
    built = [folder for folder in BUILT if (folder / "search.html").is_file()]
    if not built:
        pytest.skip("the site is not built (make docs or make pages)")
    return max(built, key=lambda folder: (folder / "search.html").stat().st_mtime)


def test_the_site_is_light(site: Path) -> None:
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) < 10e6


def test_search_works_without_a_server(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DOCS)
    import axe

    browser = axe.chromium()
    if browser is None:
        pytest.skip("Chromium is not installed")
    page = axe.dom(browser, f"{(site / 'search.html').as_uri()}?q=groups")
    assert 'href="groups.html"' in page.split('id="search-results"')[-1]
