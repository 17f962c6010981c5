"""Fetching pip without pip, from an index on this machine that stands in for the real one."""

import base64
import hashlib
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from envs import bootstrap_pip

CONTENT = b"stands in for pip"


@pytest.fixture
def served(monkeypatch, tmp_path):
    """A package index on loopback; `pages` are its answers, `asked` the requests it got."""
    pages, asked = {}, []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers.get("Authorization")))
            content = pages.get(self.path)
            self.send_response(200 if content is not None else 404)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    for name in ("PIP_FIND_LINKS", "PIP_CONFIG_FILE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "no wheels here"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple/")
    monkeypatch.setattr(bootstrap_pip, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    server.pages, server.asked = pages, asked
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def page(link):
    return (
        '<a href="/files/pip-1.0-py3-none-any.whl">old</a>'
        f'<a href="{link}#sha256=abc" data-requires-python="&gt;=3.10">new</a>'
    ).encode()


@pytest.mark.parametrize(
    ("link", "path"),
    [
        ("../../files/{}", "/files/{}"),
        ("/files/{}", "/files/{}"),
        ("{}", "/simple/pip/{}"),
    ],
)
def test_the_wheel_is_found_on_the_index_page(served, tmp_path, link, path):
    served.pages["/simple/pip/"] = page(link.format(bootstrap_pip.WHEEL))
    served.pages[path.format(bootstrap_pip.WHEEL)] = CONTENT
    assert bootstrap_pip.wheel(tmp_path).read_bytes() == CONTENT


def test_another_wheel_than_the_pinned_one_is_refused(served, tmp_path):
    served.pages["/simple/pip/"] = page(f"/{bootstrap_pip.WHEEL}")
    served.pages[f"/{bootstrap_pip.WHEEL}"] = b"something else"
    with pytest.raises(ValueError, match=r"has SHA-256 .* expected .*: not installed"):
        bootstrap_pip.wheel(tmp_path)
    assert not (tmp_path / bootstrap_pip.WHEEL).exists()


def test_an_index_without_the_wheel_says_so(served, tmp_path):
    served.pages["/simple/pip/"] = b'<a href="/pip-1.0-py3-none-any.whl">old</a>'
    with pytest.raises(OSError, match=f"/simple/pip/ has no {bootstrap_pip.WHEEL}"):
        bootstrap_pip.wheel(tmp_path)


def test_a_missing_page_is_one_line_that_names_it(served, tmp_path):
    with pytest.raises(OSError, match=r"could not fetch http://127.*/simple/pip/ \(.*\); check"):
        bootstrap_pip.wheel(tmp_path)


def test_name_and_password_are_sent_and_not_shown(served, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", f"http://me:p%40ss@127.0.0.1:{served.server_port}/simple")
    with pytest.raises(OSError, match="could not fetch") as error:
        bootstrap_pip.wheel(tmp_path)
    assert "p%40ss" not in str(error.value)
    assert served.asked[0][1] == "Basic " + base64.b64encode(b"me:p@ss").decode()


def test_a_local_folder_of_wheels_comes_first(served, tmp_path, monkeypatch):
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / bootstrap_pip.WHEEL).write_bytes(CONTENT)
    monkeypatch.setenv("PIP_FIND_LINKS", f"/nowhere file://{folder}")
    assert bootstrap_pip.wheel(tmp_path).read_bytes() == CONTENT
    assert served.asked == []


def test_the_index_of_a_pip_configuration_is_used(monkeypatch, tmp_path):
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://mirror.example/simple/\nformat = %d\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    assert bootstrap_pip.index() == "https://mirror.example/simple"


def test_it_does_not_touch_the_machines_own_python():
    result = subprocess.run(
        [sys._base_executable, bootstrap_pip.__file__], capture_output=True, text=True
    )
    assert result.returncode == 1
    assert "run this with the Python of an environment" in result.stderr
