"""torchrun, that ends as the training does: with its exit code, which decides whether a job is tried again.

By itself torchrun ends with 1 and a traceback of its own, whatever the training has said.

    python -m workloads.training.runtime.launch --nnodes 2 ... -m workloads train ...
"""

from __future__ import annotations

import sys

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main

from workloads.errors import Interrupted


def launch(arguments: list[str]) -> int:
    """Run processes as torchrun does; the exit code of the one that failed first, or 0."""
    try:
        main(arguments)
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        code: int = failure.exitcode
        return code if code > 0 else 128 - code  # a signal ended it
    except SignalException:  # told to end; it has waited for the checkpoint
        return Interrupted.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(launch(sys.argv[1:]))
