"""An experiment for one's own task and model, written after a look at their files."""

import re
import shlex
import subprocess
import sys

import pytest
import yaml

from tests.data.conftest import singles, write_rows
from tests.finetune.trained import edit, write_checkpoint
from tests.workflow.conftest import ROOT
from workflow_scripts.common.errors import UserError
from workflow_scripts.data.tasks import read_task
from workflow_scripts.experiment.yaml_file import read_yaml
from workflow_scripts.model.fetch_model import fetch_model
from workflow_scripts.plan.jobs import planned_jobs
from workflow_scripts.plan.own import main, own_experiment, write_experiment


@pytest.fixture
def reviews(tmp_path):
    folder = tmp_path / "my data, {v2}" / "reviews"
    folder.mkdir(parents=True)
    write_rows(folder / "train.tsv", singles(["good", "bad", "good"] * 4))
    write_rows(folder / "dev.tsv", singles(["good", "bad", "good", "good"]))
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny bert"
    names = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    paths = (folder / name for name in (*names, "card.json"))
    fetch_model(*paths, name="tiny", source="random:bert:num_hidden_layers=3")
    return folder


def comments(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if line.startswith("#"))


def test_two_lines_are_the_whole_experiment(reviews):
    name, text = own_experiment(str(reviews))
    lines = [line for line in text.split("\n") if line and not line.startswith("#")]
    assert name == "reviews"
    assert lines == [
        "experiment: {name: reviews, tasks: [reviews]}",
        f'tasks: {{reviews: {{source: "dir:{reviews}"}}}}',
    ]


def test_the_comments_say_what_is_in_the_files(reviews):
    lines = comments(own_experiment(str(reviews))[1])
    assert "Task reviews: 12 training and 4 dev examples" in lines
    assert "columns: sentence, label" in lines
    assert "text: sentence; label: label" in lines
    assert "2 classes (training, dev): bad (4, 1), good (8, 3)" in lines
    assert "always answering good is right for 75.0% of the dev examples" in lines
    assert "words of an example: 4 (median), 4 (longest)" in lines


def test_a_model_is_the_third_line(reviews, model):
    _, text = own_experiment(str(reviews), str(model), "mine")
    assert yaml.safe_load(text) == {
        "experiment": {"name": "mine", "tasks": ["reviews"], "models": ["tiny_bert"]},
        "tasks": {"reviews": {"source": f"dir:{reviews}"}},
        "models": {"tiny_bert": {"source": f"dir:{model}"}},
    }
    assert "Model tiny_bert: bert, 3 layers, width 32" in comments(text)


def enough(folder):
    """As many examples as a surface of the default takes."""
    write_rows(folder / "train.tsv", singles(["good", "bad"] * 30))
    write_rows(folder / "dev.tsv", singles(["good", "bad", "good"] * 20))


def test_what_is_written_can_be_read_as_a_task(reviews, tmp_path, monkeypatch, capfd):
    enough(reviews)
    monkeypatch.chdir(reviews.parent)
    path = tmp_path / "my own.yaml"
    with pytest.raises(SystemExit, match=r"own: NAME: got 'my own', allowed: letters"):
        main(["--task", "reviews", "--name", str(path)])
    path = tmp_path / "mine.yaml"
    main(["--task", "reviews", "--name", str(path)])
    values = read_yaml(path).values
    assert values["experiment"]["name"] == "mine"
    assert read_task(values["tasks"]["reviews"]["source"]).card["train"] == 60
    out = capfd.readouterr().out
    assert path.read_text() in out
    assert f'make plan EXPERIMENT={path} PLAN="--gpu h100"\n' in out
    assert f"make figures EXPERIMENT={path}\n" in out


