"""Trees of every library as the `TreeEnsemble` of ONNX, with thresholds and sums in float64.

Each library says in its own way which branch a value takes: `of_lightgbm`, `of_xgboost`, `of_histograms`, `of_forest`
and `of_catboost` read the fitted trees, `ensemble` and `oblivious` write them.

Law: a value takes the branch that it takes in the library, missing ones and categories among them.

Letters:  n rows · p inputs · t trees · k inner nodes of a tree · m its leaves.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autometa.export.graph import Graph

LEQ, LT, MEMBER = 0, 1, 6  # the modes of a `TreeEnsemble`'s nodes that are used here


@dataclass(slots=True)
class Tree:
    """One tree; a branch that is negative leads to the leaf ``~branch``."""

    leaves: list[float]  # (m,)
    target: int = 0
    features: list[int] = field(default_factory=list)  # (k,)
    modes: list[int] = field(default_factory=list)
    splits: list[float] = field(default_factory=list)
    yes: list[int] = field(default_factory=list)
    no: list[int] = field(default_factory=list)
    missing_yes: list[bool] = field(default_factory=list)
    members: list[tuple[float, ...]] = field(default_factory=list)  # that say yes, of a node of categories

    def add(
        self, feature: int, mode: int, split: float, yes: int, no: int, missing_yes: bool, members: Sequence[float] = ()
    ) -> None:
        """One more inner node; the first is the root."""
        self.features.append(feature)
        self.modes.append(mode)
        self.splits.append(split)
        self.yes.append(yes)
        self.no.append(no)
        self.missing_yes.append(missing_yes)
        self.members.append(tuple(members))


def ensemble(graph: Graph, x: str, trees: Sequence[Tree], targets: int) -> str:
    """The sums over trees of the leaves that rows of x (n, p) come to, (n, targets)."""
    from onnx import numpy_helper

    nodes: dict[str, list[Any]] = {name: [] for name in ("features", "modes", "splits", "missing_yes")}
    yes: list[int] = []
    no: list[int] = []
    yes_leaf: list[int] = []
    no_leaf: list[int] = []
    roots: list[int] = []
    weights: list[float] = []
    leaf_targets: list[int] = []
    members: list[float] = []
    for tree in trees:
        if not tree.features:  # a leaf alone: ONNX wants a node above it
            tree.add(0, LEQ, 0.0, ~0, ~0, False)
        first, first_leaf = len(yes), len(weights)
        roots.append(first)
        for name, values in nodes.items():
            values += getattr(tree, name)
        for branches, ids, leaf in ((tree.yes, yes, yes_leaf), (tree.no, no, no_leaf)):
            ids += [first_leaf + ~b if b < 0 else first + b for b in branches]
            leaf += [int(b < 0) for b in branches]
        for mode, some in zip(tree.modes, tree.members, strict=True):
            if mode == MEMBER:
                members += [*some, np.nan]
        weights += tree.leaves
        leaf_targets += [tree.target] * len(tree.leaves)

    def tensor(values: list[Any], dtype: Any) -> Any:
        return numpy_helper.from_array(np.asarray(values, dtype=dtype), "")

    return graph.op(
        "TreeEnsemble",
        x,
        domain="ai.onnx.ml",
        n_targets=targets,
        aggregate_function=1,  # the sum
        post_transform=0,
        tree_roots=roots,
        nodes_featureids=nodes["features"],
        nodes_modes=tensor(nodes["modes"], np.uint8),
        nodes_splits=tensor(nodes["splits"], np.float64),
        nodes_missing_value_tracks_true=[int(one) for one in nodes["missing_yes"]],
        nodes_truenodeids=yes,
        nodes_trueleafs=yes_leaf,
        nodes_falsenodeids=no,
        nodes_falseleafs=no_leaf,
        leaf_targetids=leaf_targets,
        leaf_weights=tensor(weights, np.float64),
        **({"membership_values": tensor(members, np.float64)} if members else {}),
    )


def of_lightgbm(booster: Any, rounds: int) -> tuple[list[Tree], int]:
    """The trees of a LightGBM booster's first rounds, and how many of them a round has."""
    described = booster.dump_model(num_iteration=rounds)
    each = int(described["num_tree_per_iteration"])
    return [_lightgbm_tree(one["tree_structure"], k % each) for k, one in enumerate(described["tree_info"])], each


