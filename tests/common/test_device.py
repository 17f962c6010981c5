"""Settings of a process that trains."""

import os
import subprocess
import sys

import pytest
import torch

from tests.workflow.conftest import ROOT
from workflow_scripts.model.packing import has_onednn

# Prints the bytes in use, by glibc, after products of 200 shapes.
PRODUCTS = """
import ctypes, torch
from workflow_scripts.common.device import keep_few_kernels
{call}
torch.set_num_threads(1)
class Usage(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "mapped", "usmblks", "fsmblks", "used", "free", "top"
    )]
libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Usage
weight = torch.randn(256, 64)
for rows in range(200, 400):
    torch.ops.mkldnn._linear_pointwise(torch.randn(rows, 64), weight, None, "none", [], "")
usage = libc.mallinfo2()
print(usage.used + usage.mapped)
"""


def used(call: str, **environment: str) -> int:
    plain = {name: value for name, value in os.environ.items() if not name.endswith("_CAPACITY")}
    command = [sys.executable, "-c", PRODUCTS.format(call=call)]
    done = subprocess.run(
        command, cwd=ROOT, env=plain | environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(
    not has_onednn(torch.float32) or sys.platform != "linux", reason="no oneDNN, or no glibc"
)
def test_kernels_of_shapes_long_past_are_dropped():
    kept, few = used(""), used("keep_few_kernels()")
    assert kept - few > 20e6
    many = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "1024", "LRU_CACHE_CAPACITY": "1024"}
    assert used("keep_few_kernels()", **many) == pytest.approx(kept, rel=0.02)
