"""The network in PyTorch: how it is trained, and how it becomes ONNX."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

EPOCHS = 30
BATCH = 64
OPSET = 20
"""ONNX operator set: the newest that runtimes of the last two years read."""


class Served(nn.Module):  # type: ignore[misc]
    """What clients see of a network: raw pixels in, a label and its probabilities out.

    Whatever is done to a row before the network and to its numbers after it belongs in here, so
    that it is in the exported file and no client has to know of it.

    Args:
        network: From pixels of 0 to 1 to one number a class.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._network = network

    def forward(self, pixels: Any) -> tuple[Any, Any]:
        """Return the labels and the probabilities of some rows of 64 pixels of 0 to 16."""
        numbers = self._network(pixels / 16)
        return numbers.argmax(dim=1), numbers.softmax(dim=1)


def trained(rows: Any, labels: Any, seed: int) -> Served:
    """Train a small convolutional network.

    Args:
        rows: Pixels, as NumPy has them in FP32.
        labels: The digit of each row, in INT64.
        seed: Decides the first weights and the order of the rows.
    """
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 16, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )
    served = Served(network)
    optimizer = torch.optim.Adam(network.parameters())
    pixels, wanted = torch.from_numpy(rows) / 16, torch.from_numpy(labels)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(wanted)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(pixels[batch]), wanted[batch]).backward()
            optimizer.step()
    served.eval()
    return served


def exported(model: nn.Module, rows: Any, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """Return a model in ONNX, which takes any number of rows.

    Args:
        model: The model.
        rows: Some rows that it takes.
        inputs: What clients call its inputs.
        outputs: What they call its outputs.
    """
    program = torch.onnx.export(
        model,
        (torch.from_numpy(rows),),
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        input_names=list(inputs),
        output_names=list(outputs),
        opset_version=OPSET,
        verbose=False,
    )
    content: bytes = program.model_proto.SerializeToString(deterministic=True)
    return content


def labels_of(model: nn.Module, rows: Any) -> Any:
    """Return a model's labels of some rows, as NumPy has them."""
    with torch.no_grad():
        return model(torch.from_numpy(rows))[0].numpy()
