"""Inputs as typed become streams of images."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

import pytest

from tests.inference.colours import picture, save
from zoo import images
from zoo.errors import InputError, UsageError
from zoo.inference.sources import plan
from zoo.names import Names, relative


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.png", "a.jpg", "deep/er/c.webp", "deep/d.JPG.jpg", ".hidden/x.jpg", ".y.jpg"):
        save(tmp_path / "photos" / name)
    (tmp_path / "photos/notes.txt").write_text("not an image")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


def names(*inputs: str, **settings) -> list[str]:
    return [item.name for item in plan(inputs, **settings).items()]


def test_a_file_is_one_item(folder: Path) -> None:
    asked = plan(("photos/a.jpg",))
    (item,) = asked.items()
    assert (asked.total, item.name, item.where, item.folder) == (1, "a.jpg", str(Path("photos/a.jpg")), "photos")
    assert item.load().shape == (48, 64, 3)


def test_a_folder_is_walked_in_the_order_of_names_without_hidden_and_other_files(folder: Path) -> None:
    assert names("photos") == ["a.jpg", "b.png", "deep/d.JPG.jpg", "deep/er/c.webp"]
    assert plan(("photos",)).total == 4
    assert names("photos", recursive=False) == ["a.jpg", "b.png"]


def test_several_inputs_keep_their_order_and_never_share_a_name(folder: Path) -> None:
    save(folder.parent / "other/photos/a.jpg")
    found = names("photos/b.png", "photos", "other/photos", "other/photos/a.jpg", "photos/b.png", recursive=False)
    assert found == ["b.png", "photos/a.jpg", "photos/b.png", "photos-2/a.jpg", "a.jpg", "b-2.png"]


def test_patterns(folder: Path) -> None:
    assert names("photos/*.jpg") == ["a.jpg"]
    assert names("photos/**/*") == ["a.jpg", "b.png", "deep/d.JPG.jpg", "deep/er/c.webp"]
    assert plan(("photos/**/*",)).total == 4
    save(folder / "odd[1].jpg")
    assert names("photos/odd[1].jpg") == ["odd[1].jpg"]
    with pytest.raises(InputError, match=r"photos/\*\.tif matches no images and no videos"):
        plan(("photos/*.tif",))


def test_results_are_not_inputs(folder: Path) -> None:
    save(folder / "results/images/a.jpg")
    assert "results/images/a.jpg" in names("photos")
    assert names("photos", avoid=(folder / "results",)) == ["a.jpg", "b.png", "deep/d.JPG.jpg", "deep/er/c.webp"]
    assert names("photos/**/*.jpg", avoid=(folder / "results",)) == ["a.jpg", "deep/d.JPG.jpg"]
    (folder / "results/infer.zoo.json").write_text("{}")
    assert "results/images/a.jpg" not in names("photos")
    assert names("photos/results") == ["images/a.jpg"]


def test_a_linked_folder_that_leads_back_is_not_followed(folder: Path) -> None:
    (folder / "again").symlink_to(folder, target_is_directory=True)
    assert len(names("photos")) == 4


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("photos/a.jgp", r"There is no file or folder photos/a\.jgp\. Did you mean a\.jpg\?"),
        ("nowhere/a.jpg", r"There is no file or folder nowhere/a\.jpg\."),
        ("https://example.org/a.jpg", "is an address: download it first"),
        ("camera:front", "A camera is given by its number"),
        ("sample:nobody", "nobody"),
    ],
)
def test_what_does_not_exist_is_wrong_usage(folder: Path, text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        plan((text,))


def test_no_input_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="Give an image"):
        plan(())


def test_a_folder_without_images_is_said_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("text")
    with pytest.raises(InputError, match="holds no images"):
        plan((str(tmp_path),))
    (tmp_path / "film.mp4").touch()
    with pytest.raises(InputError, match="give videos by name"):
        plan((str(tmp_path),))
    save(tmp_path / "sub/a.png")
    with pytest.raises(InputError, match="sub-folders were not looked at"):
        plan((str(tmp_path),), recursive=False)


def test_a_file_that_is_no_image_says_so_when_it_is_loaded(folder: Path) -> None:
    (folder / "a.jpg").write_text("text")
    first, *others = plan((str(folder),)).items()
    with pytest.raises(InputError, match=r"a\.jpg is not an image"):
        first.load()
    assert [item.load().shape for item in others] == [(48, 64, 3)] * 3


def test_a_file_that_goes_away_meanwhile_says_so(folder: Path) -> None:
    stream = plan((str(folder),)).items()
    next(stream)
    second = next(stream)
    shutil.rmtree(folder)
    with pytest.raises(InputError, match="cannot be read"):
        second.load()


def test_an_image_on_standard_input() -> None:
    (item,) = plan(("-",), stdin=io.BytesIO(images.encode(picture(), ".png"))).items()
    assert (item.name, item.where) == ("stdin.png", "standard input")
    assert item.load().shape == (48, 64, 3)


@pytest.mark.parametrize("separator", [b"\n", b"\r\n", b"\0"])
@pytest.mark.parametrize("count", [1, 4, 3000])
def test_a_list_on_standard_input(folder: Path, separator: bytes, count: int) -> None:
    listed = separator.join([b"photos/a.jpg", b"photos/gone.jpg"] * count) + separator
    found = list(plan(("-",), stdin=io.BytesIO(listed)).items())
    assert [item.name for item in found] == ["photos/a.jpg", "photos/gone.jpg"] * count
    assert found[0].load().shape == (48, 64, 3)
    with pytest.raises(InputError, match="cannot be read"):
        found[1].load()


def test_a_list_is_worked_on_while_it_grows(folder: Path) -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream:
        os.write(writer, b"photos/a.jpg\n" * 6)
        found = plan(("-",), stdin=stream).items()
        assert [next(found).name for _ in range(4)] == ["photos/a.jpg"] * 4
        os.write(writer, b"photos/b.png")
        os.close(writer)
        assert [item.name for item in found][-1] == "photos/b.png"


def test_nothing_on_standard_input() -> None:
    with pytest.raises(InputError, match="Standard input is empty"):
        list(plan(("-",), stdin=io.BytesIO()).items())


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("/etc/passwd", "etc/passwd"),
        ("../../a.jpg", "a.jpg"),
        ("a/../../b.jpg", "a/b.jpg"),
        ("C:\\photos\\a.jpg", "C_/photos/a.jpg"),
        ("..", "unnamed"),
        ("a\n\0b.jpg", "a__b.jpg"),
    ],
)
def test_names_never_lead_outside(text: str, name: str) -> None:
    assert relative(text) == name


def test_names_are_given_out_once() -> None:
    given = Names()
    asked = ["x/a.jpg", "x/a.jpg", "x/A.JPG", "a.jpg", "x/a-2.jpg", ".a", ".a", "plain", "plain"]
    assert [given.unique(name) for name in asked] == [
        *("x/a.jpg", "x/a-2.jpg", "x/A-3.JPG", "a.jpg", "x/a-2-2.jpg"),
        *(".a", ".a-2", "plain", "plain-2"),
    ]