def test_the_plan_of_what_was_written_is_printed(reviews, tmp_path, capfd):
    enough(reviews)
    path = tmp_path / "mine.yaml"
    main(["--task", str(reviews), "--name", str(path)])
    out = capfd.readouterr().out
    # Between the experiment and the command that draws it.
    order = [f"Written to {path}.", "plan of experiment mine, from nothing to all figures"]
    cost = next(line for line in out.split("\n") if line.startswith("# Planned on this machine"))
    assert cost in path.read_text().split("\n")
    order += ["done after", "task reviews: 60 training examples", "make figures"]
    places = [out.index(words) for words in order]
    assert places == sorted(places)
    total = next(line.split() for line in out.split("\n") if line.startswith("total "))
    assert int(total[1]) == len(planned_jobs([path]))
    assert re.fullmatch(
        rf"# Planned on this machine: {total[1]} jobs, .* of disk, .* of memory", cost
    )


def test_an_experiment_that_cannot_be_planned_is_reported_by_the_plan(reviews, tmp_path, capfd):
    path = tmp_path / "mine.yaml"
    with pytest.raises(SystemExit) as error:
        main(["--task", str(reviews), "--name", str(path)])
    out, _ = capfd.readouterr()
    assert f"Written to {path}." in out
    assert "make figures" not in out
    asked = read_yaml(ROOT / "config.yaml").values["landscape"]["train_examples"]
    problem = f"landscape.train_examples asks for {asked} examples, the file has 12"
    assert problem in str(error.value)
    assert "\n" not in str(error.value)
    assert "Planned" not in path.read_text()


def test_nothing_is_overwritten(reviews, tmp_path):
    (tmp_path / "mine.yaml").write_text("kept")
    with pytest.raises(SystemExit, match="exists and is not overwritten"):
        main(["--task", str(reviews), "--name", str(tmp_path / "mine.yaml")])
    assert (tmp_path / "mine.yaml").read_text() == "kept"
    with pytest.raises(UserError, match="cannot be written"):
        write_experiment("", tmp_path / "mine.yaml" / "below.yaml")


def test_unusual_columns_are_written_down(tmp_path):
    folder = tmp_path / "nli"
    folder.mkdir()
    rows = [{"premise": f"p {i}", "hypothesis": "h", "gold_label": y, "note": "n"}
            for i, y in enumerate(["yes", "no", "-", "yes"])]  # fmt: skip
    for split in ("train", "test"):
        write_rows(folder / f"{split}.jsonl", [*rows, *rows])
    columns = {"dev_split": "test", "unlabeled": "drop", "text": ["hypothesis", "premise"]}
    _, text = own_experiment(str(folder), columns=columns)
    # The name is taken by a task of config.yaml, whose keys would stay.
    assert yaml.safe_load(text)["tasks"] == {
        "my_nli": {"source": f"dir:{folder}", "label": "gold_label", **columns}
    }
    assert "without a label, left out: 2 and 2" in comments(text)
    assert "text: hypothesis and premise; label: gold_label" in comments(text)


