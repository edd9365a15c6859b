"""From raw columns to typed ones, and on to the inputs of a learner, as operations of ONNX.

What arrives as text in a file is read before: a number is float64, NaN where missing; a truth value 0 or 1; a category
its label, any other text where missing; a moment the seconds since 1970 of what the clock showed.

Law: what a step of `autometa.families.learners.preprocess` makes of inputs, to rounding.

Letters:  n rows · p columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autometa.errors import RunError
from autometa.export.few_shot import shortened, vectors
from autometa.export.graph import Graph
from autometa.export.trees import LEQ, LT, Tree, ensemble
from autometa.task import Schema
from autometa.task.columns import ColumnEncoder, missing_numbers

_DAY = 86_400.0
# Wichura: Algorithm AS 241, the percentage points of the normal distribution (1988): numerators and denominators about
# the middle, beyond it, and far out, the highest power first.
_MIDDLE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457, 13731.693765509461125,
     1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
    (5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867, 5394.1960214247511077,
     687.1870074920579083, 42.313330701600911252, 1.0),
)  # fmt: skip
_BEYOND = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
     3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459,
     0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1.0),
)  # fmt: skip
_FAR = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093,
     0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772),
    (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4,
     0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1.0),
)  # fmt: skip


def typed_columns(graph: Graph, schema: Schema) -> list[str]:
    """The typed columns, each (n, 1), in the order of ``schema.columns.all``; categories as their codes, -1 missing.

    Raises:
        RunError: A column holds free text.
    """
    from autometa.task.schema import _part_names

    text = [encoder.name for encoder in schema.encoders if encoder.holds == "text"]
    if text:
        raise RunError(
            f"ONNX has no words of texts, and these columns hold free text: {', '.join(map(repr, text))}. "
            "Fit again with --drop for each of them"
        )
    made: dict[str, str] = {}
    parts = iter(_part_names(schema.encoders))
    for encoder in schema.encoders:
        if encoder.holds == "category":
            made[encoder.name] = _category(graph, encoder)
        elif encoder.holds == "datetime":
            found = _moment(graph, graph.input(encoder.name, "double"), encoder)
            made |= {next(parts): found[part] for part in encoder.parts}
        else:
            made[encoder.name] = _number(graph, encoder)
    return [made[name] for name in schema.columns.all]


def _number(graph: Graph, encoder: ColumnEncoder) -> str:
    value, missing = graph.input(encoder.name, "double"), graph.constant(np.nan)
    value = graph.where(graph.op("IsInf", value), missing, value)
    for number in missing_numbers(encoder.missing).tolist():
        value = graph.where(graph.op("Equal", value, graph.constant(number)), missing, value)
    return value


def _category(graph: Graph, encoder: ColumnEncoder) -> str:
    codes = graph.op(
        "LabelEncoder",
        graph.input(encoder.name, "string"),
        domain="ai.onnx.ml",
        keys_strings=list(encoder.categories),
        values_floats=[float(k) for k in range(len(encoder.categories))],
        default_float=-1.0,
    )
    return graph.as_double(codes)


def _moment(graph: Graph, seconds: str, encoder: ColumnEncoder) -> dict[str, str]:
    """The parts of a moment, by the arithmetic of the civil calendar.

    Source:
        Hinnant, 2014: chrono-compatible low-level date algorithms, civil_from_days
    """

    def floor(value: str) -> str:
        return graph.op("Floor", value)

    def share(value: str, by: float) -> str:
        return floor(graph.op("Div", value, graph.constant(by)))

    day = share(seconds, _DAY)
    shifted = graph.shifted(day, 719_468.0)  # days since 0000-03-01
    era = share(shifted, 146_097.0)
    of_era = graph.op("Sub", shifted, graph.scaled(era, 146_097.0))
    leaps = graph.add(share(of_era, 36_524.0), graph.scaled(share(of_era, 1460.0), -1.0))
    leaps = graph.op("Sub", leaps, share(of_era, 146_096.0))
    year_of_era = share(graph.add(of_era, leaps), 365.0)
    before = graph.add(graph.scaled(year_of_era, 365.0), share(year_of_era, 4.0))
    before = graph.op("Sub", before, share(year_of_era, 100.0))
    of_year = graph.op("Sub", of_era, before)
    march = share(graph.shifted(graph.scaled(of_year, 5.0), 2.0), 153.0)  # months since March
    of_month = graph.op("Sub", of_year, share(graph.shifted(graph.scaled(march, 153.0), 2.0), 5.0))
    late = graph.op("Less", march, graph.constant(10.0))
    month = graph.where(late, graph.shifted(march, 3.0), graph.shifted(march, -9.0))
    year = graph.add(year_of_era, graph.scaled(era, 400.0))
    year = graph.where(late, year, graph.shifted(year, 1.0))
    weekday = graph.shifted(day, 3.0)  # 1970-01-01 was a Thursday
    weekday = graph.op("Sub", weekday, graph.scaled(share(weekday, 7.0), 7.0))
    hour = share(graph.op("Sub", seconds, graph.scaled(day, _DAY)), 3600.0)
    return {
        "year": year,
        "month": month,
        "day": graph.shifted(of_month, 1.0),
        "weekday": weekday,
        "hour": hour,
        "elapsed": graph.shifted(seconds, -encoder.origin),
    }


def inputs_of(
    graph: Graph, transformer: Any, typed: list[str], schema: Schema, names: tuple[str, ...] | None = None
) -> str:
    """What a fitted `ColumnTransformer` makes of the typed columns, or of those with some `names`: (n, inputs).

    Raises:
        RunError: One of its steps has no counterpart.
    """
    from autometa.families.learners.preprocess import CategoryCodes

    categories = {encoder.name: encoder.categories for encoder in schema.encoders}
    known, parts = schema.columns.all if names is None else names, []
    for _, part, places in transformer.transformers_:
        if isinstance(part, str) or not places:
            continue
        columns, (first, *others) = [typed[i] for i in places], list(_opened(part))
        if isinstance(first, CategoryCodes):
            own = [categories[known[i]] for i in places]
            x = graph.concat(
                [_coded(graph, *of, first.missing) for of in zip(first.tables_, columns, own, strict=True)]
            )
        elif hasattr(first, "transformers_"):
            x = inputs_of(graph, first, columns, schema, tuple(known[i] for i in places))
        else:
            x = step(graph, first, graph.concat(columns))
        for other in others:
            x = step(graph, other, x)
        parts.append(x)
    return graph.concat(parts)


def _opened(part: Any) -> Iterator[Any]:
    """The steps of a part, pipelines in it opened."""
    for _, one in getattr(part, "steps", [("", None)]):
        yield from (part,) if one is None else _opened(one)


def _coded(graph: Graph, table: dict[Any, int], code: str, categories: tuple[str, ...], missing: float) -> str:
    """Codes of the schema's categories (n, 1) as those that training saw."""
    return graph.lookup(np.array([*(table.get(name, missing) for name in categories), missing], dtype=float), code)


