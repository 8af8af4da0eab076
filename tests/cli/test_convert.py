"""``zoo convert`` from end to end, on files that the original tools wrote."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Zoo


@pytest.fixture
def originals(fixtures: Path) -> Path:
    return fixtures / "written_by_originals"


def test_a_rec_becomes_folders_and_the_same_rec_again(zoo: Zoo, originals: Path, tmp_path: Path) -> None:
    source = originals / "insightface_rec"
    there = zoo("convert", source, tmp_path / "people", "--to", "identity-folders")
    assert there.returncode == 0, there.stderr
    assert "9 read = 9 done" in there.stdout
    assert sorted(path.name for path in (tmp_path / "people").iterdir()) == ["0", "1", "2"]
    back = zoo("convert", tmp_path / "people", tmp_path / "back", "--to", "insightface-rec", "--workers", "1")
    assert back.returncode == 0, back.stderr
    for name in ("train.rec", "train.idx", "property"):
        assert (tmp_path / "back" / name).read_bytes() == (source / name).read_bytes(), name


@pytest.mark.parametrize("target", ["out.tfrecord", "shards"])
def test_a_rec_survives_other_containers(zoo: Zoo, originals: Path, tmp_path: Path, target: str) -> None:
    kind = {"out.tfrecord": "tfrecord", "shards": "webdataset"}[target]
    assert zoo("convert", originals / "insightface_rec", tmp_path / target, "--to", kind).returncode == 0
    back = zoo("convert", tmp_path / target, tmp_path / "back", "--to", "insightface-rec")
    assert back.returncode == 0, back.stderr
    assert (tmp_path / "back" / "train.rec").read_bytes() == (originals / "insightface_rec" / "train.rec").read_bytes()


@pytest.mark.parametrize("name", ["people.tar", "people.tfrecord"])
def test_people_with_names_become_a_rec_through_other_containers(
    zoo: Zoo, fixtures: Path, tmp_path: Path, name: str
) -> None:
    """Containers do not list the names, so that these are numbered as they come."""
    for source, target in ((fixtures / "identities", name), (fixtures / "identities", "a"), (tmp_path / name, "b")):
        to = [] if target == name else ["--to", "insightface-rec"]
        done = zoo("convert", source, tmp_path / target, *to)
        assert done.returncode == 0, done.stderr
    assert "names became numbers from 0 on, in the order in which they came" in done.stdout
    for file in ("train.rec", "train.idx", "train.lst", "property"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


def test_a_name_with_braces_is_a_set(zoo: Zoo, originals: Path, tmp_path: Path) -> None:
    """As shells leave it alone in quotes."""
    for kind in ("webdataset", "tfrecord"):
        done = zoo("convert", originals / "insightface_rec", tmp_path / kind, "--to", kind, "shard=4")
        assert done.returncode == 0, done.stderr
    shards = [("webdataset/data-{000001..000002}.tar", 5), ("tfrecord/data-{00000..00002}-of-00003.tfrecord", 9)]
    for name, count in shards:
        seen = zoo("inspect", tmp_path / name)
        assert seen.returncode == 0 and f"samples: {count}, all looked at" in seen.stdout, seen.stderr
        target = tmp_path / f"out{count}"
        done = zoo("convert", tmp_path / name, target, "--to", "identity-folders")
        assert done.returncode == 0 and f"{count} read = {count} done" in done.stdout, done.stderr
    gap = zoo("inspect", tmp_path / "webdataset" / "data-{000001..000003}.tar")
    assert gap.returncode == 1 and "data-000003.tar cannot be read: No such file" in gap.stderr
    absent = zoo("inspect", tmp_path / "webdataset" / "data-{000007..000009}.tar")
    assert absent.returncode == 2 and "There is no file or folder" in absent.stderr


def test_labels_of_wider_go_round(zoo: Zoo, fixtures: Path, tmp_path: Path) -> None:
    source = fixtures / "wider" / "labelv2_val.txt"
    steps = [("a.json", "coco"), ("b.txt", "labelv2")]
    before: Path = source
    for name, kind in steps:
        done = zoo("convert", before, tmp_path / name, "--to", kind, "--allow-loss")
        assert done.returncode == 0, done.stderr
        assert "3226 read = 3226 done" in done.stdout
        before = tmp_path / name
    assert before.read_bytes() == source.read_bytes()
    assert sum(not line.startswith("#") for line in before.read_text().splitlines()) == 39697


def test_what_would_be_lost_is_named_and_refused(zoo: Zoo, fixtures: Path, tmp_path: Path) -> None:
    source = fixtures / "wider" / "gt" / "wider_face_val.mat"
    words = ("convert", source, tmp_path / "out.txt", "--to", "labelv2")
    plan = zoo(*words, "--plan", "--json")
    assert plan.returncode == 0, plan.stderr
    assert json.loads(plan.stdout)["lost"] == ["attributes"]
    said = zoo(*words, "--plan").stdout.splitlines()
    assert said[1] == (
        "3,226 samples of detection with attributes such as blur and pose, boxes, which faces are to be ignored, names"
        " of the images"
    )
    assert said[-1] == "would lose: attributes such as blur and pose; stops there unless --allow-loss is given"
    refused = zoo(*words)
    assert refused.returncode == 2
    assert "labelv2 cannot hold attributes such as blur and pose" in refused.stderr
    assert not list(tmp_path.iterdir())


def test_a_plan_that_cannot_be_carried_out_says_so(zoo: Zoo, fixtures: Path, tmp_path: Path) -> None:
    words = ("convert", fixtures / "wider" / "labelv2_val.txt", tmp_path / "out", "--to", "wider-predictions", "--plan")
    plan = zoo(*words)
    assert plan.returncode == 2
    assert "3,226 samples of detection" in plan.stdout
    assert "wider-predictions cannot be written without scores" in plan.stderr
    assert "without scores" in json.loads(zoo(*words, "--json").stdout)["obstacle"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["absent", "out", "--to", "webdataset"], "There is no file or folder absent"),
        (["people", "out", "--to", "webdatset"], "Did you mean webdataset?"),
        (["people", "out"], "Say with --to in which format out is to be written"),
        (["people", "out", "--to", "labelv2"], "A set of identities (identity-folders) cannot become labelv2"),
        (["people", "out.bin"], "But --from pairs make=true makes such a set of it."),
        (["people", "out", "--to", "webdataset", "shards=3"], "There is no option 'shards'"),
        (["people", "out", "--to", "webdataset", "--filter", "size>3"], "The filter 'size>3' is not understood"),
        (["people", "out", "more", "--to", "webdataset"], "'more' is too much"),
    ],
)
def test_a_mistake_is_one_sentence(zoo: Zoo, fixtures: Path, tmp_path: Path, words: list[str], sentence: str) -> None:
    shutil.copytree(fixtures / "identities", tmp_path / "people")
    done = zoo("convert", *words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["people"]


def test_broken_records_go_into_quarantine(zoo: Zoo, originals: Path, tmp_path: Path) -> None:
    source = tmp_path / "set"
    shutil.copytree(originals / "insightface_rec", source)
    for path in source.iterdir():
        path.chmod(0o644)
    data = bytearray((source / "train.rec").read_bytes())
    third = int((source / "train.idx").read_text().splitlines()[2].split()[1])
    data[third : third + 4] = b"\0\0\0\0"
    (source / "train.rec").write_bytes(data)
    words = ("convert", source, tmp_path / "people", "--to", "identity-folders")
    failed = zoo(*words)
    assert failed.returncode == 1
    assert str(third) in failed.stderr and "--on-error quarantine" in failed.stderr
    done = zoo(*words, "--on-error", "quarantine", "--json")
    assert done.returncode == 3, done.stderr
    counts = json.loads(done.stdout)
    assert counts["read"] == counts["done"] + counts["quarantined"]
    assert counts["quarantined"] >= 1
    assert (tmp_path / "people.quarantine" / "reasons.jsonl").read_text().count("\n") == counts["quarantined"]


def test_kill_and_resume_give_the_bytes_of_an_undisturbed_run(zoo: Zoo, fixtures: Path, tmp_path: Path) -> None:
    people = tmp_path / "people"
    images = sorted((fixtures / "identities").rglob("*.png"))
    for number in range(6000):
        folder = people / f"{number // 20:04d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:05d}.png").symlink_to(images[number % len(images)])
    words = [sys.executable, "-m", "zoo", "convert", "people", "killed", "--to", "insightface-rec", "--workers", "2"]
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal = tmp_path / ".killed.converting" / "journal.jsonl"
    deadline = time.monotonic() + 60
    while (not journal.exists() or journal.read_text().count("\n") < 3) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if not (tmp_path / "killed").exists():
        resumed = zoo("convert", "people", "killed", "--to", "insightface-rec", "--resume", cwd=tmp_path)
        assert resumed.returncode == 0, resumed.stderr
    assert zoo("convert", "people", "whole", "--to", "insightface-rec", cwd=tmp_path).returncode == 0
    for name in ("train.rec", "train.idx", "property", "train.lst"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert not list(tmp_path.glob(".killed*"))
