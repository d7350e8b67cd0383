"""``python -m localcloud serve``: the server process itself."""

import argparse
from pathlib import Path

from localcloud.server import serve


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m localcloud", description="The local cloud's server.")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("serve", help="serve until SIGTERM or SIGINT")
    command.add_argument("--folder", type=Path, required=True, help="where state, log and mailbox are")
    command.add_argument("--port", type=int, default=0, help="loopback port (default: a free one)")
    command.add_argument("--attached", action="store_true", help="stop when standard input closes")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    serve(arguments.folder.resolve(), arguments.port, attached=arguments.attached)


if __name__ == "__main__":
    main()