def _lightgbm_tree(root: dict[str, Any], target: int) -> Tree:
    tree, waiting, place = Tree([], target), [root], {}
    while waiting:  # inner nodes and leaves are numbered in the order in which they are met
        node = waiting.pop()
        if "leaf_value" in node:
            place[id(node)] = ~len(tree.leaves)
            tree.leaves.append(float(node["leaf_value"]))
            continue
        place[id(node)] = len(tree.features)
        members: tuple[float, ...] = ()
        if node["decision_type"] == "==":
            mode, split, missing = MEMBER, 0.0, False
            members = tuple(map(float, str(node["threshold"]).split("||")))
        else:
            mode, split = LEQ, float(node["threshold"])
            missing = bool(node["default_left"]) if node["missing_type"] == "NaN" else split >= 0.0  # NaN counts as 0
        tree.add(int(node["split_feature"]), mode, split, 0, 0, missing, members)
        waiting += [node["left_child"], node["right_child"]]
    _join(tree, root, place, "left_child", "right_child")
    return tree


def _join(tree: Tree, root: dict[str, Any], place: dict[int, int], yes: str, no: str) -> None:
    """Fills in where the branches lead."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        own = place[id(node)]
        if own >= 0:
            tree.yes[own], tree.no[own] = place[id(node[yes])], place[id(node[no])]
            waiting += [node[yes], node[no]]


def of_xgboost(booster: Any, rounds: int | None) -> tuple[list[Tree], list[float], int]:
    """The trees of an XGBoost booster's first rounds, the base scores before its link, and the number of targets.

    Its inputs and thresholds are float32: x < t.
    """
    described = json.loads(bytes(booster.save_raw("json")))["learner"]
    classes = max(int(described["learner_model_param"]["num_class"]), 1)
    base = described["learner_model_param"]["base_score"].strip("[]").split(",")
    model = described["gradient_booster"]["model"]
    trees = []
    for k, one in enumerate(model["trees"]):
        if rounds is not None and k >= rounds * classes:
            break
        trees.append(_xgboost_tree(one, int(model["tree_info"][k])))
    return trees, [float(value) for value in base], classes


def _xgboost_tree(one: dict[str, Any], target: int) -> Tree:
    left, right = one["left_children"], one["right_children"]
    inner = [i for i, child in enumerate(left) if child >= 0]
    leaves = [i for i, child in enumerate(left) if child < 0]
    place = {i: k for k, i in enumerate(inner)} | {i: ~k for k, i in enumerate(leaves)}
    sets = {
        node: one["categories"][start : start + size]
        for node, start, size in zip(
            one["categories_nodes"], one["categories_segments"], one["categories_sizes"], strict=True
        )
    }
    tree = Tree([float(np.float32(one["split_conditions"][i])) for i in leaves], target)
    for i in inner:
        missing_left = bool(one["default_left"][i])
        split, feature = float(np.float32(one["split_conditions"][i])), int(one["split_indices"][i])
        if i in sets:  # the categories of the set go to the right
            yes, no, missing = place[right[i]], place[left[i]], not missing_left
            tree.add(feature, MEMBER, 0.0, yes, no, missing, tuple(map(float, sets[i])))
        else:
            tree.add(feature, LT, split, place[left[i]], place[right[i]], missing_left)
    return tree


def of_histograms(model: Any) -> tuple[list[Tree], NDArray[np.float64]]:
    """The trees of scikit-learn's histogram boosting, and what it begins with, (targets,)."""
    trees = []
    encoders = getattr(model, "_preprocessor", None)
    categorical = np.flatnonzero(model.is_categorical_) if model.is_categorical_ is not None else np.empty(0, int)
    order = [*categorical.tolist(), *(j for j in range(model.n_features_in_) if j not in set(categorical.tolist()))]
    names = {} if encoders is None else dict(enumerate(encoders.named_transformers_["encoder"].categories_))
    for stage in model._predictors:
        trees += [_histogram_tree(one, target, order, names) for target, one in enumerate(stage)]
    return trees, np.ravel(model._baseline_prediction)


