from pathlib import Path

import pytest

from workflow_scripts.common import provenance
from workflow_scripts.common.provenance import code_of, reached_by

FILES = {
    "pkg/__init__.py": "",
    "pkg/step.py": '"""Doc."""\nfrom pkg.maths import double\n\nprint(double(2))\n',
    "pkg/other.py": "print(1)\n",
    "pkg/maths.py": "def double(x):\n    from . import deep\n    return deep.times(2, x)\n",
    "pkg/deep.py": "def times(a, b):\n    return a * b  # product\n",
}


@pytest.fixture
def repository(tmp_path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def codes(root: Path) -> dict[str, str]:
    for cached in (reached_by, provenance._tree, provenance._meaning):
        cached.cache_clear()
    return {name: code_of(f"pkg/{name}.py", root) for name in ("step", "other")}


def test_imports_are_followed_also_inside_functions(repository):
    codes(repository)
    assert reached_by("pkg/step.py", repository) == (
        "pkg/__init__.py",
        "pkg/deep.py",
        "pkg/maths.py",
        "pkg/step.py",
    )


def test_comments_docstrings_and_formatting_change_nothing(repository):
    before = codes(repository)
    (repository / "pkg/step.py").write_text(
        '"""Other."""\n\n# why\nfrom pkg.maths import (\n    double,\n)\n\nprint( double( 2 ) )\n'
    )
    (repository / "pkg/deep.py").write_text(
        'def times(a, b):\n    """Product."""\n    return a * b\n'
    )
    assert codes(repository) == before


def test_a_change_far_away_reaches_the_scripts_that_use_it_and_no_other(repository):
    before = codes(repository)
    (repository / "pkg/deep.py").write_text("def times(a, b):\n    return a + b\n")
    after = codes(repository)
    assert after["step"] != before["step"]
    assert after["other"] == before["other"]
