"""Classes that were learned in closed form, as an ONNX model."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from skkuranet._utils.messages import plain
from skkuranet.coupling import MembershipNetwork

# That all runtimes of the last years know.
_OPSET, _FORMAT = 17, 8
#: Nonlinearities by the module that computes them: the operator, and its attributes.
_NODES: dict[type[nn.Module], tuple[str, dict[str, float]]] = {
    nn.LeakyReLU: ("LeakyRelu", {"alpha": 0.01}),
    nn.ReLU: ("Relu", {}),
    nn.Tanh: ("Tanh", {}),
}


def to_onnx(network: MembershipNetwork, classes: np.ndarray, dtype: Any) -> Any:
    """Return an ONNX model from rows to labels and probabilities.

    Raise ValueError if the network holds what has no operator here.
    """
    try:
        import onnx
        from onnx import helper, numpy_helper
    except ImportError as error:
        raise ImportError("to_onnx needs onnx: pip install onnx.") from error
    given = np.dtype(dtype)
    if given not in (np.float32, np.float64):
        raise ValueError(f"dtype must be float32 or float64, got {given}.")
    kind = type(network.activation)
    if network.encoding is not None or kind not in _NODES:
        what = "encoding" if network.encoding is not None else "activation"
        raise ValueError(
            f"to_onnx knows no operator for the {what} of this coupling network, "
            f"{plain(getattr(network, what))}."
        )
    number = {np.dtype(np.float32): onnx.TensorProto.FLOAT, np.dtype(np.float64): 11}[given]
    constants: list[Any] = []
    nodes: list[Any] = []

    def constant(name: str, values: Any) -> str:
        constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(operator: str, *inputs: str, output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def stored(tensor: Any) -> np.ndarray:
        found: np.ndarray = tensor.detach().cpu().numpy()
        return found

    # In double precision, as features may vary little around a large value.
    seen = node("Cast", "X", output="exact", to=onnx.TensorProto.DOUBLE)
    seen = node("Sub", seen, constant("shift", stored(network.shift)), output="centred")
    scale = constant("inverse_scale", stored(network.inverse_scale))
    seen = node("Mul", seen, scale, output="scaled")
    seen = node("Cast", seen, output="seen", to=onnx.TensorProto.FLOAT)
    operator, attributes = _NODES[kind]
    last = len(network.weights) - 1
    for i, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        # The members side by side, as a stack of matrices.
        product = node("MatMul", seen, constant(f"weight_{i}", stored(weight)), output=f"times_{i}")
        seen = node("Add", product, constant(f"bias_{i}", stored(bias)), output=f"plus_{i}")
        if i < last:
            seen = node(operator, seen, output=f"hidden_{i}", **attributes)
    mean = node("ReduceMean", seen, output="mean", axes=[0], keepdims=0)
    mean = node("Mul", mean, constant("scale", stored(network.scale)), output="sure")
    logits = node("Add", mean, constant("offset", stored(network.offset)), output="logits")
    node("Softmax", logits, output="probabilities", axis=-1)
    best = node("ArgMax", logits, output="code", axis=-1, keepdims=0)
    labels = classes.astype(str) if classes.dtype.kind in "OUS" else classes
    if labels.dtype.kind == "b":
        labels = labels.astype(np.int64)
    node("Gather", constant("classes", labels), best, output="label", axis=0)
    names = onnx.TensorProto.STRING
    of_labels = names if labels.dtype.kind == "U" else helper.np_dtype_to_tensor_dtype(labels.dtype)
    graph = helper.make_graph(
        nodes,
        "skkuranet",
        [helper.make_tensor_value_info("X", number, ["n", network.n_features])],
        [
            helper.make_tensor_value_info("label", of_labels, ["n"]),
            helper.make_tensor_value_info(
                "probabilities", onnx.TensorProto.FLOAT, ["n", network.n_classes]
            ),
        ],
        constants,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="skkuranet"
    )
    model.ir_version = _FORMAT
    onnx.checker.check_model(model)
    return model
