"""The plan: its jobs against Snakemake's own, its operations against PyTorch's count."""

import re
import socket
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml

from tests.workflow.conftest import ROOT, run_snakemake
from workflow_scripts.common.costs import Cost, Job, Lengths, Machine
from workflow_scripts.common.errors import UserError
from workflow_scripts.experiment.products import all_tasks, local_rules, runs
from workflow_scripts.finetune.costs import epoch_flops
from workflow_scripts.model.pricing import Pricing
from workflow_scripts.model.sizes import shape_of
from workflow_scripts.plan import machine as machines
from workflow_scripts.plan.__main__ import plan, read_settings
from workflow_scripts.plan.jobs import PricedJob, cost_of, planned_jobs, priced, schedule
from workflow_scripts.plan.machine import known_gpu, measured
from workflow_scripts.plan.report import duration, hours, quantity, text
from workflow_scripts.plan.sizes import lengths_of
from workflow_scripts.rebuilds.records import versions, write_output_record
from workflow_scripts.stages import STAGES

EXPERIMENTS = ROOT / "experiments"
GIVEN = Machine("as given", 100e9, 200e9, 20e9, False, 2)


def planned(arguments: SimpleNamespace) -> str:
    return text(plan(arguments))


def arguments(folder, **changed) -> SimpleNamespace:
    usual = {"configfile": [], "directory": folder, "cores": 2, "gpus": None, "gpu": None}
    usual |= {"tflops": 0.1, "bf16_tflops": None, "gbps": 20.0, "shape": [], "examples": []}
    usual |= {"submit": 0.0}
    return SimpleNamespace(**usual | changed)


def jobs_of(configfile, folder, machine=GIVEN) -> list[PricedJob]:
    settings = read_settings([configfile])
    pricings = {
        model: Pricing(
            settings,
            shape_of(model, settings.models[model].source, folder)[0],
            {task: lengths_of(settings, task, model, folder) for task in all_tasks(settings)},
            machine,
        )
        for model in settings.experiment.models
    }
    return priced(planned_jobs([configfile]), pricings, machine.gpu)


@pytest.fixture(scope="module")
def smoke_jobs(tmp_path_factory) -> list[PricedJob]:
    return jobs_of(EXPERIMENTS / "smoke.yaml", tmp_path_factory.mktemp("plan"))


def test_planning_a_missing_folder_does_not_create_it(tmp_path):
    folder = tmp_path / "run"
    planned(arguments(folder, configfile=[EXPERIMENTS / "smoke.yaml"]))
    assert not folder.exists()


