"""Transformers in ONNX with their tokenizer: text in, a vector or a label out.

A model is a folder in the layout of Hugging Face: `model.onnx`, `tokenizer.json`, `config.json`.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from slipway_server.errors import ModelError, RequestError
from slipway_server.onnx_model import OnnxModel
from slipway_server.tensors import BYTES, Array, TensorSpec

FILES = ("model.onnx", "tokenizer.json", "config.json")

TEXT = TensorSpec("text", BYTES, (-1,))

_DEFAULT_LENGTH = 512

_POSITIONS_AFTER_PADDING = frozenset(
    {
        "camembert",
        "data2vec-text",
        "ibert",
        "longformer",
        "luke",
        "mpnet",
        "roberta",
        "roberta-prelayernorm",
        "xlm-roberta",
        "xlm-roberta-xl",
        "xmod",
    }
)
"""`model_type`s that count positions from the one after `pad_token_id`, as RoBERTa does."""


class TextModel:
    """A text model: tokenizer, encoder and what is read off its output.

    What the encoder answers decides: `logits` become a label and the score of each; token vectors
    (three dimensions) become their mean; anything else is the vector itself.

    Args:
        folder: The model's folder.

    Raises:
        ModelError: A file is missing or damaged, or the encoder takes something else than tokens.
    """

    platform = "huggingface_onnx"
    inputs = (TEXT,)

    def __init__(self, folder: Path) -> None:
        for name in FILES:
            if not (folder / name).is_file():
                raise ModelError(f"{folder}: has no {name}")
        config = _read(folder / "config.json")
        self._tokenizer = _tokenizer(folder / "tokenizer.json", config)
        self._encoder = OnnxModel(folder / "model.onnx")
        self._names = [spec.name for spec in self._encoder.inputs]
        unknown = sorted(set(self._names) - _PARTS.keys())
        if unknown:
            raise ModelError(f"{folder}: the encoder takes '{unknown[0]}', which is no text's")
        self._output = self._encoder.outputs[0]
        self._labels = _labels(config) if self._output.name == "logits" else None
        self.outputs = _outputs(self._output, self._labels)
        self.predict({"text": np.array(["warm"], dtype=object)}, [])

    def predict(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> Sequence[Array]:
        """Run the model; see `Model.predict`."""
        texts = [_text(value) for value in inputs["text"]]
        if not texts:
            raise RequestError("input 'text' is empty, give at least one text")
        encodings = self._tokenizer.encode_batch(texts)
        feed = {
            name: np.array([getattr(one, _PARTS[name]) for one in encodings], dtype=np.int64)
            for name in self._names
        }
        (result,) = self._encoder.predict(feed, [self._output.name])
        answers = self._read(result, encodings)
        return [answers[name] for name in outputs]

    def _read(self, result: Array, encodings: Sequence[Any]) -> Mapping[str, Array]:
        if self._labels is not None:
            best = [self._labels[index] for index in result.argmax(axis=-1)]
            return {"label": np.array(best, dtype=object), "scores": _softmax(result)}
        if result.ndim == 3:
            mask = np.array([one.attention_mask for one in encodings], dtype=result.dtype)
            total = (result * mask[:, :, np.newaxis]).sum(axis=1)
            result = total / mask.sum(axis=1, keepdims=True)
        return {self._output.name: result}


# What an encoder takes, and what it is of a tokenizer's encoding.
_PARTS: Mapping[str, str] = {
    "input_ids": "ids",
    "attention_mask": "attention_mask",
    "token_type_ids": "type_ids",
}


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path}: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ModelError(f"{path}: not a JSON object")
    return found


def _tokenizer(path: Path, config: Mapping[str, Any]) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
        raise ModelError(f"{path}: not a tokenizer, or damaged: {error}") from None
    # The longest text of a batch is what the others are filled up to, and not more.
    padding = tokenizer.padding or {}
    tokenizer.enable_padding(
        pad_id=padding.get("pad_id", config.get("pad_token_id") or 0),
        pad_token=padding.get("pad_token", "[PAD]"),
    )
    if tokenizer.truncation is None:
        tokenizer.enable_truncation(_length(config))
    return tokenizer


def _length(config: Mapping[str, Any]) -> int:
    """Return how many tokens the model takes."""
    positions = int(config.get("max_position_embeddings", _DEFAULT_LENGTH))
    if config.get("model_type") not in _POSITIONS_AFTER_PADDING:
        return positions
    return positions - (config.get("pad_token_id") or 0) - 1


def _labels(config: Mapping[str, Any]) -> Sequence[str] | None:
    """Return the labels of a classifier, by index."""
    names = config.get("id2label") or {}
    return [str(names[key]) for key in sorted(names, key=int)] or None


def _outputs(output: TensorSpec, labels: Sequence[str] | None) -> tuple[TensorSpec, ...]:
    if labels is not None:
        return TensorSpec("label", BYTES, (-1,)), TensorSpec("scores", "FP32", (-1, len(labels)))
    return (TensorSpec(output.name, output.datatype, (-1, output.shape[-1])),)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise RequestError("input 'text' is not UTF-8") from None
    return str(value)


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    found: Array = powers / powers.sum(axis=-1, keepdims=True)
    return found
