"""The serving runtimes: one row per model format.

Plain data without a Pulumi import, because the settings check a stack file against it too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final, Literal

from apps.serving.protocols import PROTOCOLS, ProtocolName

# Of the servers that are ours, and of those that do not say.
PORT: Final = 8080
GRPC_PORT: Final = 8081

# Field tags that may follow `ir_version` in a serialised ONNX ModelProto (onnx.proto): producer,
# its version, domain, model version, doc string, graph, opsets, metadata.
_ONNX_NEXT_FIELDS: Final = frozenset({0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72})
# The newest pickle protocol of Python 3.11.
_PICKLE_NEWEST: Final = 5
# joblib's compressors: zlib, gzip, bz2, xz, lzma.
_COMPRESSED: Final = (b"\x78", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x5d\x00")


@dataclass(frozen=True)
class Served:
    """A model, as its server is told of it.

    Attributes:
        name: Its name.
        version: Its version.
        path: Its path in the pod; `None` where it has no artifact.
        cores: Whole cores that the pod may use, at least 1.
        gpus: GPUs that the pod has.
        answer_seconds: How long the server, told to end, may go on with the answers that it owes.
    """

    name: str
    version: str
    path: str | None
    cores: int
    gpus: int
    answer_seconds: int


@dataclass(frozen=True)
class Health:
    """What the probes of a pod ask: paths whose status is 200 when all is well."""

    ready: str
    live: str


@dataclass(frozen=True)
class Writable:
    """Room that a server may write to, an `emptyDir`.

    Attributes:
        size: Its limit, a Kubernetes quantity.
        medium: `Memory` for shared memory, which counts as the pod's; a disk of the node by
            default.
    """

    size: str
    medium: Literal["", "Memory"] = ""


TEMPORARY: Final[Mapping[str, Writable]] = {"/tmp": Writable("64Mi")}


def _no_arguments(model: Served) -> list[str]:
    del model
    return []


def _no_variables(model: Served) -> Mapping[str, str]:
    del model
    return {}


def _anything(head: bytes) -> bool:
    return bool(head)


@dataclass(frozen=True)
class Runtime:
    """How the models of one format are served.

    Attributes:
        content: What a model of this format is, in words.
        recipe: Recipe of the server image in `toolchain/images`; `None` where the settings have to
            name an image.
        recognises: Whether a file that starts with these bytes can be of this format; 16 suffice.
            Not asked of folders.
        files: Of a format whose models are folders: the files that each has, by their paths in it.
            Empty where a model is one file.
        runs_code: Whether loading a model can run code that the model brings.
        custom: Whether the server is one that we do not know: a model's settings then say how it is
            run, and it may go without a file.
        command: What the container runs in place of its image's entry point.
        args: From the model to the server's arguments.
        concurrency: From the requests that a pod works on at once, and those that may wait, to
            arguments; `None` where the server has no bound to set.
        timeout: From the seconds that a request may take to arguments; `None` where the server has
            no such bound.
        environment: From the model to the server's environment.
        protocol: What its clients speak.
        port: Where it listens.
        grpc_port: Where it speaks the protocol over gRPC, if it does.
        metrics: Whether it has figures for Prometheus at `/metrics` on its port.
        health: What the probes ask, where it is not what the protocol has for them.
        writable: Where the server may write, by path in the pod; nowhere else.
        resources: Defaults of a model's `resources`, in place of those of its profile.
        gpu: Whether it runs on GPUs alone.
        named: Whether a model's folder has to be called like the model.
        startup_seconds: Longest time from a pod's start until its model is ready.
    """

    content: str
    recipe: str | None = None
    recognises: Callable[[bytes], bool] = _anything
    files: tuple[str, ...] = ()
    runs_code: bool = False
    custom: bool = False
    command: tuple[str, ...] = ()
    args: Callable[[Served], list[str]] = _no_arguments
    concurrency: Callable[[int, int], list[str]] | None = None
    timeout: Callable[[int], list[str]] | None = None
    environment: Callable[[Served], Mapping[str, str]] = _no_variables
    protocol: ProtocolName = "open-inference-v2"
    port: int = PORT
    grpc_port: int | None = None
    metrics: bool = False
    health: Health | None = None
    writable: Mapping[str, Writable] = field(default_factory=lambda: TEMPORARY)
    resources: Mapping[str, str] = field(default_factory=dict)
    gpu: bool = False
    named: bool = False
    # Servers are ready within seconds; a large model on a busy machine may need minutes to load.
    startup_seconds: int = 240

    @property
    def probes(self) -> Health:
        """What the probes ask."""
        protocol = PROTOCOLS[self.protocol]
        return self.health or Health(protocol.ready, protocol.live)


def _is_onnx(head: bytes) -> bool:
    """Tell an ONNX file by its first field, the version of its format, and the tag after it."""
    return len(head) >= 3 and head[0] == 0x08 and head[1] < 0x80 and head[2] in _ONNX_NEXT_FIELDS


def _is_sklearn(head: bytes) -> bool:
    pickled = len(head) >= 2 and head[0] == 0x80 and 2 <= head[1] <= _PICKLE_NEWEST
    return pickled or head.startswith(_COMPRESSED)


def _is_skops(head: bytes) -> bool:
    # A ZIP archive.
    return head.startswith(b"PK\x03\x04")


def _is_xgboost(head: bytes) -> bool:
    """Tell an object whose first key is `learner`, in JSON or in UBJSON."""
    return head.startswith(b'{"learner"') or (head[:2] == b"{L" and head[10:] == b"learne")


def _is_lightgbm(head: bytes) -> bool:
    return head.startswith(b"tree\nversion=")


def _server_args(model_format: str) -> Callable[[Served], list[str]]:
    def args(model: Served) -> list[str]:
        return [
            f"--model-name={model.name}",
            f"--model-version={model.version}",
            f"--model-path={model.path}",
            f"--format={model_format}",
            f"--port={PORT}",
            f"--grpc-port={GRPC_PORT}",
            # The pod waits before it tells the server to end.
            "--drain-seconds=0",
            f"--grace-seconds={model.answer_seconds}",
        ]

    return args


def _server_concurrency(active: int, waiting: int) -> list[str]:
    return [f"--threads={active}", f"--queue={waiting}"]


def _server_timeout(seconds: int) -> list[str]:
    return [f"--timeout-seconds={seconds}"]


def _is_gguf(head: bytes) -> bool:
    return head.startswith(b"GGUF")


def _llm_args(model: Served) -> list[str]:
    return [
        f"--model-name={model.name}",
        f"--model-path={model.path}",
        f"--threads={model.cores}",
        f"--port={PORT}",
        f"--grace-seconds={model.answer_seconds}",
    ]


def _kserve_args(model: Served) -> list[str]:
    args = [
        f"--model_name={model.name}",
        f"--http_port={PORT}",
        f"--grpc_port={GRPC_PORT}",
    ]
    return args if model.path is None else [*args, f"--model_dir={model.path}"]


def _vllm_args(model: Served) -> list[str]:
    return [
        str(model.path),
        f"--served-model-name={model.name}",
        f"--tensor-parallel-size={model.gpus}",
        f"--port={PORT}",
        # Without it the answers that it owes end with it. Since 0.18:
        # https://github.com/vllm-project/vllm/pull/36666
        f"--shutdown-timeout={model.answer_seconds}",
    ]


def _vllm_variables(model: Served) -> Mapping[str, str]:
    del model
    return {
        # Where it keeps what it compiles: the only place that it may write to.
        "HOME": "/tmp",
        # It asks no hub for what the folder lacks, and tells nobody what is served.
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
    }


def _triton_args(model: Served) -> list[str]:
    return [
        f"--model-repository={PurePosixPath(str(model.path)).parent}",
        "--model-control-mode=explicit",
        f"--load-model={model.name}",
        f"--exit-timeout-secs={model.answer_seconds}",
        f"--http-port={PORT}",
        f"--grpc-port={GRPC_PORT}",
    ]


def _model_variables(model: Served) -> Mapping[str, str]:
    """Return what an image that we do not know is told: Kubernetes puts it into `$(...)` too."""
    variables = {"MODEL_NAME": model.name, "MODEL_VERSION": model.version}
    return variables if model.path is None else {**variables, "MODEL_PATH": model.path}


def _ours(
    model_format: str,
    recipe: str,
    content: str,
    recognises: Callable[[bytes], bool] = _anything,
    *,
    files: tuple[str, ...] = (),
    runs_code: bool = False,
) -> Runtime:
    """Return the row of a format that our server loads."""
    return Runtime(
        recipe=recipe,
        content=content,
        recognises=recognises,
        files=files,
        runs_code=runs_code,
        args=_server_args(model_format),
        grpc_port=GRPC_PORT,
        metrics=True,
        concurrency=_server_concurrency,
        timeout=_server_timeout,
    )


RUNTIMES: Final[Mapping[str, Runtime]] = {
    "onnx": _ours("onnx", "model-server", "an ONNX model", _is_onnx),
    "sklearn": _ours(
        "sklearn",
        "estimator-server",
        "a pickled scikit-learn model",
        _is_sklearn,
        runs_code=True,
    ),
    "skops": _ours("skops", "estimator-server", "a scikit-learn model saved by skops", _is_skops),
    "xgboost": _ours(
        "xgboost", "estimator-server", "an XGBoost model as JSON or UBJSON", _is_xgboost
    ),
    "lightgbm": _ours("lightgbm", "estimator-server", "a LightGBM model as text", _is_lightgbm),
    "huggingface": _ours(
        "huggingface",
        "text-server",
        "a folder with a text model in ONNX and its tokenizer",
        files=("model.onnx", "tokenizer.json", "config.json"),
    ),
    # llama.cpp on CPUs.
    "llm": Runtime(
        recipe="llm-server",
        content="a language model in GGUF",
        recognises=_is_gguf,
        args=_llm_args,
        protocol="openai",
        # Beside the weights: 4096 tokens for each of two requests at once.
        resources={"memory": "1Gi"},
    ),
    # A predictor of a team's own, written with KServe's Python SDK (`kserve.Model`).
    "kserve": Runtime(
        content="what the predictor reads, a file or a folder",
        custom=True,
        args=_kserve_args,
        environment=_model_variables,
        grpc_port=GRPC_PORT,
    ),
    # https://docs.vllm.ai/en/stable/cli/serve/
    "vllm": Runtime(
        content="a folder with a language model as Hugging Face has it",
        files=("config.json",),
        # Older images start the server by another entry point.
        command=("vllm", "serve"),
        args=_vllm_args,
        environment=_vllm_variables,
        protocol="openai",
        writable={"/tmp": Writable("8Gi"), "/dev/shm": Writable("4Gi", "Memory")},
        resources={"cpu": "2", "cpuLimit": "8", "memory": "24Gi"},
        gpu=True,
        # It compiles kernels for the model and measures its memory before it is ready.
        startup_seconds=1200,
    ),
    # https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/
    "triton": Runtime(
        content="a folder of Triton's model repository",
        files=("config.pbtxt",),
        # Its backend for Python runs the folder's `model.py`.
        runs_code=True,
        named=True,
        command=("tritonserver",),
        args=_triton_args,
        grpc_port=GRPC_PORT,
        writable={"/tmp": Writable("1Gi"), "/dev/shm": Writable("1Gi", "Memory")},
        resources={"cpu": "1", "cpuLimit": "4", "memory": "8Gi"},
        gpu=True,
        startup_seconds=600,
    ),
    # Any image that listens on a port; the model's `container` says the rest.
    "custom": Runtime(
        content="a file or a folder",
        custom=True,
        environment=_model_variables,
        protocol="http",
    ),
}
