"""A small model server that speaks the Open Inference Protocol v2, over REST and gRPC.

One process serves one model. Requests run in a bounded pool of threads, so that health answers
under load and a burst is refused early instead of piling up.
"""

import os

# Since 1.29 ONNX Runtime's Linux wheels report the models they load to their maker unless this is
# set before they are loaded (https://github.com/microsoft/onnxruntime/pull/27379). What a team
# serves is nobody else's business.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# What gRPC's core writes to the log by itself, it raises too.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

__version__ = "0.1.0"
