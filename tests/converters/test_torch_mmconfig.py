"""Upstream configuration files: what mmengine makes of them by running them, made without running anything."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from zoo_torch.mmconfig import read

from zoo.errors import ModelError
from zoo.models.plan import upstream_document

MARK = Path("/tmp/zoo-config-must-not-exist")
CONFIGS = {
    "base/model.py": """
        x = 3
        model = dict(type='A', backbone=dict(type='B', widths=[1, 2], deep=dict(q=1, r=2)), head=dict(k=1))
    """,
    "base/schedule.py": """
        '''A schedule.'''
        lr = 0.01 * 2
        optimizer = dict(type="SGD", lr=lr, weight_decay=5e-4)
    """,
    "inherits.py": """
        _base_ = ['base/model.py', './base/schedule.py']
        widths = {{_base_.model.backbone.widths}}
        name = '{{fileBasenameNoExtension}}_x'
        model = dict(backbone=dict(_delete_=True, type='C', widths=widths, n=-1, t=(1,) * 3), head=dict(k=2))
        steps = [*[1, 2], 5]
        steps += [7]
        optimizer = dict(lr=2 ** -3, momentum=.9)
        a, b = 1, (2, 3)
        title = f'{a}_y'
        other = {**model, 'z': 1}
        flag: bool = not False
        steps[0] = b[1:]
        log = {'hooks': [dict(type='TextLoggerHook')], 1: None}
    """,
    "deeper.py": """
        _base_ = 'inherits.py'
        model = dict(head=dict(_delete_=True, z=9), neck=dict(type='N'))
    """,
    "alone.py": """
        model = dict(type='SCRFD', bbox_head=dict(anchors=[8, 16], cls=dict(a=1.5), scale=-(2 + 3) / 4 % 2 // 1))
    """,
}


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    (tmp_path / "base").mkdir()
    for name, text in CONFIGS.items():
        lines = text.splitlines()
        (tmp_path / name).write_text("\n".join(line[8:] for line in lines), "utf-8")
    return tmp_path


@pytest.mark.parametrize("name", CONFIGS)
def test_files_mean_what_mmengine_makes_of_them(configs: Path, name: str) -> None:
    config = pytest.importorskip("mmengine.config", reason="the comparison, and inheritance, need mmengine")
    assert read(configs / name) == config.Config.fromfile(configs / name).to_dict()


def test_a_file_that_inherits_nothing_needs_no_mmengine(configs: Path) -> None:
    model = read(configs / "alone.py")["model"]
    assert model["type"] == "SCRFD"
    assert model["bbox_head"] == {"anchors": [8, 16], "cls": {"a": 1.5}, "scale": 0.0}


def refused(folder: Path, text: str) -> str:
    path = folder / "c.py"
    path.write_text(text, "utf-8")
    with pytest.raises(ModelError) as error:
        upstream_document(path)
    assert str(error.value).startswith(str(path)) or "from" in str(error.value)
    assert not MARK.exists()
    return str(error.value)


STATEMENTS = {
    "import os": "line 2: it holds `import os`",
    "from mmengine.config import read_base": "line 2: it holds `from mmengine.config import read_base`",
    f"open({str(MARK)!r}, 'w')": "line 2: it holds `open(",
    f"y = open({str(MARK)!r}, 'w')": "line 2: it calls `open`",
    "y = __import__('os').system('x')": "line 2: it calls `__import__('os').system`",
    "y = eval('1')": "it calls `eval`",
    "y = getattr(x, 'a')": "it calls `getattr`",
    "y = x.__class__": "it holds `x.__class__`",
    "y = ().__class__.__bases__": "it holds `().__class__.__bases__`",
    "y = [i for i in (1, 2)]": "it holds `[i for i in (1, 2)]`",
    "y = lambda: 1": "it holds `lambda: 1`",
    "y = (z := 1)": "it holds `(z := 1)`",
    "for i in (1, 2): pass": "line 2: it holds `for i in (1, 2):`",
    "if x: pass": "line 2: it holds `if x:`",
    "def f(): pass": "line 2: it holds `def f():`",
    "class A: pass": "line 2: it holds `class A:`",
    "with x: pass": "line 2: it holds `with x:`",
    "del x": "line 2: it holds `del x`",
    "assert x": "line 2: it holds `assert x`",
    "dict = eval": "line 2: the name eval is assigned nowhere before",
    "y = unknown": "line 2: the name unknown is assigned nowhere before",
    "y = {{_base_.nothing}}": "nothing stands for {{ _base_.nothing }}",
    "y = '{{ $HOME }}' + '{{ x }}'": "nothing stands for {{ x }}",
    "x.y = 1": "it assigns to `x.y`",
    "y, z = 1, 2, 3": "it assigns 3 values to 2 names",
    "y = x[9]": "cannot be evaluated",
    "y = 1 / 0": "cannot be evaluated",
    "y = {[]: 1}": "cannot be evaluated",
    "y = '%s' % x": "it holds `'%s' % x`",
    "y = f'{x:>9999999999}'": "it formats a value",
    "y = f'{x!r}'": "it formats a value",
    "y = 1 << 99999999": "it holds `1 << 99999999`",
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_what_only_running_could_tell_is_refused_with_its_line(tmp_path: Path, statement: str) -> None:
    assert STATEMENTS[statement] in refused(tmp_path, f"x = [1]\n{statement}\nmodel = dict()\n")


BOMBS = {
    "y = [0] * 10 ** 10": "too large",
    "y = 'a' * 200 * 200 * 200": "too large",
    "y = 9 ** 9 ** 9": "too large",
    "y = 2 ** 64 * 2 ** 64 * 2": "too large",
    "\n".join(["y = [0] * 50", *["y = y + y"] * 30]): "too large",
    "\n".join(["y = [0] * 90000", *["y = y[:]"] * 30]): "too many",
    "\n".join(["y = [0] * 50", *["y = [y] * 50"] * 30]): "too many values",
    "y = dict()\ny['y'] = y": "hold themselves",
    "y = []\nz = [y]\ny += [z]\nz[0] = z": "hold themselves",
    "y = " + "(" * 5000 + ")" * 5000: "Python",
    "y = " + "-" * 100_000 + "1": "nest",
    "y = " + "9" * 10_000: "Python",
    "y = (": "line 2: this is no Python",
    "#" * (1 << 21): "no configuration file",
    "y = '\0'": "Python",
}


@pytest.mark.parametrize("text", BOMBS, ids=range(len(BOMBS)))
def test_what_makes_much_out_of_little_is_refused(tmp_path: Path, text: str) -> None:
    start = time.perf_counter()
    assert BOMBS[text] in refused(tmp_path, f"x = 1\n{text}\nmodel = dict()\n")
    assert time.perf_counter() - start < 5


def test_inheritance_that_cannot_be_followed_is_told(tmp_path: Path) -> None:
    assert "circle" in refused(tmp_path, "_base_ = './c.py'\n")
    assert "cannot be read: No such file" in str(_missing(tmp_path))
    assert "only .py files beside it" in refused(tmp_path, "_base_ = 'mmdet::retinanet/x.py'\n")
    assert "only .py files beside it" in refused(tmp_path, "_base_ = 'https://example.org/x.py'\n")
    assert "_base_ is no file name" in refused(tmp_path, "_base_ = 3\n")


def _missing(folder: Path) -> ModelError:
    (folder / "c.py").write_text("_base_ = 'gone.py'\n", "utf-8")
    with pytest.raises(ModelError) as error:
        read(folder / "c.py")
    return error.value


def test_two_files_that_say_the_same_are_told(configs: Path) -> None:
    (configs / "twice.py").write_text("_base_ = ['base/model.py', 'alone.py']\n", "utf-8")
    with pytest.raises(ModelError, match="inherits model from two files"):
        read(configs / "twice.py")


def test_a_dictionary_over_a_number_is_told_as_mmengine_tells_it(configs: Path) -> None:
    pytest.importorskip("mmengine", reason="inheritance needs mmengine")
    (configs / "over.py").write_text("_base_ = 'base/model.py'\nx = dict(a=1)\n", "utf-8")
    with pytest.raises(ModelError, match="does not fit the files that it inherits from"):
        read(configs / "over.py")


def test_a_file_without_a_model_is_told(tmp_path: Path) -> None:
    assert "describes no model" in refused(tmp_path, "x = 1\n")
    assert "describes no model" in refused(tmp_path, "model = 'A'\n")