def test_two_files_and_names_that_yaml_would_not_read_as_text(tmp_path):
    folder = tmp_path / "no"
    folder.mkdir()
    for name in ("all.tsv", "part.tsv"):
        write_rows(folder / name, singles("abab"))
    _, text = own_experiment(f"{folder}/all.tsv,part.tsv")
    assert yaml.safe_load(text) == {
        "experiment": {"name": "no", "tasks": ["no"]},
        "tasks": {"no": {"source": f"dir:{folder}/all.tsv,part.tsv"}},
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--task", "/no/such"], "no folder /no/such"),
        (["--task", "{reviews}", "--model", "/no/such"], "/no/such: no such folder"),
        (["--task", "{reviews}", "--label", "lable"], "did you mean 'label'?"),
        (["--task", "{reviews}", "--text", "text"], "no text column 'text'"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(arguments, words, reviews, tmp_path):
    arguments = [str(reviews) if a == "{reviews}" else a for a in arguments]
    with pytest.raises(SystemExit) as error:
        main([*arguments, "--name", str(tmp_path / "mine.yaml")])
    message = str(error.value)
    assert words in message
    assert message.splitlines() == [message]
    assert not (tmp_path / "mine.yaml").exists()


def test_it_runs_as_a_command(reviews, tmp_path):
    enough(reviews)
    command = [sys.executable, "-m", "workflow_scripts.plan.own", "--task", str(reviews)]
    done = subprocess.run(
        [*command, "--name", str(tmp_path / "mine.yaml")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "plan of experiment mine" in done.stdout
    assert done.stdout.endswith(f"make figures {shlex.quote(f'EXPERIMENT={tmp_path}/mine.yaml')}\n")
    assert read_yaml(tmp_path / "mine.yaml").values["tasks"]


@pytest.fixture
def run(model, tmp_path):
    """A finished run of the model, whose folder has a space and a quote in its name."""
    folder = tmp_path / "my user's runs" / "reviews run"
    for number, step in enumerate((5, 10, 15), 1):
        write_checkpoint(model, folder / f"checkpoint-{step}", step, number)
    return folder


def test_a_finished_run_takes_the_place_of_training(reviews, model, run):
    _, text = own_experiment(str(reviews), run=str(run))
    assert yaml.safe_load(text) == {
        "experiment": {
            "name": "reviews",
            "tasks": ["reviews"],
            "models": ["tiny_bert"],
            "runs": ["reviews_run"],
        },
        "tasks": {"reviews": {"source": f"dir:{reviews}"}},
        "models": {"tiny_bert": {"source": f"dir:{model}"}},
        "runs": {
            "reviews_run": {"source": f"dir:{run}", "task": "reviews", "model": "tiny_bert"},
        },
        "landscape": {"second": "pca"},
    }
    assert "Run reviews_run: checkpoints at steps 5, 10, 15; step 0 is the model" in comments(text)
    assert "entries of the Trainer's log: 3; its longest input is not known" in comments(text)


def test_the_longest_input_of_a_run_is_that_of_its_tokenizer(reviews, run):
    cut = {"max_length": 20, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    edit(run / "checkpoint-15/tokenizer.json", truncation=cut)
    values = yaml.safe_load(own_experiment(str(reviews), run=str(run))[1])
    assert values["finetune"] == {"max_length": 20}


def test_a_run_of_one_checkpoint_has_a_random_second_direction(reviews, run):
    values = yaml.safe_load(own_experiment(str(reviews), run=str(run / "checkpoint-15"))[1])
    assert "landscape" not in values
    assert values["experiment"]["runs"] == ["checkpoint-15"]


def test_a_run_without_a_base_needs_a_model(reviews, model, run):
    for config in run.glob("*/config.json"):
        edit(config, _name_or_path="bert-base-uncased")
    with pytest.raises(UserError, match=r"RUN: .* its base model is 'bert-base-uncased'"):
        own_experiment(str(reviews), run=str(run))
    values = yaml.safe_load(own_experiment(str(reviews), str(model), run=str(run))[1])
    assert values["runs"]["reviews_run"]["model"] == "tiny_bert"


def test_a_run_of_another_task_is_refused(reviews, run):
    write_rows(reviews / "train.tsv", singles(["good", "bad", "fair"] * 4))
    with pytest.raises(UserError, match=r"RUN: .* got a head of 2 labels, task reviews has 3"):
        own_experiment(str(reviews), run=str(run))


def test_make_own_takes_a_run_whatever_characters_its_path_has(reviews, run):
    command = ["make", "-n", "own", f"TASK={reviews}", f"RUN={run}"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    words = shlex.split(said[said.index("-m workflow_scripts.plan.own") :])
    assert words[words.index("--run") + 1] == str(run)
    assert words[words.index("--task") + 1] == str(reviews)


def test_a_planned_run_says_its_checkpoints_and_what_is_left_out(reviews, run, tmp_path, capfd):
    enough(reviews)
    main(["--task", str(reviews), "--run", str(run), "--name", str(tmp_path / "mine.yaml")])
    out = capfd.readouterr().out
    assert "note: run reviews_run of reviews: 3 checkpoints, steps 5, 10, 15; step 0 is tiny" in out
    assert "note: left out: training on (figure 4), for the runs are imported" in out
    assert "note: left out: runs from scratch" in out