def step(graph: Graph, one: Any, x: str) -> str:
    """What a fitted step makes of inputs (n, p).

    Raises:
        RunError: It has no counterpart.
    """
    from sklearn.preprocessing import StandardScaler

    from autometa.families.learners import additive, few_shot, preprocess

    known = {
        additive.Curves: _curves,
        preprocess.Numbers: _numbers,
        preprocess.Impute: _impute,
        preprocess.RobustClip: _robust,
        preprocess.Quantiles: _quantiles,
        preprocess.OneHot: _one_hot,
        preprocess.TargetMeans: _target_means,
        StandardScaler: _standard,
        few_shot.Vectors: _vectors,
        few_shot.Shortened: shortened,
    }.get(type(one))
    if known is None:
        raise RunError(f"ONNX has no counterpart of the step {type(one).__name__}")
    return known(graph, one, x)


def _numbers(graph: Graph, one: Any, x: str) -> str:
    bound = float(np.finfo(np.float32).max) / 4
    return graph.clip(x, -bound, bound)


def _vectors(graph: Graph, one: Any, x: str) -> str:
    return vectors(graph, one, _numbers(graph, one, x))


def _standard(graph: Graph, one: Any, x: str) -> str:
    return graph.op("Div", graph.op("Sub", x, graph.constant(one.mean_)), graph.constant(one.scale_))


