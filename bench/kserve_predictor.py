"""A custom predictor for the KServe SDK: a scikit-learn model, as its users write one.

Run by the Python of that peer: `kserve_predictor.py --model FILE --name NAME`.
"""

import argparse
from typing import Any

import joblib
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer, model_server
from kserve.utils.utils import generate_uuid


class Predictor(Model):  # type: ignore[misc]
    """Answers with the label."""

    def __init__(self, name: str, path: str) -> None:
        super().__init__(name)
        self._estimator = joblib.load(path)
        self.ready = True

    def predict(
        self, payload: InferRequest, headers: Any = None, response_headers: Any = None
    ) -> InferResponse:
        """Return the labels of the rows."""
        labels = self._estimator.predict(payload.inputs[0].as_numpy())
        output = InferOutput("label", list(labels.shape), "INT64")
        output.set_data_from_numpy(labels, binary_data=False)
        return InferResponse(generate_uuid(), self.name, [output])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(parents=[model_server.parser])
    parser.add_argument("--model", required=True)
    parser.add_argument("--name", required=True)
    options, _ = parser.parse_known_args()
    # One line a request is left out, as in the other servers.
    ModelServer(access_log_format=None, enable_docs_url=False).start(
        [Predictor(options.name, options.model)]
    )
