"""A graph of ONNX that is written operation by operation, all numbers float64.

Two libraries convert scikit-learn's and boosting models (skl2onnx, onnxmltools). They compute in float32, where a value
beside the threshold of a tree goes to the other side, and know none of AutoMeta's steps; so the graph is written here.

Letters:  n rows · p columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

OPSET, ML_OPSET, IR = 18, 5, 9  # the first of ai.onnx.ml with trees in float64; runtimes since 2024 read all three


class Graph:
    """Nodes, constants, inputs and outputs of a graph; values are named by strings.

    Example:
        >>> import onnx  # doctest: +SKIP
        >>> graph = Graph()  # doctest: +SKIP
        >>> x = graph.input("x", "double")  # doctest: +SKIP
        >>> graph.output("y", graph.op("Add", x, graph.constant([1.0])), "double", 1)  # doctest: +SKIP
        >>> len(graph.model("example", {}).graph.node)  # doctest: +SKIP
        2
    """

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: dict[tuple[Any, ...], str] = {}
        self._initializers: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._made: dict[tuple[Any, ...], str] = {}

    def input(self, name: str, holds: str) -> str:
        """A column (n, 1) of the table: ``double`` or ``string``."""
        from onnx import helper

        self._inputs.append(helper.make_tensor_value_info(name, _element(holds), ["rows", 1]))
        return name

    def output(self, name: str, value: str, holds: str, width: int = 0) -> None:
        """What the graph answers: (n,), or (n, width)."""
        from onnx import helper

        self._nodes.append(helper.make_node("Identity", [value], [name]))
        shape = ["rows", width] if width else ["rows"]
        self._outputs.append(helper.make_tensor_value_info(name, _element(holds), shape))

    def constant(self, values: Any, dtype: Any = np.float64) -> str:
        """A constant; the same one is kept once."""
        from onnx import numpy_helper

        array = np.asarray(values, dtype=dtype)
        key = (
            array.dtype.str,
            array.shape,
            tuple(array.ravel().tolist()) if array.dtype == object else array.tobytes(),
        )
        if key not in self._constants:
            name = self._constants[key] = f"c{len(self._constants)}"
            self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return self._constants[key]

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """One operation's value; the same one of the same values is computed once."""
        from onnx import helper

        key = (kind, inputs, domain, tuple((name, _hashable(value)) for name, value in sorted(attributes.items())))
        if key not in self._made:
            name = self._made[key] = f"v{len(self._made)}"
            self._nodes.append(helper.make_node(kind, list(inputs), [name], domain=domain, **attributes))
        return self._made[key]

    def model(self, name: str, properties: dict[str, str]) -> Any:
        """The whole graph, checked, as an ``onnx.ModelProto``."""
        import onnx
        from onnx import helper

        needed = {output.name for output in self._outputs}
        nodes: list[Any] = []
        for node in reversed(self._nodes):  # a part of a date that no column is made of is left out
            if needed.intersection(node.output):
                nodes.append(node)
                needed.update(node.input)
        kept = [constant for constant in self._initializers if constant.name in needed]
        graph = helper.make_graph(nodes[::-1], name, self._inputs, self._outputs, kept)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="autometa")
        helper.set_model_props(model, properties)
        onnx.checker.check_model(model)
        return model

    # ------------------------------------------------------------------------------------------- of several operations

    def where(self, condition: str, yes: str, no: str) -> str:
        """Of two values, by a condition."""
        return self.op("Where", condition, yes, no)

    def clip(self, value: str, low: Any, high: Any) -> str:
        """Within bounds; what is not a number stays so, which ONNX leaves open for its own Clip."""
        least, most = self.constant(low), self.constant(high)
        value = self.where(self.op("Less", value, least), least, value)
        return self.where(self.op("Greater", value, most), most, value)

    def column(self, value: str, places: list[int]) -> str:
        """Some columns of a matrix."""
        return self.op("Gather", value, self.constant(places, np.int64), axis=1)

    def concat(self, values: list[str]) -> str:
        """Matrices side by side."""
        return values[0] if len(values) == 1 else self.op("Concat", *values, axis=1)

    def lookup(self, table: NDArray[np.float64], code: str) -> str:
        """Numbers (k,) by codes (n, 1) from -1 on, which is the last."""
        return self.op("Gather", self.constant(table), self.op("Cast", code, to=_element("int64")), axis=0)

    def total(self, value: str) -> str:
        """Sums of rows, (n, 1)."""
        return self.op("ReduceSum", value, self.constant([1], np.int64), keepdims=1)

    def product(self, value: str, matrix: Any) -> str:
        """A matrix times a constant one."""
        return self.op("MatMul", value, self.constant(matrix))

    def add(self, *values: str) -> str:
        """The sum of several values."""
        first, *others = values
        for other in others:
            first = self.op("Add", first, other)
        return first

    def scaled(self, value: str, factor: Any) -> str:
        """Times a constant."""
        return self.op("Mul", value, self.constant(factor))

    def shifted(self, value: str, by: Any) -> str:
        """Plus a constant."""
        return self.op("Add", value, self.constant(by))

    def as_double(self, value: str) -> str:
        """Truth values, or numbers of another size, as float64."""
        return self.op("Cast", value, to=_element("double"))

    def polynomial(self, x: str, coefficients: tuple[float, ...]) -> str:
        """By Horner's rule, the highest power first."""
        out = self.constant(coefficients[0])
        for one in coefficients[1:]:
            out = self.shifted(self.op("Mul", out, x), one)
        return out


def _element(holds: str) -> int:
    from onnx import TensorProto

    return {
        "double": TensorProto.DOUBLE,
        "float": TensorProto.FLOAT,
        "string": TensorProto.STRING,
        "int64": TensorProto.INT64,
        "bool": TensorProto.BOOL,
    }[holds]


def _hashable(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(value)
    return value if isinstance(value, (int, float, str, bytes)) else id(value)
