"""The command line: what the packages offer, under one name."""

import sys

import typer

from groundwork.demo.command import demo
from groundwork.site import site
from infra.commands import app as infra
from infra.errors import InfraError
from localcloud.commands import app as local
from localcloud.errors import LocalCloudError
from workloads.commands import app as workloads
from workloads.errors import InputError

app = typer.Typer(name="groundwork", help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(workloads)
app.add_typer(infra)
app.add_typer(local, name="local")
app.command()(demo)
app.command()(site)


def main() -> int:
    """Run a command; 2 when what the user gave cannot be used."""
    try:
        app()
    except (InputError, InfraError, LocalCloudError) as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 (the command line speaks)
        return 2 if isinstance(error, LocalCloudError) else error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
