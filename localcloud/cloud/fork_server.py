"""A process that has imported what takes long, and becomes the process of a program whenever the cloud asks for it.

Started as ``python -m localcloud.cloud.fork_server FD MODULE...``. FD is a socket to the cloud. Each message asks for
one program, a command line of Python's; its three open files are the program's output, a pipe for the process id and
the exit code, and the pipe that ends with the cloud. The program has a leash of its own, as every process of the cloud.

A program may replace itself by another Python (``os.execv``), as the loader of a container does. A copy of the process
runs it until then, and the process itself becomes the other program, so that nothing of the first one is left.

Whoever forks must have one thread. Libraries for linear algebra start theirs when they are imported, and end them
before a fork; PyTorch starts its own when it computes, which nothing does here.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import re
import runpy
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, NoReturn

from localcloud.cloud import leash

#: The longest message, in bytes. Batch takes 30 KiB, and the environment has some more.
MESSAGE_BYTES = 1 << 17
#: Variables that Python or a library reads when it starts. A program for which they differ is not forked.
READ_AT_START = re.compile(
    r"PATH|HOME|TMP|TEMP|L[CD]_.*|LANG|LANGUAGE|(PYTHON|G?OMP|KMP|MKL|OPENBLAS|BLAS|NUMEXPR|NPY|MALLOC|GLIBC|TORCH|PYTORCH"
    r"|ATEN|DNNL|ONEDNN|CUDA|NVIDIA|NCCL|MPL|JOBLIB|LOKY|SKLEARN).*"
)
#: Those of them that a forked process takes over as they are, as Python does when it starts.
TAKEN_OVER = {"PYTHONPATH"}
#: What Python is asked to run: text, or a module.
OPTIONS = ("-c", "-m")


def may_fork(arguments: Sequence[str], environment: Mapping[str, str], prepared: Mapping[str, str]) -> bool:
    """Return whether a forked process can do what a new process of Python would do.

    Args:
        arguments: What follows the interpreter on the command line.
        environment: The program's environment variables.
        prepared: Those of the process that forks.
    """
    differing = {name for name, _ in environment.items() ^ prepared.items()} - TAKEN_OVER
    return arguments[:1] in [[option] for option in OPTIONS] and not any(map(READ_AT_START.fullmatch, differing))


class Program:
    """A program of Python's.

    Args:
        arguments: What follows the interpreter on the command line.
        folder: The folder in which it runs.
        environment: Its environment variables.
    """

    def __init__(self, arguments: list[str], folder: str, environment: dict[str, str]) -> None:
        self.arguments = arguments
        self.folder = folder
        self.environment = environment

    def encoded(self) -> bytes:
        """Return it as a message."""
        return json.dumps(vars(self)).encode()

    def enter(self) -> None:
        """Let this process have its folder and its environment."""
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.environment)

    def run(self) -> NoReturn:
        """Do what a new process of Python does, and end this process."""
        option, what, *words = self.arguments
        code = 1
        try:
            places = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
            sys.path[:0] = ["" if option == "-c" else self.folder, *places]
            sys.argv = ["-c" if option == "-c" else what, *words]
            if option == "-c":
                sys.modules["__main__"] = main = ModuleType("__main__")
                exec(compile(what, "<string>", "exec"), vars(main))  # noqa: S102 - this is what `python -c` does
            else:
                runpy.run_module(what, run_name="__main__", alter_sys=True)
            code = 0
        except SystemExit as end:
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)  # noqa: T201 - as Python does
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException as error:  # noqa: BLE001 - Python ends so, too
            own = error.__traceback__ and error.__traceback__.tb_next  # the first frame is this one
            sys.excepthook(type(error), error.with_traceback(own), own)
        finally:
            _end(code)


def _end(code: int) -> NoReturn:
    """End as Python does: wait for threads, call what is registered, write what is still to be written."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - Python's own steps have no public names
        atexit._run_exitfuncs()  # noqa: SLF001
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code & 0xFF)


def main() -> None:
    """Import the modules, and fork until the cloud closes the socket."""
    control, modules = socket.socket(fileno=int(sys.argv[1])), sys.argv[2:]
    del os.environ["PYTHONPATH"], sys.path[:2]  # the working folder, and where this module is
    for module in modules:
        importlib.import_module(module)
    for name in [name for name in sys.modules if name.partition(".")[0] == "localcloud"]:
        del sys.modules[name]  # a program imports its own
    gc.collect()
    gc.freeze()  # so that no forked process has to copy these objects when it looks for garbage
    signal.signal(signal.SIGCHLD, lambda *_: leash.reap())
    print("ready", flush=True)  # noqa: T201 - the cloud waits for it
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 3)
        if not message:
            return
        if not os.fork():
            control.close()
            _hold(Program(**json.loads(message)), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _hold(program: Program, output: int, status: int, cloud: int) -> NoReturn:
    """Be the leash of a program."""
    os.setsid()
    leash.prepare(cloud)
    os.write(status, f"{os.getpid()} ".encode())
    process = os.fork()
    if not process:
        os.close(status)
        os.close(cloud)
        _start(program, output)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2, output):  # the output ends with the program
        os.dup2(null, descriptor)
    code = leash.supervise(process, cloud, grace=0)
    os.write(status, f"{code}".encode())
    os._exit(0)


def _start(program: Program, output: int) -> NoReturn:
    """Run the program in a copy of this process until it replaces itself, and become what it asks for."""
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(output)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    program.enter()
    following = os.memfd_create("following")
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are for the copy, or for what follows
    copy = os.fork()
    if not copy:
        _replaceable(following)
        _begin(program)
    code = os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1])
    with os.fdopen(following, "rb") as file:
        file.seek(0)
        message = file.read()
    if not message:
        os._exit(code if code >= 0 else 128 - code)
    replacement = Program(**json.loads(message))
    replacement.enter()
    _begin(replacement)


def _begin(program: Program) -> NoReturn:
    """Run a program with signals and random numbers as a new process has them."""
    if numpy := sys.modules.get("numpy"):  # Python's own generator does so itself
        numpy.random.seed()
    if torch := sys.modules.get("torch"):
        torch.random.default_generator.seed()
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    program.run()


def _replaceable(following: int) -> None:
    """Let this process write into a file by which Python it replaces itself, instead of becoming that."""
    execute, begun = os.execv, dict(os.environ)

    def replace(path: Any, argv: Any, /) -> NoReturn:
        arguments = [*argv][1:]
        if path != sys.executable or not may_fork(arguments, os.environ, begun):
            execute(path, argv)
        sys.stdout.flush()
        sys.stderr.flush()
        with os.fdopen(following, "wb") as file:
            file.write(Program(arguments, os.getcwd(), dict(os.environ)).encoded())  # noqa: PTH109 - as the process has it
        os._exit(0)

    os.execv = replace


if __name__ == "__main__":
    main()
