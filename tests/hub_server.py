"""A stand-in for the Hugging Face hub on the loopback interface, for tests without a network.

It serves folders over the part of the hub's HTTP interface that ``huggingface_hub`` and
``datasets`` use to read, so that their real code runs against it:

    with hub(folder) as served:
        subprocess.run(command, env=served.environment(cache))

``folder`` holds ``models/OWNER/NAME/`` and ``datasets/OWNER/NAME/`` with the repositories' files.
Each repository has one commit, made from its contents: ``served.commit("models", "OWNER/NAME")``.
The names "main" and that commit are its only revisions.
"""

import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

_REPO = r"(?P<owner>[^/]+)/(?P<name>[^/]+)"
_API = re.compile(rf"/api/(?P<kind>models|datasets)/{_REPO}(?P<rest>/.*)?")
_FILE = re.compile(rf"/(?:(?P<kind>datasets)/)?{_REPO}/resolve/(?P<revision>[^/]+)/(?P<path>.+)")


class Hub:
    """The running server: its address, and what was asked of it."""

    def __init__(self, folder: Path, address: str):
        self.folder = Path(folder)
        self.address = address
        self.requests: list[tuple[str, str]] = []  # method and path, in order

    def commit(self, kind: str, repo: str) -> str:
        """Commit (40 hex digits) of a repository: changes with any file's name or content."""
        digest = hashlib.sha1(f"{kind}/{repo}".encode())
        for path, file in self.files(kind, repo).items():
            digest.update(f"\0{path}\0{_digest(file)}".encode())
        return digest.hexdigest()

    def files(self, kind: str, repo: str) -> dict[str, Path]:
        """Files of a repository by their path in it; empty for an unknown repository."""
        root = self.folder / kind / repo
        found = sorted(file for file in root.rglob("*") if file.is_file())
        return {file.relative_to(root).as_posix(): file for file in found}

    def downloads(self) -> list[str]:
        """Paths of the files that were downloaded, in order, with repeats."""
        found = (_FILE.fullmatch(path) for method, path in self.requests if method == "GET")
        return [match["path"] for match in found if match]

    def environment(self, cache: Path) -> dict[str, str]:
        """Environment for a process that is to use this hub, with its own cache folder."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGINGFACE_"))}
        return kept | {
            "HF_ENDPOINT": self.address,
            "HF_HOME": str(cache),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }


@contextmanager
def hub(folder: Path) -> Iterator[Hub]:
    """Serve ``folder`` on a free port of 127.0.0.1 until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.hub = Hub(folder, f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _digest(file: Path) -> str:
    return hashlib.sha1(file.read_bytes()).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_GET

    def _answer(self) -> None:
        url = urlsplit(self.path)
        path = unquote(url.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        hub = self.server.hub
        hub.requests.append((self.command, path))
        if match := _FILE.fullmatch(path):
            kind = match["kind"] or "models"
            if commit := self._commit(kind, match, match["revision"]):
                self._send_file(kind, f"{match['owner']}/{match['name']}", commit, match["path"])
        elif match := _API.fullmatch(path):
            self._answer_api(match, parse_qs(url.query), body)
        else:
            self._send_error("EntryNotFound", f"no page {path}")

    def _answer_api(self, match: re.Match, query: dict, body: bytes) -> None:
        kind, repo = match["kind"], f"{match['owner']}/{match['name']}"
        action, _, rest = (match["rest"] or "/revision/main").strip("/").partition("/")
        revision, _, under = rest.partition("/")
        commit = self._commit(kind, match, revision or "main")
        if not commit:
            return
        files = self.server.hub.files(kind, repo)
        if action == "revision":
            self._send_json(_repository(repo, commit, files))
        elif action == "commits":
            entry = {"id": commit, "title": "files", "message": "", "authors": []}
            self._send_json([entry | {"date": "2024-01-01T00:00:00.000Z"}])
        elif action == "tree":
            recursive = query.get("recursive", ["false"])[0].lower() in ("true", "1")
            entries = _tree(files, under.strip("/"), recursive)
            if entries or not under:
                self._send_json(entries)
            else:
                self._send_error("EntryNotFound", f"no folder {under}")
        elif action == "paths-info":
            entries = {entry["path"]: entry for entry in _tree(files, "", True)}
            paths = _posted_paths(self.headers.get("Content-Type", ""), body)
            self._send_json([entries[p] for p in paths if p in entries])
        else:
            self._send_error("EntryNotFound", f"no page {action}")

    def _commit(self, kind: str, match: re.Match, revision: str) -> str | None:
        """The commit that a revision names; None after an error has been sent."""
        repo = f"{match['owner']}/{match['name']}"
        if not self.server.hub.files(kind, repo):
            self._send_error("RepoNotFound", f"no repository {repo}")
            return None
        commit = self.server.hub.commit(kind, repo)
        if revision not in ("main", "refs/heads/main", commit):
            self._send_error("RevisionNotFound", f"Invalid rev id: {revision}")
            return None
        return commit

    def _send_file(self, kind: str, repo: str, commit: str, path: str) -> None:
        file = self.server.hub.files(kind, repo).get(path)
        if file is None:
            # The client remembers a missing file by the commit that lacks it.
            self._send_error("EntryNotFound", f"no file {path}", {"X-Repo-Commit": commit})
            return
        data = file.read_bytes()
        headers = {"ETag": f'"{_digest(file)}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        status = 200
        if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(asked[1]), min(int(asked[2] or len(data) - 1), len(data) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
            data, status = data[first : last + 1], 206
        self._send(status, "application/octet-stream", data, headers)

    def _send_json(self, value) -> None:
        self._send(200, "application/json", json.dumps(value).encode())

    def _send_error(self, code: str, message: str, headers: dict | None = None) -> None:
        extra = {"X-Error-Code": code, "X-Error-Message": message, **(headers or {})}
        self._send(404, "application/json", json.dumps({"error": message}).encode(), extra)

    def _send(self, status: int, kind: str, data: bytes, headers: dict | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_) -> None:
        """Requests are kept in ``Hub.requests``, not printed."""


def _repository(repo: str, commit: str, files: dict[str, Path]) -> dict:
    return {
        "_id": commit[:24],
        "id": repo,
        "modelId": repo,
        "author": repo.split("/")[0],
        "sha": commit,
        "lastModified": "2024-01-01T00:00:00.000Z",
        "createdAt": "2024-01-01T00:00:00.000Z",
        "private": False,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [],
        "siblings": [{"rfilename": path} for path in files],
    }


def _tree(files: dict[str, Path], under: str, recursive: bool) -> list[dict]:
    entries: dict[str, dict] = {}
    for path, file in files.items():
        if under and not path.startswith(f"{under}/"):
            continue
        parts = path.split("/")
        for depth in range(len(under.split("/")) + 1 if under else 1, len(parts)):
            folder = "/".join(parts[:depth])
            entries[folder] = {"type": "directory", "oid": "0" * 40, "size": 0, "path": folder}
        entries[path] = {
            "type": "file",
            "oid": _digest(file),
            "size": file.stat().st_size,
            "path": path,
        }
    depth = under.count("/") + 1 if under else 0
    return [e for e in entries.values() if recursive or e["path"].count("/") == depth]


def _posted_paths(kind: str, body: bytes) -> list[str]:
    if "json" in kind:
        paths = json.loads(body)["paths"]
    else:
        paths = parse_qs(body.decode()).get("paths", [])
    return [paths] if isinstance(paths, str) else paths
