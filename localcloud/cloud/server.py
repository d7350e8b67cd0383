"""The server process: moto on a loopback port, with the local cloud's behaviour installed."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from localcloud import hooks
from localcloud.cloud import certificates, outside, processes, remains, remembered
from localcloud.cloud.account import ACCOUNT, forget_caller, make_secret_access_key
from localcloud.cloud.context import Cloud
from localcloud.cloud.lock import Lock
from localcloud.cloud.remains import STATE
from localcloud.cloud.settings import Settings
from localcloud.errors import LocalCloudError
from terminal import files

#: The longest path of a folder for temporary files. Programs make sockets below it, whose paths the system limits to
#: 107 characters; Python's, in a job's folder, end in ``/tmpxxxxxxxx/pymp-xxxxxxxx/listener-xxxxxxxx``.
LONGEST = 107 - 44


def prepare() -> None:
    """Set what moto reads while it is imported, and what holds for the server of every cloud."""
    forget_caller()
    os.environ |= {
        "MOTO_DISABLE_GLOBAL_CORS": "true",
        "MOTO_ACCOUNT_ID": ACCOUNT,  # or moto would look for every request's key in all partitions
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    }
    gc.disable()  # what is imported stays: to look through it over and over would take a quarter of the start
    if not hooks.installed():
        hooks.install(None, remembered)  # before anything looks for botocore's files


def serve(folder: Path, port: int, lock: Lock, settings: Settings, *, attached: bool = False) -> None:
    """Serve the cloud whose state is in ``folder`` until SIGTERM or SIGINT.

    Args:
        folder: Holds ``state.json`` while the server is ready, and the mailbox.
        port: Loopback port; 0 takes a free one.
        lock: The folder's lock, which this process keeps until it ends.
        settings: What the person who starts it chose.
        attached: Stop also when standard input closes, so that the cloud never outlives its owner.

    Raises:
        LocalCloudError: The folder cannot be written.
    """
    lock.sign()
    os.umask(0o077)  # what the cloud writes is its owner's to read
    _keep_temporary_files(remains.make(folder))
    os.environ[processes.CLOUD] = str(folder)  # which the processes that it starts inherit
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    prepare()
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    from localcloud.access import authentication, authorization, data_requests, policy_documents, sessions
    from localcloud.cloud import error_responses, identity, isolation, operations, seed
    from localcloud.cloud.http_handler import RequestHandler

    class Handler(RequestHandler):
        """Knows the cloud once there is one, which is before the first request."""

    server = make_server(
        "127.0.0.1",
        port,
        DomainDispatcherApplication(
            isolation.isolated(
                operations.routed(create_backend_app),
                lambda service: Handler.cloud.lock(service),  # noqa: PLW0108 - there is no cloud before its port
            )
        ),
        threaded=True,
        request_handler=Handler,
    )
    os.environ["MOTO_PORT"] = str(server.port)  # where moto's own clients look for the server
    from localcloud import services
    from localcloud.cloudformation import (
        api,
        custom,
        descriptions,
        engine,
        functions,
        limits,
        macros,
        nested,
        own_tags,
        stack_resources,
        transforms,
    )
    from localcloud.services import rules

    certificates.trust(folder)
    make_secret_access_key(folder, settings.secret_access_key)
    cloud = Handler.cloud = Cloud(folder, f"http://localhost:{server.port}", settings)
    hooks.close_addresses()
    hooks.install(
        cloud,
        *(isolation, rules, operations, error_responses, identity),
        *(engine, descriptions, stack_resources, functions, transforms, limits, own_tags),
        *(sessions, authentication, authorization, data_requests, policy_documents),
    )
    cloud.state(authorization.Record).mode = authorization.Mode(settings.iam)
    for package in (api, nested, custom, macros, descriptions, services):
        package.install(cloud)
    seed.seed()
    gc.freeze()
    gc.enable()
    threading.Thread(target=server.serve_forever, daemon=True, name="server").start()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _follow(lock, stop, attached=attached)
    _write_state(folder, server.port, _start_console(cloud))
    print(f"ready http://localhost:{server.port}", flush=True)  # noqa: T201 - the ready line is for whoever waits
    stop.wait()
    in_place = lock.is_in_place()  # or the folder is another cloud's by now
    if in_place:
        (folder / STATE).unlink(missing_ok=True)
    processes.end_all()
    outside.remove_all()
    try:
        if in_place:
            remains.remove(folder)
    except LocalCloudError:
        logging.getLogger(__name__).exception("what the cloud held is not removed")
    os._exit(0)  # threads of the pool may still wait for what has just ended


def _keep_temporary_files(data: Path) -> None:
    """Let this process and those that it starts write their temporary files into the cloud's folder."""
    folder = data / "tmp"
    folder.mkdir()
    if len(str(folder)) > LONGEST:
        short = outside.make() / "tmp"
        short.symlink_to(folder)
        folder = short
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)


def _follow(lock: Lock, stop: threading.Event, *, attached: bool) -> None:
    """Watch what the server must not outlive: its folder and, if it is attached, its owner."""
    threading.Thread(target=_follow_folder, args=(lock, stop), daemon=True).start()
    if attached:
        threading.Thread(target=_follow_owner, args=(stop,), daemon=True).start()


def _follow_folder(lock: Lock, stop: threading.Event) -> None:
    """End when somebody has removed the cloud's folder, without which nobody could end it."""
    while lock.is_in_place():
        time.sleep(1)
    stop.set()


def _follow_owner(stop: threading.Event) -> None:
    sys.stdin.buffer.read()
    stop.set()


def _start_console(cloud: Cloud) -> int:
    from localcloud.console import server

    return server.start(cloud)


def _write_state(folder: Path, port: int, console_port: int) -> None:
    state = {"pid": os.getpid(), "port": port, "console": console_port, "endpoint": f"http://localhost:{port}"}
    files.write(folder / STATE, json.dumps(state).encode())
