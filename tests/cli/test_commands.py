"""list, info, search, doctor, completion, weights: answers, JSON, suggestions and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Zoo


def test_lists_in_words_and_in_json(zoo: Zoo) -> None:
    assert "yunet_n" in zoo("list").stdout
    for kind in ("models", "methods", "plugins", "formats", "converters", "runtimes", "protocols", "samples", "checks"):
        done = zoo("list", kind, "--json")
        assert done.returncode == 0
        assert isinstance(json.loads(done.stdout), list)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["lisst"], "There is no command 'lisst'. Did you mean list?"),
        (["list", "model"], "There is no list of 'model'. Did you mean models?"),
        (["info", "scrfd_501m"], "Nothing is called 'scrfd_501m'. Did you mean scrfd_500m?"),
        (["fetch", "scrfd_501m"], "There is no model called 'scrfd_501m'. Did you mean scrfd_500m?"),
        (["run", "yunt", "infer", "x.jpg"], "There is no method 'yunt'. Did you mean yunet?"),
        (["run", "yunet", "infr", "x.jpg"], "There is no task 'infr'. Did you mean infer?"),
        (["run", "yunet", "infer", "x.jpg", "--model", "scrfd_501m"], "Did you mean scrfd_500m?"),
        (["run", "yunet", "infer", "x.jpg", "--model", "scrfd_500m"], "scrfd_500m is a model of scrfd, not of yunet"),
        (["run", "yunet", "infer", "x.jpg", "score_treshold=.5"], "Did you mean score_threshold?"),
        (["run", "yunet", "infer", "x.jpg", "--score-threshold", "5"], "takes a number from 0 to 1, not '5'"),
        (["run", "yunet", "infer", "x.jpg", "--runtime", "onxruntime"], "Did you mean onnxruntime?"),
    ],
)
def test_a_mistake_gets_one_sentence_with_the_nearest_name(zoo: Zoo, words: list[str], sentence: str) -> None:
    done = zoo(*words)
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1


def test_debug_shows_the_traceback(zoo: Zoo) -> None:
    assert "Traceback" in zoo("info", "nothing_like_it", "--debug").stderr


@pytest.mark.parametrize("words", [[], ["run"], ["run", "yunet"], ["run", "scrfd", "infer"], ["weights"], ["fetch"]])
def test_help_shows_an_example(zoo: Zoo, words: list[str]) -> None:
    done = zoo(*words, "--help")
    assert done.returncode == 0
    assert "Example:" in done.stdout


def test_help_of_a_task_explains_every_option(zoo: Zoo) -> None:
    text = zoo("run", "yunet", "infer", "--help").stdout
    for flag in ("--model", "--runtime", "--size", "--score auto|geometric|product", "--thresholds", "--save", "--out"):
        assert flag in text, flag


def test_info_tells_a_card_a_method_and_a_plugin(zoo: Zoo) -> None:
    assert json.loads(zoo("info", "yunet_s", "--json").stdout)["parameters"] == 54608
    assert "yunet_n" in json.loads(zoo("info", "yunet", "--json").stdout)["models"]
    assert "onnxruntime" in str(json.loads(zoo("info", "plugin:onnx", "--json").stdout))
    assert "parameters: 75856" in zoo("info", "yunet_n").stdout


def test_search_finds_by_words(zoo: Zoo) -> None:
    found = [card["id"] for card in json.loads(zoo("search", "scrfd", "10g", "--json").stdout)]
    assert set(found) == {"scrfd_10g", "scrfd_10g_bnkps"}
    nothing = zoo("search", "zebra")
    assert nothing.returncode == 0
    assert "zebra" in nothing.stderr


def test_doctor_is_well_and_says_what_it_saw(zoo: Zoo) -> None:
    done = zoo("doctor", "--json")
    assert done.returncode == 0, done.stdout
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert findings["opencv"]["status"] == "ok"
    assert findings["plugins"]["status"] == "ok"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_command(zoo: Zoo, shell: str) -> None:
    assert "_ZOO_COMPLETE" in zoo("completion", shell).stdout


def test_the_shell_is_told_models_and_tasks(zoo: Zoo) -> None:
    environment = {"_ZOO_COMPLETE": "bash_complete", "COMP_WORDS": "zoo run yu", "COMP_CWORD": "2"}
    assert "yunet" in zoo(environment=environment).stdout


def test_a_closed_pipe_is_no_complaint(zoo: Zoo) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        f"{sys.executable} -m zoo list models | head -1", shell=True, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("model")
    assert done.stderr == ""


def test_weights_are_added_found_verified_and_pruned(zoo: Zoo, fixtures: Path, private_cache: Path) -> None:
    file = fixtures / "yunet" / "yunet_n_dynamic.onnx"
    assert zoo("weights", "path", "yunet_n").returncode == 1
    added = zoo("weights", "add", file)
    assert added.returncode == 0, added.stderr
    assert "yunet_n" in added.stdout
    path = Path(zoo("weights", "path", "yunet_n").stdout.strip())
    assert path.read_bytes() == file.read_bytes()
    assert json.loads(zoo("weights", "verify", "--json").stdout) == {"files": 1, "problems": []}
    path.chmod(0o644)
    path.write_bytes(b"something else")
    assert zoo("weights", "verify").returncode == 1
    assert json.loads(zoo("weights", "prune", "--dry-run", "--json").stdout)["kept"] == 1


def test_a_file_of_unknown_hash_is_taken_for_a_model_and_recorded(zoo: Zoo, fixtures: Path, tmp_path: Path) -> None:
    own = tmp_path / "SCRFD_1G.onnx"
    own.write_bytes((fixtures / "scrfd" / "scrfd_500m_dynamic.onnx").read_bytes() + b"\0")
    refused = zoo("weights", "add", own)
    assert refused.returncode == 1
    assert "--as" in refused.stderr
    added = zoo("weights", "add", own, "--as", "scrfd_1g")
    assert added.returncode == 0, added.stderr
    assert "recorded" in added.stdout
    assert zoo("weights", "path", "scrfd_1g").returncode == 0


def test_the_licence_policy_names_the_field_that_decided(zoo: Zoo, fixtures: Path) -> None:
    environment = {"ZOO_WEIGHTS_PATH": str(fixtures)}
    refused = zoo("fetch", "scrfd_500m_bnkps", "--license-policy", "commercial", environment=environment)
    assert refused.returncode == 1
    assert "weights" in refused.stderr and "non-commercial" in refused.stderr
    assert zoo("fetch", "scrfd_500m_bnkps", "--offline", environment=environment).returncode == 0


def test_offline_says_what_to_do(zoo: Zoo) -> None:
    done = zoo("fetch", "yunet_n", "--offline")
    assert done.returncode == 1
    assert "offline" in done.stderr and "zoo weights add" in done.stderr
