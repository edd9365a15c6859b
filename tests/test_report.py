"""The report: nothing from a table becomes markup, nothing is fetched, and a browser renders every section."""

from __future__ import annotations

import itertools
import math
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autometa.cli.result_page import warm_start_words
from autometa.evaluation import Evaluation, score_all
from autometa.explain import Dependence, Importance, ModelExplanation
from autometa.report import write
from autometa.report.charts import LETTER, Frame, Scale, nice_step
from autometa.report.columns import column_warnings
from autometa.report.findings import calibration, confusion, precision_recall, roc, thinned
from autometa.report.html import Markup, tag
from autometa.report.sections import SECTIONS
from autometa.report.words import number, spoken_seconds, spoken_value, written
from autometa.search import Result, Settings, TrialRow
from autometa.task import make_task
from autometa.transfer import Evidence, Recommendation

HOSTILE = '</script><script>document.title="owned"</script>'
FAMILIES = ("lightgbm", "linear", "extra_trees", "knn", "svm", "mlp")
ORIGINS = ("default", "portfolio", "similar", "similar", "search")


def a_table(kind: str) -> pd.DataFrame:
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

    load = {"binary": load_breast_cancer, "multiclass": load_wine, "regression": load_diabetes}[kind]
    frame = load(as_frame=True).frame
    rng = np.random.default_rng(0)
    frame.insert(0, HOSTILE, rng.choice(["<b>a</b>", "b", "c & d"], len(frame)))
    frame.iloc[rng.permutation(len(frame))[:30], 2] = np.nan
    frame["same"] = 1
    names = {"binary": ["malignant", "<i>benign</i>"], "multiclass": ["Barolo", "Grignolino", "Barbera"]}.get(kind)
    target = frame.pop("target")
    frame["target"] = target if names is None else [names[k] for k in target]
    return frame


def a_prediction(task, quality: float, rng: np.random.Generator) -> np.ndarray:
    """The truth, blurred: (n, c) probabilities or (n,) values."""
    if task.kind == "regression":
        return quality * task.y + (1 - quality) * task.y.mean() + rng.normal(0, 0.5 * task.y.std(), task.n)
    logits = rng.normal(0, 1, (task.n, task.c))
    logits[np.arange(task.n), task.y] += 4 * quality
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True)


