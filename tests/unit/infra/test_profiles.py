"""Defaults of a model by where it is meant to run."""

from typing import Any

from infra.settings import ModelSettings

MODEL = {"team": "vision", "format": "onnx", "uri": "file:models/digits.onnx"}


def _model(**settings: Any) -> ModelSettings:
    return ModelSettings.model_validate({**MODEL, **settings})


def test_a_model_suits_a_laptop_by_default() -> None:
    assert _model() == _model(profile="laptop")
    assert _model().replicas == 1
    assert (_model().resources.cpu, _model().resources.memory) == ("250m", "512Mi")


def test_a_model_on_a_server_is_larger_and_survives_the_loss_of_a_pod() -> None:
    model = _model(profile="server")
    assert model.replicas == 2
    resources = model.resources
    assert (resources.cpu, resources.cpu_limit, resources.memory) == ("1", "4", "2Gi")


def test_what_a_model_says_itself_goes_before_its_profile() -> None:
    model = _model(profile="server", replicas=3, resources={"memory": "4Gi"})
    assert model.replicas == 3
    assert (model.resources.cpu, model.resources.memory) == ("1", "4Gi")


def test_a_profile_leaves_the_number_of_pods_to_the_autoscaler() -> None:
    model = _model(profile="server", scaling={"max": 4})
    assert (model.min_replicas, model.max_replicas) == (1, 4)
