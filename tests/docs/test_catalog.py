"""What the Snakemake workflow catalog reads about this workflow."""

import yaml

from tests.docs.pages import ROOT, tracked_files

USAGE = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
RULES = "".join(path.read_text() for path in tracked_files("Snakefile", "rules/*.smk"))


def test_the_catalog_file_has_the_keys_that_the_catalog_reads():
    assert set(USAGE) == {"mandatory-flags", "software-stack-deployment", "report"}
    assert set(USAGE["mandatory-flags"]) == {"desc", "flags"}


def test_the_ways_of_deployment_are_those_that_the_rules_declare():
    assert USAGE["software-stack-deployment"] == {
        "conda": "conda:" in RULES,
        "apptainer": "container:" in RULES,
        "apptainer+conda": "conda:" in RULES and "container:" in RULES,
    }


def test_the_report_has_contents():
    assert USAGE["report"] == ("report(" in RULES)


def test_the_repository_is_laid_out_as_the_catalog_looks_for_workflows():
    assert (ROOT / "Snakefile").is_file()
    assert tracked_files("rules/*.smk")
    readme = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in readme
    assert "workflow" in readme
