"""A run that compiles nothing does not import PyTorch's compiler, which is there for whoever wants it."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import inspect, sys, torch
from workloads.training.runtime.eager import _Utilities, keep_compiler_out
from workloads.training.runtime.randomness import make_deterministic

def step():
    weight = torch.nn.Parameter(torch.ones(2))
    optimiser = torch.optim.AdamW([weight], lr=0.5)
    optimiser.zero_grad()
    weight.sum().backward()
    optimiser.step()
    return weight.tolist()

torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
keep_compiler_out()
make_deterministic(cuda=False)
assert torch.is_deterministic_algorithms_warn_only_enabled()
without = step()
module = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 1))
module(torch.ones(1, 2)).sum().backward()
inspect.getmodule(sys._getframe())  # which asks each module for its file
assert not {"torch._inductor", "torch._dynamo.eval_frame"} & sys.modules.keys()
torch.distributed.destroy_process_group()
double = torch.compile(lambda number: 2 * number, backend="eager")
assert double(torch.ones(1)).item() == 2
assert "torch._dynamo.eval_frame" in sys.modules
assert step() == without
assert _Utilities().get_optimize_ddp_mode() == torch._dynamo.utils.get_optimize_ddp_mode()
assert _Utilities().is_compile_supported("cpu")
"""


def test_the_compiler_is_imported_only_where_something_is_compiled() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