def _impute(graph: Graph, one: Any, x: str) -> str:
    missing = graph.op("IsNaN", x)
    scaled = step(graph, one.scaler_, graph.where(missing, graph.constant(one.imputer_.statistics_), x))
    if not len(one.flags_):
        return scaled
    flags = graph.as_double(graph.column(missing, one.flags_.tolist()))
    return graph.concat([scaled, flags])


def _robust(graph: Graph, one: Any, x: str) -> str:
    centred = graph.op("Sub", x, graph.constant(one.center_))
    scaled = graph.clip(graph.op("Mul", centred, graph.constant(one.factor_)), -1e6, 1e6)
    third = graph.op("Div", scaled, graph.constant(3.0))
    return graph.op("Div", scaled, graph.op("Sqrt", graph.shifted(graph.op("Mul", third, third), 1.0)))


def _quantiles(graph: Graph, one: Any, x: str) -> str:
    """A tree for each column finds between which points of the grid a value is: the slope, start and share there."""
    from sklearn.preprocessing._data import BOUNDS_THRESHOLD

    scaler, trees, cells = one.scaler_, [], [np.empty((0, 3))]
    for j, grid in enumerate(scaler.quantiles_.T):
        own, bounds = _cells(grid, scaler.references_)
        tree = Tree([float(sum(map(len, cells)) + k) for k in range(len(own))], j)
        _search(tree, j, bounds, 0, len(own) - 1)
        trees.append(tree)
        cells.append(own)
    place = graph.op("Cast", ensemble(graph, x, trees, len(trees)), to=7)  # int64
    slope, start, share = (
        graph.op("Gather", graph.constant(column), place, axis=0) for column in np.concatenate(cells).T
    )
    share = graph.add(graph.op("Mul", slope, graph.op("Sub", x, start)), share)
    ends = scaler.quantiles_[[0, -1]]
    beyond = graph.op("Less", graph.constant(ends[1]), graph.shifted(x, BOUNDS_THRESHOLD))
    share = graph.where(beyond, graph.constant(1.0), share)
    below = graph.op("Less", graph.shifted(x, -BOUNDS_THRESHOLD), graph.constant(ends[0]))
    share = graph.where(below, graph.constant(0.0), share)
    return graph.clip(_normal(graph, share), -4.0, 4.0)


def _cells(
    grid: NDArray[np.float64], places: NDArray[np.float64]
) -> tuple[NDArray[np.float64], list[tuple[float, int]]]:
    """Below, at and between the points of a grid: (cells, 3) slope, start and share; and what ends each cell."""
    points = np.unique(grid)
    at = 0.5 * (np.interp(points, grid, places) - np.interp(-points, -grid[::-1], -places[::-1]))
    left = places[np.searchsorted(grid, points, "left")]  # the share with which the step to the left of a point ends
    right = places[np.searchsorted(grid, points, "right") - 1]
    cells, bounds = [(0.0, 0.0, 0.0)], []
    for k, point in enumerate(points.tolist()):
        bounds += [(point, LT), (point, LEQ)]
        cells.append((0.0, 0.0, float(at[k])))
        if k + 1 < len(points):
            cells.append(((left[k + 1] - right[k]) / (points[k + 1] - point), point, float(right[k])))
    return np.array([*cells, (0.0, 0.0, 1.0)]), bounds


def _search(tree: Tree, j: int, bounds: list[tuple[float, int]], first: int, last: int) -> int:
    """Adds a balanced search over cells; says where it begins."""
    if first == last:
        return ~first
    middle, own = (first + last) // 2, len(tree.features)
    value, mode = bounds[middle]
    tree.add(j, mode, value, 0, 0, False)
    tree.yes[own] = _search(tree, j, bounds, first, middle)
    tree.no[own] = _search(tree, j, bounds, middle + 1, last)
    return own


