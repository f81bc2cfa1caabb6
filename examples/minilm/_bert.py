"""The graph of a BERT encoder in ONNX, built from weights in safetensors: without torch.

The parts and their names are those of `BertModel` in Hugging Face's transformers; the sentence's
vector is the mean over its tokens, scaled to length 1, as `sentence-transformers` makes it.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
"""ONNX operator set: the first that has the activation `Gelu`."""

# onnx writes the newest by itself, which a runtime may not read yet.
_IR_VERSION = 10

Weights = Mapping[str, "np.ndarray[Any, np.dtype[np.float32]]"]


@dataclass(frozen=True)
class Shape:
    """What `config.json` says of the encoder."""

    layers: int
    heads: int
    hidden: int
    epsilon: float

    @classmethod
    def read(cls, path: Path) -> "Shape":
        """Return what a `config.json` says."""
        config = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            config["num_hidden_layers"],
            config["num_attention_heads"],
            config["hidden_size"],
            config["layer_norm_eps"],
        )


def read_weights(path: Path) -> Weights:
    """Return the FP32 tensors of a safetensors file: a JSON header, then the bytes it points to."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    return {
        name: np.frombuffer(
            content,
            np.float32,
            int(np.prod(entry["shape"])),
            offset=8 + length + entry["data_offsets"][0],
        ).reshape(entry["shape"])
        for name, entry in header.items()
        if entry.get("dtype") == "F32"
    }


class Encoder:
    """Adds nodes and weights, and names what they make.

    Args:
        weights: The weights, by the names that transformers has for them.
        shape: The encoder's shape.
    """

    def __init__(self, weights: Weights, shape: Shape) -> None:
        self._weights = weights
        self._shape = shape
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}

    def model(self) -> onnx.ModelProto:
        """Return the model: token ids and their mask in, one vector a row out."""
        mask = self._node("Cast", ["attention_mask"], to=TensorProto.FLOAT)
        hidden = self._embed()
        bias = self._masked(mask)
        for layer in range(self._shape.layers):
            hidden = self._layer(f"encoder.layer.{layer}", hidden, bias)
        self._pool(hidden, mask)
        tokens = ["batch", "tokens"]
        graph = helper.make_graph(
            self._nodes,
            "bert",
            [
                helper.make_tensor_value_info(name, TensorProto.INT64, tokens)
                for name in ("input_ids", "attention_mask")
            ],
            [
                helper.make_tensor_value_info(
                    "embedding", TensorProto.FLOAT, ["batch", self._shape.hidden]
                )
            ],
            list(self._initializers.values()),
        )
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION
        )

    def _embed(self) -> str:
        words = self._node(
            "Gather", [self._weight("embeddings.word_embeddings.weight"), "input_ids"]
        )
        length = self._node("Shape", ["input_ids"], start=1, end=2)
        positions = self._node(
            "Slice",
            [
                self._weight("embeddings.position_embeddings.weight"),
                self._integers([0]),
                length,
                self._integers([0]),
            ],
        )
        # Every token is of the first segment.
        segment = self._constant(
            "segment", self._weights["embeddings.token_type_embeddings.weight"][0]
        )
        total = self._node("Add", [self._node("Add", [words, positions]), segment])
        return self._normalised("embeddings.LayerNorm", total)

    def _masked(self, mask: str) -> str:
        """Return what is added to the scores: nothing for a token, very little for padding."""
        padding = self._node("Sub", [self._constant("one", np.float32(1)), mask])
        bias = self._node("Mul", [padding, self._constant("least", np.finfo(np.float32).min)])
        return self._node("Unsqueeze", [bias, self._integers([1, 2])])

    def _layer(self, name: str, hidden: str, bias: str) -> str:
        query, key, value = (
            self._heads(self._dense(f"{name}.attention.self.{part}", hidden), order)
            for part, order in (
                ("query", (0, 2, 1, 3)),
                ("key", (0, 2, 3, 1)),
                ("value", (0, 2, 1, 3)),
            )
        )
        width = self._shape.hidden // self._shape.heads
        scale = self._constant("scale", np.float32(width**-0.5))
        scores = self._node("Mul", [self._node("MatMul", [query, key]), scale])
        weights = self._node("Softmax", [self._node("Add", [scores, bias])], axis=-1)
        mixed = self._node("Transpose", [self._node("MatMul", [weights, value])], perm=(0, 2, 1, 3))
        joined = self._node("Reshape", [mixed, self._integers([0, 0, self._shape.hidden])])
        attended = self._added(f"{name}.attention.output", joined, hidden)
        wide = self._node("Gelu", [self._dense(f"{name}.intermediate.dense", attended)])
        return self._added(f"{name}.output", wide, attended)

    def _pool(self, hidden: str, mask: str) -> None:
        weights = self._node("Unsqueeze", [mask, self._integers([2])])
        tokens = self._integers([1])
        total = self._node("ReduceSum", [self._node("Mul", [hidden, weights]), tokens], keepdims=0)
        # Its length divides out again, so the sum does for the mean.
        length = self._node("ReduceL2", [total, tokens], keepdims=1)
        self._nodes.append(helper.make_node("Div", [total, length], ["embedding"]))

    def _added(self, name: str, value: str, before: str) -> str:
        total = self._node("Add", [self._dense(f"{name}.dense", value), before])
        return self._normalised(f"{name}.LayerNorm", total)

    def _dense(self, name: str, value: str) -> str:
        weight = self._constant(f"{name}.weight", self._weights[f"{name}.weight"].T)
        product = self._node("MatMul", [value, weight])
        return self._node("Add", [product, self._weight(f"{name}.bias")])

    def _heads(self, value: str, order: Sequence[int]) -> str:
        width = self._shape.hidden // self._shape.heads
        shape = self._integers([0, 0, self._shape.heads, width])
        return self._node("Transpose", [self._node("Reshape", [value, shape])], perm=order)

    def _normalised(self, name: str, value: str) -> str:
        return self._node(
            "LayerNormalization",
            [value, self._weight(f"{name}.weight"), self._weight(f"{name}.bias")],
            axis=-1,
            epsilon=self._shape.epsilon,
        )

    def _node(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        output = f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def _weight(self, name: str) -> str:
        return self._constant(name, self._weights[name])

    def _integers(self, values: Sequence[int]) -> str:
        return self._constant(f"integers_{'_'.join(map(str, values))}", np.array(values, np.int64))

    def _constant(self, name: str, value: Any) -> str:
        if name not in self._initializers:
            array = np.ascontiguousarray(value)
            if np.ndim(value) == 0:
                array = array.reshape(())
            self._initializers[name] = numpy_helper.from_array(array, name)
        return name
