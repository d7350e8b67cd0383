"""``python -m localcloud serve``: the server process itself."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

from contract.errors import complain
from localcloud.cloud.local_cloud import LocalCloud
from localcloud.cloud.lock import Lock
from localcloud.cloud.server import serve
from localcloud.cloud.settings import DEFAULT_AGE, DEFAULT_MODE, Age, IamMode, Settings
from localcloud.errors import LocalCloudError


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m localcloud", description="The local cloud's server.")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("serve", help="serve until SIGTERM or SIGINT")
    command.add_argument("--folder", type=Path, required=True, help="where state, log and mailbox are")
    command.add_argument("--port", type=int, default=0, help="loopback port (default: a free one)")
    command.add_argument("--attached", action="store_true", help="stop when standard input closes")
    command.add_argument("--lock", type=int, help="file descriptor of the folder's lock, if the caller has taken it")
    command.add_argument(
        "--account", choices=get_args(Age), default=DEFAULT_AGE, help="a new account has AWS's default quotas"
    )
    command.add_argument(
        "--iam", choices=get_args(IamMode), default=DEFAULT_MODE, help="what becomes of requests without permission"
    )
    arguments = parser.parse_args()
    cloud = LocalCloud(arguments.folder)
    try:
        lock = cloud.take() if arguments.lock is None else Lock(cloud.folder, arguments.lock)
        settings = Settings.read(arguments.account, arguments.iam)
        serve(cloud.folder, arguments.port, lock, settings, attached=arguments.attached)
    except LocalCloudError as error:
        complain(str(error))
        sys.exit(2)


if __name__ == "__main__":
    main()
