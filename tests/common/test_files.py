from snakemake.io import is_flagged

from workflow_scripts.common.files import File, digests_of
from workflow_scripts.common.wiring import is_bookkeeping, needs, needs_of_job

RUN = File("results/run.parquet", ["run.digest", "task.digest"], by_digest=True)
TABLE = File("results/table.parquet", ["task.digest"])


def test_a_file_is_its_path_and_keeps_each_digest_once():
    file = File("a", ["x", "y", "x"])
    assert (file, file.rests_on, file.by_digest) == ("a", ("x", "y"), False)


def test_digests_of_files_and_lists_of_files_are_sorted():
    assert digests_of(RUN, [TABLE, TABLE]) == ["run.digest", "task.digest"]
    assert digests_of(File("a")) == []


def test_inputs_carry_the_digests_that_they_rest_on():
    inputs = needs(run=RUN, tables=[TABLE, TABLE])
    assert list(inputs) == ["run", "tables", "rests_on_digest"]
    assert inputs["tables"] == ["results/table.parquet"] * 2
    assert inputs["rests_on_digest"] == ["run.digest", "task.digest"]
    assert "rests_on_digest" not in needs(a=File("a"))


def test_only_a_file_with_a_digest_of_its_own_is_ancient():
    inputs = needs(run=RUN, table=TABLE)
    assert is_flagged(inputs["run"], "ancient")
    assert not is_flagged(inputs["table"], "ancient")


def test_an_input_function_gets_the_settings_and_the_wildcards():
    function = needs_of_job(lambda settings, wildcards: {"a": File(settings + wildcards)}, "s")
    assert function("w") == {"a": "sw"}


def test_digests_and_records_are_no_arguments_of_a_script():
    names = ["digest", "weights_digest", "model_record", "card", "digests"]
    assert [is_bookkeeping(name) for name in names] == [True, True, True, False, False]
