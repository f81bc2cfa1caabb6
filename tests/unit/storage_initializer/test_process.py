"""Requirements on the step as a process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3] / "apps/serving/storage_initializer"
DOWNLOADING = """
import runpy, time
from slipway_storage import bringing

def bring(*_):
    print("downloading", flush=True)
    time.sleep(60)

bringing.bring = bring
runpy.run_module("slipway_storage", run_name="__main__")
"""


def test_sigterm_ends_a_download_also_where_nothing_else_handles_it(tmp_path: Path) -> None:
    arguments = ("--uri=s3://b/k", f"--into={tmp_path}", "--name=k", "--limit=1")
    step = subprocess.Popen(
        [sys.executable, "-c", DOWNLOADING, *arguments],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert step.stdout is not None
    with step.stdout:
        assert step.stdout.readline() == b"downloading\n"
        step.send_signal(signal.SIGTERM)
        # By itself, not by the signal, which the kernel keeps from a process that is PID 1.
        assert step.wait(30) == 128 + signal.SIGTERM