def _normal(graph: Graph, share: str) -> str:
    """The quantiles of the normal distribution."""
    q = graph.shifted(share, -0.5)
    near = graph.op("LessOrEqual", graph.op("Abs", q), graph.constant(0.425))
    r = graph.op("Sub", graph.constant(0.180625), graph.op("Mul", q, q))
    middle = graph.op("Mul", q, _ratio(graph, r, _MIDDLE))
    tail = graph.op("Min", share, graph.op("Sub", graph.constant(1.0), share))
    tail = graph.op("Max", tail, graph.constant(1e-300))
    r = graph.op("Sqrt", graph.op("Neg", graph.op("Log", tail)))
    far = graph.op("Greater", r, graph.constant(5.0))
    beyond = graph.where(
        far, _ratio(graph, graph.shifted(r, -5.0), _FAR), _ratio(graph, graph.shifted(r, -1.6), _BEYOND)
    )
    beyond = graph.where(graph.op("Less", q, graph.constant(0.0)), graph.op("Neg", beyond), beyond)
    return graph.where(near, middle, beyond)


def _ratio(graph: Graph, x: str, of: tuple[tuple[float, ...], tuple[float, ...]]) -> str:
    return graph.op("Div", graph.polynomial(x, of[0]), graph.polynomial(x, of[1]))


def _one_hot(graph: Graph, one: Any, x: str) -> str:
    widths = [*np.diff(one.starts_), one.width_ - one.starts_[-1]]
    parts = []
    for j, (first, width) in enumerate(zip(one.first_.tolist(), widths, strict=True)):
        values = graph.constant([first + np.arange(width)])  # (1, width)
        parts.append(graph.as_double(graph.op("Equal", graph.column(x, [j]), values)))
    return graph.concat(parts)


def _target_means(graph: Graph, one: Any, x: str) -> str:
    encoder = one.encoder_
    each = len(encoder.classes_) if encoder.target_type_ == "multiclass" else 1
    means, parts = np.broadcast_to(encoder.target_mean_, each), []
    for j, known in enumerate(encoder.categories_):
        codes = np.asarray(known, dtype=np.intp)  # from -1 on
        for k in range(each):
            table = np.full(max(int(codes.max(initial=-1)), -1) + 2, float(means[k]))  # the last is that of -1
            table[codes] = encoder.encodings_[each * j + k]
            parts.append(graph.lookup(table, graph.column(x, [j])))
    return graph.concat(parts)


def _curves(graph: Graph, one: Any, x: str) -> str:
    """Inputs, their bends as pieces of cubic polynomials, and products of pairs."""
    parts = [x]
    for j, spline in one.bends_.items():
        breaks = np.unique(spline.t)
        inside = graph.clip(graph.column(x, [j]), float(breaks[0]), float(breaks[-1]))
        passed = graph.as_double(graph.op("GreaterOrEqual", inside, graph.constant(breaks[1:-1])))
        piece = graph.op("Cast", graph.total(passed) if len(breaks) > 2 else graph.scaled(inside, 0.0), to=7)
        begins = graph.op("Gather", graph.constant(breaks[:-1]), piece, axis=0)  # (n, 1)
        flat = graph.op("Reshape", piece, graph.constant([-1], np.int64))
        middles = (breaks[:-1] + breaks[1:]) / 2  # derivatives of a cubic, told from where it has no break
        back = breaks[:-1] - middles
        third = spline.derivative(3)(middles)
        second = spline.derivative(2)(middles) + third * back[:, np.newaxis]
        powers = [third / 6, second / 2, spline.derivative(1)(breaks[:-1]), spline(breaks[:-1])]
        off = graph.op("Sub", inside, begins)
        bent: str | None = None
        for table in powers:
            own = graph.op("Gather", graph.constant(table), flat, axis=0)  # (n, bends)
            bent = own if bent is None else graph.add(graph.op("Mul", bent, off), own)
        assert bent is not None
        parts.append(graph.scaled(bent, one.bend))
    if len(one.pairs_):
        centred = graph.op("Sub", x, graph.constant(one.center_))
        near = graph.clip(centred, -one.reach_, one.reach_)
        first, second = (graph.column(near, places.tolist()) for places in one.pairs_.T)
        parts.append(graph.scaled(graph.op("Mul", first, second), 0.5))
    return graph.concat(parts)