def a_result(kind: str, run: Path, trials: int = 24) -> Result:
    """What a search of `trials` trials might have come to."""
    task = make_task(a_table(kind), target="target", name=f"a <em>{kind}</em> table")
    rng = np.random.default_rng(1)
    rows, best = [], None
    for n in range(trials):
        origin = ORIGINS[min(n // 2, 4)]
        family = FAMILIES[n % len(FAMILIES)]
        config = {
            "family": family,
            f"{family}.depth": 3 + n,
            f"{family}.rate": 0.05 * (n + 1),
            f"{family}.kind": "<u>x</u>",
        }
        state = {5: "failed", 9: "timeout", 13: "memory", 17: "stopped"}.get(n, "complete")
        quality = 0.25 + 0.5 * (1 - math.exp(-n / 8)) + rng.normal(0, 0.08)
        prediction = a_prediction(task, quality, rng)
        scores = {} if state in ("failed", "timeout", "memory") else score_all(task.kind, task.y, prediction, task.c)
        folds = {m: tuple((v + rng.normal(0, 0.01 * abs(v), 5)).tolist()) for m, v in scores.items()}
        evaluation = Evaluation(
            config=config, state=state, reason=None if state == "complete" else f"ValueError: <script>{n}</script>",
            scores=scores, folds=folds, fit_seconds=0.3 + n / 10, predict_seconds=0.01 * n, peak_ram=(120 + n) * 10**6,
            seed=0, rows=task.n, versions={"scikit-learn": "1.9.1", "lightgbm": "4.7.0"}, origin=origin,
        )  # fmt: skip
        reason = "did best on 3 similar tasks" if origin == "similar" else ""
        rows.append(TrialRow(n, evaluation, origin, reason, 2.0 * n + 0.5, 2.0 * n + 2.2))
        if state == "complete" and (best is None or scores[task.metric] > best[0]):
            best = (scores[task.metric], n, prediction)
    assert best is not None
    evidence = tuple(
        Evidence(f"task <{k}>", 0.9 - 0.2 * k, ("n_rows", "class_entropy"), 0.97, 0.99, 1, 60) for k in range(3)
    )
    recommendations = tuple(
        Recommendation(rows[n].evaluation.config, "similar" if n % 2 else "portfolio", 0.9, "won on task <0>", evidence)
        for n in range(2, min(8, trials))
    )
    oof = best[2].copy()
    oof[:7] = np.nan
    return Result(
        run=run, task=task, settings=Settings(seconds=60.0), trials=tuple(rows), recommendations=recommendations,
        members=((best[1], 0.6), (3, 0.4)), score=best[0], score_std=0.01, oof=oof, seconds=51.3, interrupted=False,
        model=run / "model.pkl", refitted=True,
    )  # fmt: skip


def an_explanation(task) -> ModelExplanation:
    """What might be known of its columns."""
    found = []
    for k, name in enumerate(task.X.columns):
        drop = 1 / (k + 1) - 0.1
        found.append(Importance(str(name), drop, drop - 0.05, drop + 0.05, "the higher, the <b>more</b>"))
    labels = [task.target] if not task.c else [str(task.classes[task.positive])] if task.c == 2 else task.classes
    curves = {str(label): (0.2, 0.5, 0.4) for label in labels}
    numeric = [Dependence(str(name), False, (1.0, 2.0, 3.5), curves) for name in task.columns.numeric[:5]]
    towns = Dependence(HOSTILE, True, ("<b>a</b>", "b", "c & d"), curves)
    return ModelExplanation(tuple(found), (towns, *numeric), "held out", 250, 2, task.p, (1, 2), 0.6)


class Page(HTMLParser):
    """Which elements a page has, and every attribute value."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))

    def handle_data(self, words):
        self.words.append(words)

    def count(self, name: str) -> int:
        return sum(element == name for element, _ in self.elements)


@pytest.fixture(scope="module", params=["binary", "multiclass", "regression"])
def page_of(request, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    result = a_result(request.param, folder)
    return write(result, folder / "report.html", explanation=an_explanation(result.task))


# ------------------------------------------------------------------------------------------------------- the whole page


def test_every_section_is_there(page_of):
    page = Page(page_of.read_text(encoding="utf-8"))
    names = [attributes.get("id") for name, attributes in page.elements if name == "section"]
    assert names == [name for name, _, _ in SECTIONS]
    assert [a["href"] for n, a in page.elements if n == "a"] == [f"#{name}" for name in names]


def test_nothing_from_the_table_becomes_markup(page_of):
    text = page_of.read_text(encoding="utf-8")
    page = Page(text)
    assert page.count("script") == 1  # its own
    assert not {name for name, _ in page.elements} & {"em", "u", "img", "iframe"}
    assert [words for words in page.words if HOSTILE in words]  # said as text
    assert "owned" not in re.sub(r"&lt;script&gt;.*?&lt;/script&gt;", "", text)


def test_the_page_refers_to_nothing_outside_itself(page_of):
    text = page_of.read_text(encoding="utf-8")
    page = Page(text)
    links = [
        v
        for _, attributes in page.elements
        for k, v in attributes.items()
        if k in ("src", "href", "data", "action") and v
    ]
    assert all(link.startswith("#") for link in links)
    assert "http://" not in text
    assert "https://" not in text
    assert "url(" not in text
    assert "@import" not in text


def test_the_page_is_small(page_of):
    assert page_of.stat().st_size < 1_500_000


def test_a_report_replaces_the_one_before_and_leaves_nothing_else(tmp_path):
    result = a_result("binary", tmp_path, trials=8)
    write(result, tmp_path / "report.html")
    write(result, tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("proposed", "state", "said"),
    [
        (False, "complete", ("no past task that could say", "had nothing to offer")),
        (True, "timeout", ("Nothing that past tasks proposed could be evaluated", "none of which could be evaluated")),
        (True, "complete", ("Of what past tasks proposed, 3", "its 3 proposals reached")),
    ],
)
def test_what_the_memory_was_worth_is_said_as_it_was(proposed, state, said, tmp_path):
    result = a_result("binary", tmp_path, trials=5)  # two of them defaults
    trials = [replace(t, origin="portfolio" if t.proposed and proposed else "search") for t in result.trials]
    trials = [replace(t, evaluation=replace(t.evaluation, state=state if t.proposed else "complete")) for t in trials]
    result = replace(result, trials=tuple(trials))
    page = write(result, tmp_path / "report.html").read_text(encoding="utf-8")
    assert said[0] in page
    assert said[1] in warm_start_words(result)


def test_the_shortest_run_has_a_report(tmp_path):
    """One trial, no recommendation, no importance."""
    full = a_result("regression", tmp_path, trials=1)
    result = Result(
        **{**{name: getattr(full, name) for name in full.__slots__}, "recommendations": (), "members": ((0, 1.0),)}
    )
    page = Page(write(result, tmp_path / "report.html").read_text(encoding="utf-8"))
    assert {"outcome", "data", "model", "again"} <= {attributes.get("id") for _, attributes in page.elements}


def cells_of(path: Path) -> list[str]:
    return [words.strip() for words in Page(path.read_text(encoding="utf-8")).words if words.strip()]


def test_precision_and_recall_and_what_mistakes_cost_are_shown_of_two_classes(tmp_path):
    words = cells_of(write(a_result("binary", tmp_path), tmp_path / "report.html"))
    for said in ("Precision and recall", "Thresholds", "What mistakes cost", "10 times as much", "best threshold"):
        assert said in words


def test_partial_dependence_of_the_six_most_important_columns_is_drawn(page_of):
    text = page_of.read_text(encoding="utf-8")
    assert text.count('<svg viewBox="0 0 440 260"') == 5  # and the categories of the sixth are bars
    assert "Partial dependence" in text


def test_the_worst_rows_are_shown_with_a_warning_or_left_out(tmp_path):
    result = a_result("regression", tmp_path)
    frame = result.task.X
    errors = np.abs(result.task.y - result.oof)
    worst = int(np.nanargmax(errors))
    words = cells_of(write(result, tmp_path / "report.html"))
    assert f"{worst + 1:,}" in words[words.index("The worst rows") :]
    assert any("whoever gets this file gets them" in said for said in words)
    assert any(written(frame.iloc[worst, 0]) == said for said in words[words.index("The worst rows") :])
    without = cells_of(write(result, tmp_path / "report.html", rows=False))
    assert "The worst rows" not in without
    assert "The worst rows were left out (--no-rows)." in without


def test_every_class_is_named_however_many_there_are(tmp_path):
    rng = np.random.default_rng(0)
    names = [f"a class with a long name, number {k:02d}" for k in range(30)]
    y = np.repeat(np.arange(30), 10)
    frame = pd.DataFrame({"x": y + rng.normal(size=300), "kind": [names[k] for k in y]})
    result = a_result("multiclass", tmp_path)
    task = make_task(frame, target="kind")
    oof = rng.dirichlet(np.ones(30), 300)
    words = cells_of(write(replace(result, task=task, oof=oof), tmp_path / "report.html"))
    assert set(names) <= set(words)


def test_columns_that_are_unique_twice_there_or_know_too_much_are_warned_of():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=90), "b": rng.normal(size=90), "c": rng.integers(0, 4, 90)})
    frame["again"], frame["customer_id"] = frame["a"], rng.permutation(90) * 7 + 11
    frame["y"] = rng.normal(size=90)
    task = make_task(frame, target="y", keep=["customer_id"])
    drops = [Importance("c", 9.0, 8.0, 10.0), Importance("a", 0.2), Importance("b", 0.1), Importance("again", 0.0)]
    known = ModelExplanation((*drops, Importance("customer_id", 0.0)), columns=5)
    said = column_warnings(task, known)
    assert said[0].startswith("Column 'c' carries 97% of the importance")
    assert "Columns 'a' and 'again' are the same in every row" in said[1]
    assert said[2].startswith("Column 'customer_id' is different in every row")
    assert len(said) == 3
    assert column_warnings(task, replace(known, columns=9))[0] == said[1]  # not all were measured


def test_numbers_are_written_as_people_write_them(tmp_path):
    task = make_task(pd.DataFrame({"x": np.arange(60.0) ** 1.1}), y=144_982.0 + 1e6 * np.arange(60.0), name="prices")
    result = replace(a_result("regression", tmp_path, trials=5), task=task, oof=task.y + 2e6)
    shown = cells_of(write(result, tmp_path / "report.html"))
    assert not [said for said in shown if re.fullmatch(r"-?\d(\.\d+)?e[+-]?\d+", said)]
    assert "20,000,000" in shown


@pytest.mark.parametrize("labels", [(0.0, 1.0), (0.0, 2e6), (-3e9, 4e9), (0.9912, 0.9931)])
@pytest.mark.parametrize("width", [440, 960])
def test_no_label_of_an_axis_is_printed_over_another(labels, width):
    frame = Frame(labels, labels, "across", "up", width=width)
    step = frame.x_ticks[1] - frame.x_ticks[0] if len(frame.x_ticks) > 1 else 1.0
    ends = [(frame.across(v), LETTER * len(frame.x_text(v, step)) / 2) for v in frame.x_ticks]
    assert all(b[0] - b[1] >= a[0] + a[1] for a, b in itertools.pairwise(ends))
    longest = max(len(frame.y_text(v, frame.up.ticks(6)[1] - frame.up.ticks(6)[0])) for v in frame.up.ticks(6))
    assert frame.left - 8 - LETTER * longest >= 14  # the title of the axis stands there


# --------------------------------------------------------------------------------------------------------- in a browser


def in_chromium(*arguments: str, profile: Path) -> subprocess.CompletedProcess[str]:
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("needs chromium to render the page")
    quiet = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}",
        "--virtual-time-budget=3000", "--enable-logging=stderr", "--v=0",
    ]  # fmt: skip
    return subprocess.run([browser, *quiet, *arguments], capture_output=True, text=True, timeout=600, check=True)


def test_a_browser_renders_it_without_a_complaint(tmp_path):
    result = a_result("binary", tmp_path)
    path = write(result, tmp_path / "report.html")
    shown = in_chromium("--dump-dom", path.as_uri(), profile=tmp_path / "profile")
    assert "CONSOLE" not in shown.stderr, shown.stderr
    dom = Page(shown.stdout)
    titles = "".join(dom.words)
    assert "owned" not in [attributes.get("title") for _, attributes in dom.elements]
    assert all(title in titles for _, title, _ in SECTIONS)
    assert dom.count("svg") > 8


def test_a_browser_refuses_a_script_that_is_not_the_pages_own(tmp_path):
    """The policy holds even if escaping had failed."""
    path = write(a_result("binary", tmp_path, trials=6), tmp_path / "report.html")
    text = path.read_text(encoding="utf-8").replace("<main>", "<main><script>document.title = 'owned'</script>")
    path.write_text(text, encoding="utf-8")
    shown = in_chromium("--dump-dom", path.as_uri(), profile=tmp_path / "profile")
    assert "<title>owned" not in shown.stdout
    assert "Content Security Policy" in shown.stderr


# ------------------------------------------------------------------------------------------------------------- findings


def test_the_area_under_the_roc_curve_is_that_of_scikit_learn():
    from sklearn.metrics import roc_auc_score, roc_curve

    rng = np.random.default_rng(0)
    y, p = rng.random(300) < 0.4, rng.integers(0, 20, 300) / 20
    x, rate, area = roc(y, p)
    assert area == pytest.approx(roc_auc_score(y, p))
    expected = roc_curve(y, p, drop_intermediate=False)
    np.testing.assert_allclose(x, expected[0])
    np.testing.assert_allclose(rate, expected[1])


def test_a_curve_of_one_class_has_no_area():
    assert math.isnan(roc(np.ones(5, bool), np.arange(5.0))[2])
    assert math.isnan(precision_recall(np.zeros(5, bool), np.arange(5.0))[2])


def test_average_precision_is_that_of_scikit_learn():
    from sklearn.metrics import average_precision_score, precision_recall_curve

    rng = np.random.default_rng(0)
    y, p = rng.random(300) < 0.2, rng.integers(0, 20, 300) / 20
    recall, precision, average = precision_recall(y, p)
    assert average == pytest.approx(average_precision_score(y, p))
    expected = precision_recall_curve(y, p)
    np.testing.assert_allclose(recall[1:], expected[1][:-1][::-1])
    np.testing.assert_allclose(precision[1:], expected[0][:-1][::-1])


def test_a_phone_has_no_part_of_the_leaderboard_outside_of_its_screen(tmp_path):
    """In a real browser, 390 pixels wide: rows of the leaderboard are cards. At 1280 it is whole."""
    path = write(a_result("binary", tmp_path), tmp_path / "report.html")
    for width in (390, 1280):
        ask = (
            f"<iframe id=f src='{path.name}' style='width:{width}px;height:900px;border:0'></iframe><script>"
            "f.onload = () => { const s = f.contentDocument.querySelector('#leaderboard .scroll');"
            "document.title = s.scrollWidth <= s.clientWidth + 4 ? 'whole' : 'cut ' + s.scrollWidth; }</script>"
        )
        (tmp_path / "frame.html").write_text(ask)
        given = ("--allow-file-access-from-files", "--window-size=1400,1000", "--dump-dom")
        shown = in_chromium(*given, (tmp_path / "frame.html").as_uri(), profile=tmp_path / "profile")
        assert "<title>whole</title>" in shown.stdout, shown.stdout[:600]


def test_a_thinned_curve_keeps_its_ends():
    x = np.linspace(0, 1, 5000)
    points = thinned(x, x**2, most=50)
    assert len(points) <= 50
    assert points[0] == (0.0, 0.0)
    assert points[-1] == (1.0, 1.0)


def test_confusion_counts_every_row_once():
    from sklearn.metrics import confusion_matrix

    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 4, 200), rng.dirichlet(np.ones(4), 200)
    np.testing.assert_array_equal(confusion(y, p.argmax(axis=1), p.shape[1]), confusion_matrix(y, p.argmax(axis=1)))


def test_calibrated_probabilities_lie_on_the_diagonal():
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    bins = calibration(rng.random(20_000) < p, p)
    assert sum(rows for _, _, rows in bins) == 20_000
    assert max(abs(mean - share) for mean, share, _ in bins) < 0.05


def test_importance_that_was_not_measured_says_why(tmp_path):
    path = write(
        a_result("binary", tmp_path, trials=6),
        tmp_path / "report.html",
        explanation=ModelExplanation((), why_not="The <dog> ate it."),
    )
    assert any("The <dog> ate it." in words for words in Page(path.read_text(encoding="utf-8")).words)


# ---------------------------------------------------------------------------------------------------------------- parts


def test_text_is_escaped_and_markup_is_not():
    assert tag("p", "<b>", Markup("<i></i>"), title='"&') == '<p title="&quot;&amp;">&lt;b&gt;<i></i></p>'


def test_control_characters_are_shown_as_a_mark():
    assert tag("p", "a\x00b\x1b") == "<p>a\ufffdb\ufffd</p>"


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3e6, 4e6), (0.9912, 0.9931), (1e-9, 2e-9)])
def test_ticks_are_round_and_within(low, high):
    ticks = Scale(low, high, 0, 100).ticks()
    assert 2 <= len(ticks) <= 11
    assert all(low <= t <= high for t in ticks)
    steps = np.diff(ticks)
    assert steps[0] == pytest.approx(nice_step(steps[0]))


def test_a_score_is_said_in_its_own_unit():
    assert spoken_value("neg_root_mean_squared_error", -52.0364, 1.234) == "52.04 ± 1.2"
    assert spoken_value("roc_auc", 0.98765) == "0.9877"


@pytest.mark.parametrize(
    ("value", "words"),
    [(np.float64(0.5), "0.5000"), (np.int64(7), "7"), (np.bool_(True), "True"), (None, "None"), ("x", "x")],
)
def test_any_parameter_can_be_said(value, words):
    assert number(value) == words


def test_no_time_is_said_as_sixty_seconds():
    assert spoken_seconds(59.99) == "1:00"