def _histogram_tree(predictor: Any, target: int, order: list[int], names: dict[int, NDArray[Any]]) -> Tree:
    nodes, sets = predictor.nodes, predictor.raw_left_cat_bitsets
    inner = np.flatnonzero(nodes["is_leaf"] == 0).tolist()
    leaves = np.flatnonzero(nodes["is_leaf"]).tolist()
    place = {i: k for k, i in enumerate(inner)} | {i: ~k for k, i in enumerate(leaves)}
    tree = Tree([float(nodes["value"][i]) for i in leaves], target)
    for i in inner:
        node = nodes[i]
        feature, missing = int(node["feature_idx"]), bool(node["missing_go_to_left"])
        mode = LEQ
        members: tuple[float, ...] = ()
        if node["is_categorical"]:
            words = sets[node["bitset_idx"]]
            codes = [c for c in range(256) if words[c // 32] >> (c % 32) & 1]
            known = names.get(feature)
            values = codes if known is None else [known[c] for c in codes if c < len(known)]
            mode, members = MEMBER, tuple(float(v) for v in values if not np.isnan(v))
        tree.add(
            order[feature], mode, float(node["num_threshold"]), place[int(node["left"])], place[int(node["right"])],
            missing, members,
        )  # fmt: skip
    return tree


def of_forest(estimator: Any, leaves: NDArray[np.float64], target: int = 0) -> Tree:
    """A tree of a forest of scikit-learn's, its leaves with numbers (nodes,) of one's own; inputs are float32."""
    nodes = estimator.tree_.__getstate__()["nodes"]
    inner = np.flatnonzero(nodes["left_child"] >= 0).tolist()
    ends = np.flatnonzero(nodes["left_child"] < 0).tolist()
    place = {i: k for k, i in enumerate(inner)} | {i: ~k for k, i in enumerate(ends)}
    tree = Tree([float(leaves[i]) for i in ends], target)
    for i in inner:
        node = nodes[i]
        yes, no = place[int(node["left_child"])], place[int(node["right_child"])]
        tree.add(int(node["feature"]), LEQ, float(node["threshold"]), yes, no, bool(node["missing_go_to_left"]))
    return tree


@dataclass(frozen=True, slots=True, eq=False)
class ObliviousTrees:
    """Trees whose levels ask one question each, all of one depth d: what is true of x > border is a bit of the leaf."""

    features: NDArray[np.intp]  # (t, d)
    borders: NDArray[np.float64]  # (t, d)
    missing: NDArray[np.bool_]  # (t, d) whether a missing value says yes
    leaves: NDArray[np.float64]  # (t, 2^d, targets)
    start: NDArray[np.float64]  # (targets,)


def of_catboost(model: Any) -> ObliviousTrees:
    """The trees of a CatBoost model without categories; its inputs and borders are float32."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        described = json.loads(path.read_text(encoding="utf-8"))
    info = {one["feature_index"]: one for one in described["features_info"]["float_features"]}
    scale, bias = described["scale_and_bias"]
    trees, targets = described["oblivious_trees"], len(bias)
    depth = max((len(tree["splits"]) for tree in trees), default=0)
    shape = (len(trees), depth)
    features, missing = np.zeros(shape, dtype=np.intp), np.zeros(shape, dtype=bool)
    borders, leaves = np.full(shape, np.inf), np.zeros((len(trees), 2**depth, targets))
    for i, tree in enumerate(trees):
        for k, split in enumerate(tree["splits"]):
            own = info[split["float_feature_index"]]
            features[i, k], borders[i, k] = own["flat_feature_index"], np.float32(split["border"])
            missing[i, k] = own["nan_value_treatment"] == "AsTrue"
        leaves[i, : 2 ** len(tree["splits"])] = scale * np.reshape(tree["leaf_values"], (-1, targets))
    return ObliviousTrees(features, borders, missing, leaves, np.asarray(bias, dtype=np.float64))


def oblivious(graph: Graph, x: str, trees: ObliviousTrees) -> str:
    """The sums over trees of the leaves that rows of x (n, p) come to, (n, targets)."""
    t, depth = trees.features.shape
    asked = graph.column(x, trees.features.ravel().tolist())
    yes = graph.op("Greater", asked, graph.constant(trees.borders.ravel()))
    unknown = graph.op("And", graph.op("IsNaN", asked), graph.constant(trees.missing.ravel(), np.bool_))
    bits = graph.as_double(graph.op("Or", yes, unknown))
    bits = graph.op("Reshape", bits, graph.constant([-1, t, depth], np.int64))
    place = graph.op("MatMul", bits, graph.constant(2.0 ** np.arange(depth)))  # (n, t)
    place = graph.shifted(place, np.arange(t) * 2.0**depth)
    table = trees.leaves.reshape(t * 2**depth, -1)
    found = graph.op("Gather", graph.constant(table), graph.op("Cast", place, to=7), axis=0)  # (n, t, targets)
    return graph.shifted(graph.op("ReduceSum", found, graph.constant([1], np.int64), keepdims=0), trees.start)