@pytest.mark.slow
@pytest.mark.parametrize("overlay", [{}, {"landscape": {"precision": "auto", "rows_per_shard": 3}}])
def test_the_jobs_are_those_of_snakemake(overlay, tmp_path):
    done = run_snakemake(tmp_path, "results/figures/all", "-n", "--quiet", "rules", config=overlay)
    assert done.returncode == 0, done.stderr
    # Snakemake prints the counts at the start and again at the end.
    table, total = re.search(r"^(job .*?)^total +(\d+)$", done.stdout, re.M | re.S).groups()
    expected = Counter()
    for rule, count in re.findall(r"^(\S+) +(\d+)$", table, re.MULTILINE):
        expected[rule] += int(count)
    assert expected.total() == int(total) > 90
    assert expected.pop("results/figures/all") == 1
    (tmp_path / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    files = [EXPERIMENTS / "smoke.yaml", tmp_path / "overlay.yaml"]
    assert Counter(job.rule for job in planned_jobs(files)) == expected


def test_every_rule_is_priced_by_one_stage_and_every_price_is_used(smoke_jobs):
    rules = {priced.job.rule for priced in smoke_jobs}
    assert {cost_of(rule)[0] for rule in rules} == {stage.name for stage in STAGES}
    used = {name for stage in STAGES for name in stage.costs for rule in rules
            if f"{rule}_".startswith(f"{name}_")}  # fmt: skip
    # Where the precision is float32, nothing is calibrated; smoke.yaml imports no run.
    unused = {"calibrate_precision", "import_run"}
    assert used == {name for stage in STAGES for name in stage.costs} - unused


def test_a_cluster_makes_its_jobs_longer(tmp_path):
    folder = tmp_path / "run"
    files = [EXPERIMENTS / "smoke.yaml", tmp_path / "overlay.yaml"]
    files[1].write_text("landscape: {rows_per_shard: 50}")
    one, many = (
        planned(arguments(folder, configfile=files, cores=1, submit=seconds)).splitlines()
        for seconds in (0.0, 3600.0)
    )
    # As many as tests/cluster/test_slurm.py finds in SLURM's queue.
    here = local_rules(read_settings(files))
    submitted = sum(job.rule not in here for job in planned_jobs(files))
    assert 0 < submitted < len(planned_jobs(files))
    line = f"- {submitted} jobs are submitted, each 3600 s longer than on one machine"
    assert line in "\n".join(many)
    assert not any("submitted" in line for line in one)
    hours_of = [
        float(line.split()[2]) for lines in (one, many) for line in lines if "total" in line[:5]
    ]
    assert hours_of[1] - hours_of[0] == pytest.approx(submitted, abs=0.1)


def test_a_job_comes_after_those_that_it_needs(smoke_jobs):
    assert len({one.job.name for one in smoke_jobs}) == len(smoke_jobs)
    seen = set()
    for one in smoke_jobs:
        assert seen.issuperset(one.job.needs), one
        seen.add(one.job.name)
    order = [run.recipe for run in runs(read_settings([EXPERIMENTS / "smoke.yaml"]))]
    assert order.index("finetune") < order.index("continued")


def counted_flops(forward, backward=False) -> int:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        logits = forward()
        if backward:
            logits.sum().backward()
    return counter.get_total_flops()


@pytest.mark.parametrize("kind", ["forward", "training on a CPU", "training on a GPU"])
def test_operations_are_those_that_pytorch_counts(kind, tmp_path):
    from workflow_scripts.finetune.packed import forward_of
    from workflow_scripts.model.encoder import classifier_of
    from workflow_scripts.model.random_model import random_config
    from workflow_scripts.model.text import Encoded, collate

    sizes = {"num_hidden_layers": 4, "hidden_size": 96, "num_attention_heads": 3}
    sizes |= {"intermediate_size": 320, "max_position_embeddings": 64, "vocab_size": 600}
    module = classifier_of(random_config("bert", sizes, 600), labels=2, attention="eager")
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    training = kind.startswith("training")
    module.train(training)
    lengths, indices = np.full(16, 24), np.arange(16)
    ids = torch.randint(0, 600, (16, 24)).tolist()
    examples = Encoded(ids, None, lengths, np.zeros(16, np.int64))

    def forward() -> torch.Tensor:
        if kind == "training on a CPU":  # PyTorch counts no float32 products of oneDNN
            return forward_of(module.double(), 0, torch.device("cpu"))(examples, indices)
        return module(**collate(examples, indices, 0)).logits

    counted = counted_flops(forward, training)
    source = "random:bert:" + ",".join(f"{key}={value}" for key, value in sizes.items())
    settings = read_settings([])
    shape, _ = shape_of("m", source, ROOT)
    machine = replace(GIVEN, gpu=kind == "training on a GPU")
    costs = Pricing(settings, shape, {"t": Lengths(lengths, lengths, "")}, machine)
    recipe = settings.finetune.recipes["finetune"]
    ours = epoch_flops(costs, lengths, recipe) if training else costs.forward_flops(lengths)
    # Left out: pooler and head, once an example, and gradients of the embeddings' own input.
    assert ours == pytest.approx(counted, rel=0.02)


def test_the_engine_has_less_to_do_than_a_plain_forward_pass(tmp_path):
    settings = read_settings([])
    shape, _ = shape_of("minilm", settings.models["minilm"].source, tmp_path)
    lengths = np.full(32, 25)
    costs = Pricing(settings, shape, {"t": Lengths(lengths, lengths, "")}, GIVEN)
    engine, plain = costs.engine_flops(lengths), costs.forward_flops(lengths)
    # 5 of 6 layers, and a sixth that answers for one token of 25: spec of the packed engine.
    weights = 2 * shape.layer_weights * lengths.sum()
    assert 5 / 6 < engine / plain < 0.95
    assert engine > 5 * weights
    half = costs.engine_flops(lengths, fixed=3)
    assert half == pytest.approx(engine - 3 * (weights + 4 * 384 * np.square(lengths).sum()))


def job(name, seconds, needs=(), threads=1, gpu=False) -> PricedJob:
    planned = Job(name, "rule", {}, (name,), tuple(needs), threads, gpu)
    return PricedJob(planned, "data", Cost(seconds))


def test_a_schedule_by_hand():
    jobs = [job("a", 3), job("b", 2), job("c", 2, "b"), job("d", 1, "ac"), job("e", 9, threads=2)]
    # a and b, then c beside a; d after both; e needs both cores.
    assert schedule(jobs, 2, 0) == {"b": 2, "a": 3, "c": 4, "d": 5, "e": 14}
    assert schedule(jobs, 9, 0)["e"] == 9
    assert sum(j.cost.seconds for j in jobs) == max(schedule(jobs, 1, 0).values()) == 17


def test_gpus_are_waited_for():
    jobs = [job(name, 4, gpu=True) for name in "abcd"] + [job("e", 1)]
    ends = schedule(jobs, 8, 2)
    assert max(ends.values()) == 8
    assert ends["e"] == 1


def test_a_rate_scales_the_work_but_not_the_start(tmp_path):
    slow = Machine("half", 50e9, 100e9, 10e9, False, 2)
    found = [sum(j.cost.seconds for j in jobs_of(EXPERIMENTS / "smoke.yaml", tmp_path, of))
             for of in (GIVEN, slow)]  # fmt: skip
    assert found[0] < found[1] < 1.5 * found[0]  # the smoke experiment is nothing but starts


def test_the_paper_is_planned_without_a_network(tmp_path, monkeypatch):
    def refused(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refused)
    paper = [EXPERIMENTS / "paper.yaml"]
    text = planned(arguments(tmp_path, configfile=paper, cores=16, gpus=4, gpu="h100"))
    assert "4 jobs that run a model at a time" in text
    assert "392,702 training examples" in text
    total = re.search(r"^total +(\d+) +(\S+) +(\S+) +(\S+) (\S+) +(\d+) GB", text, re.MULTILINE)
    assert int(total[1]) > 500
    # 7 runs of MNLI's size alone hold 1.3 GB after each of 3 to 16 epochs.
    checkpoints = sum(run.epochs + 1 for run in runs(read_settings(paper)))
    assert int(total[6]) == pytest.approx(1.334 * checkpoints, rel=0.05)


def test_the_plan_reports_results_of_other_library_versions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    card = tmp_path / "results/data/nli/card.json"
    card.parent.mkdir(parents=True)
    card.write_text("{}")
    old = {"numpy": "1.0"}
    write_output_record("results/data/nli/card.json", {"libraries": old, "versions": old})
    text = planned(arguments(tmp_path, configfile=[EXPERIMENTS / "smoke.yaml"]))
    assert f"1 results were made with numpy 1.0 (now {versions()['numpy']}): kept" in text


def test_the_command():
    command = [sys.executable, "-m", "workflow_scripts.plan", "--tflops"]
    done = subprocess.run(
        [*command, "0.1", "--cores", "3"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "3 jobs at a time on 3 cores" in done.stdout
    done = subprocess.run([*command, "0"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--tflops: invalid positive number value: '0'" in done.stderr
    done = subprocess.run(
        [*command[:-1], "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "70% of its data sheet's rates" in done.stdout


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"configfile": ["nowhere.yaml"]}, "nowhere.yaml"),
        ({"examples": ["nil=1,2,3"]}, "--examples: got 'nil=1,2,3'"),
        ({"shape": ["minilm"]}, "--shape: got 'minilm'"),
        ({"shape": ["minilm=/nowhere"]}, "/nowhere/config.json"),
    ],
)
def test_a_mistake_is_reported_in_one_line(changed, message, tmp_path):
    changed = {k: [Path(v) for v in vs] if k == "configfile" else vs for k, vs in changed.items()}
    with pytest.raises(UserError, match=re.escape(message)):
        planned(arguments(tmp_path, **changed))


def test_a_task_that_is_not_known_may_be_given(tmp_path):
    overlay = tmp_path / "overlay.yaml"
    commit = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"
    overlay.write_text(
        f'tasks: {{nli: {{source: "hub:nyu-mll/glue/wnli@{commit}", train: null, dev: null}}}}'
    )
    with pytest.raises(UserError, match=r"tasks\.nli\.source: .*--examples nli=TRAIN,DEV,TOKENS"):
        planned(arguments(tmp_path, configfile=[overlay]))
    text = planned(arguments(tmp_path, configfile=[overlay], examples=["nli=5000,700,50"]))
    assert "task nli: 5,000 training examples" in text


def test_this_machine_is_measured():
    found = measured(384, 1536, "cpu", 1, 2, 0)
    twice = measured(384, 1536, "cpu", 2, 2, 0)
    assert 1e9 < found.flops < 1e13
    assert 1e8 < found.bytes < 1e13
    # Rates are measured, not given: two measurements are near each other, and two threads do more.
    assert twice.flops == pytest.approx(2 * found.flops, rel=0.5)


def test_cores_that_share_a_unit_share_its_rate(monkeypatch):
    monkeypatch.setattr(machines, "_seconds", lambda *_: 1e-3)
    monkeypatch.setattr(machines, "_physical_cores", lambda: 4)
    alone, together = (measured(64, 64, "cpu", 1, cores, 0).flops for cores in (4, 8))
    assert together == alone / 2


def test_a_known_gpu():
    found = known_gpu("a100", 8, 2)
    assert found.flops == pytest.approx(0.7 * 19.5e12)
    assert found.gpu
    assert found.gpus == 2


def test_numbers_in_words():
    assert [hours(s) for s in (36, 7200, 3.6e6)] == ["0.01", "2.0", "1,000"]
    assert [duration(s) for s in (5, 600, 7200, 864000)] == ["5 s", "10 min", "2.0 h", "10.0 days"]
    assert [quantity(v) for v in (5, 5.2e3, 2.27e7, 3e12)] == ["5 ", "5.2 k", "22.7 M", "3 T"]
