"""Apache on loopback ports, in front of a site's application: with the site configuration that an instance has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localcloud.cloud import outside, processes
from localcloud.cloud.certificates import issue
from localcloud.engines.programs import environment, find
from localcloud.errors import LocalCloudError

#: What Amazon Linux loads for httpd and mod_ssl, as far as a site's configuration may need it.
MODULES = (
    "mpm_event", "unixd", "authn_core", "authz_core", "authz_host", "log_config", "logio", "env", "setenvif", "mime",
    "filter", "deflate", "dir", "alias", "headers", "expires", "rewrite", "remoteip", "reqtimeout", "status",
    "proxy", "proxy_http", "socache_shmcb", "ssl", "cache", "cache_socache",
)  # fmt: skip


NOBODY = 65534  # the user and the group of Apache's children, if root runs it


@dataclass(frozen=True)
class Apache:
    """A running Apache.

    Attributes:
        version: Of the program, such as Apache/2.4.62.
        port: Its loopback port for HTTP.
        secure_port: Its loopback port for HTTPS, with a certificate of the cloud's authority.
        process: The process.
        outside: Its folders outside the cloud's, where it needs some.
    """

    version: str
    port: int
    secure_port: int
    process: subprocess.Popen[bytes]
    outside: tuple[Path, ...]

    def stop(self) -> None:
        """Stop it, unless it has stopped."""
        processes.end(self.process)
        for folder in self.outside:
            outside.remove(folder)


def start(cloud: Path, folder: Path, site: Path, definitions: Mapping[str, str], port: int = 0) -> Apache:
    """Start Apache with a site's configuration, which listens on SITE_PORT and SITE_TLS_PORT.

    The configuration's folder, or what Apache can read of it, is SITE_PAGES. Its access log is SITE_ACCESS_LOG, and its
    children may write below SITE_CACHE.

    Args:
        cloud: The folder of the cloud whose authority signs the site's certificate.
        folder: The folder for Apache's log and for the configuration that includes the site's.
        site: The site's configuration.
        definitions: Variables for the site's configuration besides its ports, certificate, pages and log.
        port: The port for HTTP; 0 takes a free one.

    Raises:
        LocalCloudError: Apache is not installed, or refuses the configuration.
    """
    program = find("apache2")
    output = subprocess.run([program, "-v"], env=environment(), capture_output=True, text=True, check=False).stdout
    version = re.search(r"Apache/[\d.]+", output)
    port, secure_port = port or processes.free_port(), processes.free_port()
    settings = folder / "apache.conf"
    folder.mkdir(parents=True, exist_ok=True)
    pages = site.resolve().parent
    copy = None if _reachable(pages) else _copied(pages)
    room = None if _reachable(folder) else outside.make(public=True)
    cache = _writable((room or folder) / "cache")
    defined = {"SITE_PAGES": str(copy or pages), "SITE_CACHE": str(cache), **definitions}
    settings.write_text(configuration(cloud, folder, site, defined, port, secure_port), encoding="utf-8")
    process, _ = processes.serve(
        [program, "-D", "FOREGROUND", "-f", str(settings)],
        log=folder / "apache.log",
        environment=environment(),
        ready="resuming normal operations",
    )
    return Apache(version[0] if version else "Apache", port, secure_port, process, (*filter(None, (copy, room)),))


def _reachable(folder: Path) -> bool:
    """Return whether Apache's children, who are nobody if root runs it, can enter a folder."""
    return bool(os.getuid()) or outside.open_to_all(folder)


def _copied(folder: Path) -> Path:
    """Return a temporary copy of a folder's pages."""
    copy = outside.make(public=True)
    for page in folder.glob("*.html"):
        Path(shutil.copyfile(page, copy / page.name)).chmod(0o644)
    return copy


def _writable(folder: Path) -> Path:
    """Return a folder that only Apache's children can read and write."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.getuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    return folder


def configuration(  # noqa: PLR0917 - the parts of one text
    cloud: Path, folder: Path, site: Path, definitions: Mapping[str, str], port: int, secure_port: int
) -> str:
    """Return what stands around a site's configuration, and includes it: modules, ports, log, certificate.

    Raises:
        LocalCloudError: Apache's modules are not where they should be.
    """
    certificate = issue(cloud, folder)
    defined = {
        **definitions,
        "SITE_PORT": str(port),
        "SITE_TLS_PORT": str(secure_port),
        "SITE_CERTIFICATE": str(certificate.certificate),
        "SITE_KEY": str(certificate.key),
        "SITE_ACCESS_LOG": str(folder / "access.log"),
    }
    lines = [
        f'ServerRoot "{folder}"',
        f'DefaultRuntimeDir "{folder}"',
        "PidFile apache.pid",
        "Mutex sem",
        "TypesConfig /dev/null",
        *modules(),
        *(["User nobody", f"Group #{NOBODY}"] if os.getuid() == 0 else []),  # this user may not even read the log
        f"Listen 127.0.0.1:{port}",
        f"Listen 127.0.0.1:{secure_port} https",
        'ErrorLog "apache.log"',
        *(f'Define {name} "{value}"' for name, value in defined.items()),
        f'Include "{site.resolve()}"',
    ]
    return "\n".join(lines) + "\n"


def modules() -> list[str]:
    """Return the lines that load the modules that Amazon Linux loads.

    Raises:
        LocalCloudError: Apache is not installed, or its modules are not in any of the usual folders.
    """
    program = find("apache2")
    built_in = subprocess.run([program, "-l"], env=environment(), capture_output=True, text=True, check=False).stdout
    folder = _modules(Path(program).resolve().parent.parent)
    names = (name for name in MODULES if f"mod_{name}.c" not in built_in)  # the others are built in
    return [f'LoadModule {name}_module "{folder}/mod_{name}.so"' for name in names]


def _modules(prefix: Path) -> Path:
    places = ("lib/apache2/modules", "lib64/httpd/modules", "lib/httpd/modules", "libexec/apache2")
    folder = next((prefix / place for place in places if (prefix / place / "mod_proxy.so").exists()), None)
    if not folder:
        raise LocalCloudError(f"Apache's modules are not below {prefix} ({', '.join(places)}).")
    return folder
