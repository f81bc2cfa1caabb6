"""The runtimes beside our own server, each with a real model on real pods, by its usual clients."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import openai
import pytest

from apps.serving.check import CA_FILE
from apps.serving.client import Client
from apps.serving.holdout import Holdout
from infra.naming import MODEL_HEADER
from tests.cluster import peers
from tests.cluster.checkout import Checkout
from tests.running import Run
from toolchain import images

pytestmark = pytest.mark.cluster

KSERVE_CLIENT: Final = Path(__file__).with_name("kserve_client.py")
KSERVE_LOCK: Final = Path(__file__).parents[2] / "examples/kserve_predictor/requirements.lock"

TEAM: Final = "text"
SMALL: Final = {"team": TEAM, "resources": {"cpu": "100m"}}


def models() -> dict[str, Any]:
    """One model for each runtime that runs on CPUs."""
    return {
        "chat": {**SMALL, "format": "llm", "uri": "file:examples/smollm2/build/smollm2.gguf"},
        "minilm": {**SMALL, "format": "huggingface", "uri": "file:examples/minilm/build/minilm"},
        # A predictor of KServe's SDK, whose image is made of the example's files.
        "sure": {
            **SMALL,
            "format": "kserve",
            "uri": "file:examples/digits/build/digits.onnx",
            "container": {"recipe": "kserve-predictor"},
        },
        # Our own image in the role of one that we do not know: the node has it already.
        "own": {
            **SMALL,
            "format": "custom",
            "uri": "file:examples/digits/build/digits.onnx",
            "container": {
                "image": images.reference("model-server"),
                "command": ["python3", "-m", "slipway_server"],
                "args": [
                    "--format=onnx",
                    "--model-name=$(MODEL_NAME)",
                    "--model-version=$(MODEL_VERSION)",
                    "--model-path=$(MODEL_PATH)",
                    "--port=9000",
                ],
                "port": 9000,
                "protocol": "open-inference-v2",
            },
        },
    }


@pytest.fixture(name="outputs", scope="module")
def _outputs(checkout: Checkout, served: Run) -> Iterator[dict[str, Any]]:
    """The output `models` of a stack with all of them; they are gone afterwards."""
    with checkout.changed({"teams": {TEAM: {}}, "models": models()}):
        checkout.slipway("up")
        yield checkout.outputs()["models"]
    checkout.pulumi("up", "--yes", "--skip-preview")


def test_a_custom_image_serves_the_model_that_it_is_given(
    checkout: Checkout, outputs: dict[str, Any]
) -> None:
    own = outputs["own"]
    with Client(own["url"], checkout.gateway()) as client:
        assert client.not_ready(own["version"]) is None


@pytest.mark.parametrize(("team", "model"), [("vision", "digits"), (TEAM, "sure")])
def test_the_clients_of_kserve_s_sdk_work_with_our_server_and_with_a_predictor_of_its_own(
    checkout: Checkout, outputs: dict[str, Any], team: str, model: str
) -> None:
    holdout = Holdout.read(checkout.folder / "examples/digits/build/holdout.json")
    asked = {
        "url": f"{checkout.endpoint}/{team}/{model}",
        "target": checkout.endpoint.removeprefix("https://"),
        "ca": str(checkout.folder / CA_FILE),
        "headers": {MODEL_HEADER: f"{team}/{model}"},
        "model": model,
        "rows": holdout.rows[:8],
    }
    done = subprocess.run(
        [sys.executable, KSERVE_CLIENT, json.dumps(asked)],
        env={**os.environ, "PYTHONPATH": str(peers.libraries("kserve", KSERVE_LOCK))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = holdout.expected[:8]
    assert json.loads(done.stdout) == {
        "rest_ready": True,
        "rest": expected,
        "rest_binary": expected,
        "grpc_ready": True,
        "grpc": expected,
    }


SENTENCES: Final = ("That is a happy person", "That is a very happy person", "Today is a sunny day")
# Their cosines to the first one, as the model's authors publish them.
PUBLISHED: Final = (1.0, 0.943, 0.257)


def test_a_text_model_answers_with_the_vectors_that_its_authors_publish(
    checkout: Checkout, outputs: dict[str, Any]
) -> None:
    text = {"name": "text", "datatype": "BYTES", "shape": [3], "data": SENTENCES}
    with Client(outputs["minilm"]["url"], checkout.gateway()) as client:
        answer = client.infer(json.dumps({"inputs": [text]}).encode())
    (embedding,) = answer["outputs"]
    vectors = np.array(embedding["data"]).reshape(embedding["shape"])
    assert np.allclose(vectors @ vectors[0], PUBLISHED, atol=1e-3)


@pytest.fixture(name="chat")
def _chat(checkout: Checkout, outputs: dict[str, Any]) -> Iterator[openai.OpenAI]:
    context = checkout.gateway().context()
    with openai.DefaultHttpxClient(verify=context) as http:
        yield openai.OpenAI(base_url=outputs["chat"]["url"], api_key="none", http_client=http)


QUESTION: Final = "What is the capital of France?"


def test_a_language_model_answers_openai_s_client(chat: openai.OpenAI) -> None:
    assert [model.id for model in chat.models.list()] == ["chat"]
    answer = chat.chat.completions.create(
        model="chat",
        messages=[{"role": "user", "content": QUESTION}],
        temperature=0,
        max_tokens=24,
    )
    # What so small a model says of it is another matter.
    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert 1 < answer.usage.completion_tokens <= 24


def test_a_language_model_s_answer_comes_in_parts(chat: openai.OpenAI) -> None:
    stream = chat.chat.completions.create(
        model="chat",
        messages=[{"role": "user", "content": QUESTION}],
        temperature=0,
        max_tokens=24,
        stream=True,
    )
    parts = [part.choices[0].delta.content or "" for part in stream if part.choices]
    assert len([part for part in parts if part]) > 3
