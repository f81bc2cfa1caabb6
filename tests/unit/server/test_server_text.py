"""Requirements on text models: an encoder with its tokenizer, as Hugging Face lays them out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from examples.minilm._bert import Encoder, Shape
from slipway_server import models
from slipway_server.errors import ModelError, RequestError
from slipway_server.text_model import TextModel

WORDS = ("[PAD]", "good", "bad", "very", "film")
HIDDEN = 8


def folder(path: Path, model: onnx.ModelProto, **config: Any) -> Path:
    """Write a model's folder and return it."""
    path.mkdir()
    (path / "model.onnx").write_bytes(model.SerializeToString())
    vocabulary = {word: index for index, word in enumerate(WORDS)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[PAD]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(path / "tokenizer.json"))
    (path / "config.json").write_text(
        json.dumps({"pad_token_id": 0, "max_position_embeddings": 4, **config})
    )
    return path


def encoder() -> onnx.ModelProto:
    """A BERT of one layer with random weights."""
    random = np.random.default_rng(20)

    def weights(*shape: int) -> Any:
        return random.standard_normal(shape).astype(np.float32)

    names: dict[str, Any] = {
        "embeddings.word_embeddings.weight": weights(len(WORDS), HIDDEN),
        "embeddings.position_embeddings.weight": weights(4, HIDDEN),
        "embeddings.token_type_embeddings.weight": weights(2, HIDDEN),
    }
    layer = "encoder.layer.0"
    for part in ("query", "key", "value"):
        names[f"{layer}.attention.self.{part}.weight"] = weights(HIDDEN, HIDDEN)
        names[f"{layer}.attention.self.{part}.bias"] = weights(HIDDEN)
    for dense, (out, into) in {
        f"{layer}.attention.output.dense": (HIDDEN, HIDDEN),
        f"{layer}.intermediate.dense": (16, HIDDEN),
        f"{layer}.output.dense": (HIDDEN, 16),
    }.items():
        names[f"{dense}.weight"], names[f"{dense}.bias"] = weights(out, into), weights(out)
    for norm in ("embeddings", f"{layer}.attention.output", f"{layer}.output"):
        names[f"{norm}.LayerNorm.weight"] = weights(HIDDEN)
        names[f"{norm}.LayerNorm.bias"] = weights(HIDDEN)
    return Encoder(names, Shape(1, 2, HIDDEN, 1e-12)).model()


def tokens(output: str, *operators: onnx.NodeProto, shape: list[Any]) -> onnx.ModelProto:
    """A model of token ids alone."""
    graph = helper.make_graph(
        list(operators),
        "tokens",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", "t"])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def token_vectors() -> onnx.ModelProto:
    return tokens(
        "last_hidden_state",
        helper.make_node("Cast", ["input_ids"], ["as_float"], to=TensorProto.FLOAT),
        helper.make_node("Constant", [], ["last"], value_ints=[2]),
        helper.make_node("Unsqueeze", ["as_float", "last"], ["last_hidden_state"]),
        shape=["n", "t", 1],
    )


def classifier() -> onnx.ModelProto:
    """Logits that are the counts of `good` and of `bad`."""
    depth = helper.make_tensor("depth", TensorProto.INT64, [], [len(WORDS)])
    values = helper.make_tensor("values", TensorProto.FLOAT, [2], [0.0, 1.0])
    return tokens(
        "logits",
        helper.make_node("Constant", [], ["depth"], value=depth),
        helper.make_node("Constant", [], ["values"], value=values),
        helper.make_node("OneHot", ["input_ids", "depth", "values"], ["words"]),
        helper.make_node("Constant", [], ["tokens"], value_ints=[1]),
        helper.make_node("ReduceSum", ["words", "tokens"], ["counts"], keepdims=0),
        helper.make_node("Constant", [], ["one"], value_ints=[1]),
        helper.make_node("Constant", [], ["three"], value_ints=[3]),
        helper.make_node("Slice", ["counts", "one", "three", "one"], ["logits"]),
        shape=["n", 2],
    )


def asked(model: TextModel, *texts: Any) -> list[Any]:
    given = {"text": np.array(texts, dtype=object)}
    return list(model.predict(given, [spec.name for spec in model.outputs]))


def test_a_sentence_has_one_vector_whatever_comes_beside_it(tmp_path: Path) -> None:
    model = TextModel(folder(tmp_path / "m", encoder()))
    (alone,) = asked(model, "good film")
    (beside,) = asked(model, "good film", "very very bad film")
    assert beside.shape == (2, HIDDEN)
    assert np.allclose(alone[0], beside[0], atol=1e-6)
    assert np.allclose(np.linalg.norm(beside, axis=1), 1)
    assert model.outputs[0].metadata()["shape"] == [-1, HIDDEN]


def test_vectors_of_tokens_become_their_mean_without_the_padding(tmp_path: Path) -> None:
    model = TextModel(folder(tmp_path / "m", token_vectors()))
    (vectors,) = asked(model, "good bad", "good good very film")
    assert vectors.tolist() == [[1.5], [2.25]]


def test_a_classifier_answers_with_a_label_and_the_score_of_each(tmp_path: Path) -> None:
    names = {"0": "positive", "1": "negative"}
    model = TextModel(folder(tmp_path / "m", classifier(), id2label=names))
    labels, scores = asked(model, "good film", b"very bad film")
    assert labels.tolist() == ["positive", "negative"]
    assert np.allclose(scores.sum(axis=1), 1)
    assert [spec.metadata()["datatype"] for spec in model.outputs] == ["BYTES", "FP32"]


def test_a_text_that_is_too_long_is_cut(tmp_path: Path) -> None:
    model = TextModel(folder(tmp_path / "m", encoder()))
    (cut, whole) = asked(model, "good bad very film bad bad bad", "good bad very film")[0]
    assert np.allclose(cut, whole)


@pytest.mark.parametrize(
    ("more", "mean"),
    [
        ({}, 2.5),
        ({"model_type": "roberta"}, 2.0),
        ({"model_type": "roberta", "pad_token_id": 1}, 1.5),
    ],
)
def test_positions_that_a_model_counts_from_its_padding_hold_no_text(
    tmp_path: Path, more: dict[str, Any], mean: float
) -> None:
    model = TextModel(folder(tmp_path / "m", token_vectors(), **more))
    assert asked(model, "good bad very film")[0].tolist() == [[mean]]


@pytest.mark.parametrize(("texts", "words"), [((), "is empty"), ((b"\xff",), "is not UTF-8")])
def test_a_wrong_request_is_refused(tmp_path: Path, texts: tuple[Any, ...], words: str) -> None:
    model = TextModel(folder(tmp_path / "m", encoder()))
    with pytest.raises(RequestError, match=words):
        asked(model, *texts)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: (path / "tokenizer.json").unlink(), "has no tokenizer.json"),
        (lambda path: (path / "tokenizer.json").write_text("{}"), "not a tokenizer, or damaged"),
        (lambda path: (path / "config.json").write_text("{"), "not JSON"),
        (lambda path: (path / "config.json").write_text("[]"), "not a JSON object"),
        (lambda path: (path / "model.onnx").write_bytes(b"no"), "not an ONNX model, or damaged"),
    ],
)
def test_a_folder_that_is_no_text_model_is_refused_in_one_line(
    tmp_path: Path, spoil: Callable[[Path], object], words: str
) -> None:
    path = folder(tmp_path / "m", encoder())
    spoil(path)
    with pytest.raises(ModelError, match=words) as caught:
        models.load(path, "huggingface")
    assert "\n" not in str(caught.value)
