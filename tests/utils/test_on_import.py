# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""One module is imported after another, and nobody else notices."""

import importlib
import importlib.util
import pickle
import sys
import threading
from importlib.machinery import SourceFileLoader

import pytest

from astro_latent.exceptions import AstroLatentWarning
from astro_latent.utils.on_import import _Finder, call_after_import

AWAITED = "slow_library_abc"
TEXT = "found_by = type(__spec__.loader).__name__\nreaders = []\nclass Thing: pass\n"


def follow():
    """Say in the awaited module that we were there."""
    importlib.import_module(AWAITED).readers.append("ours")


def fail():
    raise RuntimeError("bad reader")


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Source of the module that is waited for."""
    file = tmp_path / f"{AWAITED}.py"
    file.write_text(TEXT)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    yield file
    sys.modules.pop(AWAITED, None)


def waiting():
    finders = [finder for finder in sys.meta_path if isinstance(finder, _Finder)]
    return [finder for finder in finders if finder.name == AWAITED]


def test_before(library):
    before = list(sys.meta_path)
    call_after_import(AWAITED, follow)
    assert AWAITED not in sys.modules
    awaited = importlib.import_module(AWAITED)
    assert awaited.readers == ["ours"]
    assert sys.meta_path == before


def test_after(library):
    awaited = importlib.import_module(AWAITED)
    call_after_import(AWAITED, follow)
    assert awaited.readers == ["ours"]
    assert not waiting()


def test_the_module_looks_as_ever(library):
    call_after_import(AWAITED, follow)
    awaited = importlib.import_module(AWAITED)
    assert awaited.found_by == "SourceFileLoader"  # even while it was executed
    assert type(awaited.__loader__) is type(awaited.__spec__.loader) is SourceFileLoader
    assert awaited.__file__ == str(library)
    thing = awaited.Thing()
    assert type(pickle.loads(pickle.dumps(thing))) is awaited.Thing
    assert importlib.reload(awaited) is awaited
    assert awaited.readers == []  # a reload is the affair of who reloads


def test_looking_sets_nothing_off(library):
    call_after_import(AWAITED, follow)
    for _ in range(2):
        spec = importlib.util.find_spec(AWAITED)
        assert spec.origin == str(library)
        assert "readers = []" in spec.loader.get_source(AWAITED)
    assert AWAITED not in sys.modules
    assert len(waiting()) == 1
    module = importlib.util.module_from_spec(spec)
    sys.modules[AWAITED] = module
    spec.loader.exec_module(module)
    assert module.readers == ["ours"]


def test_other_imports_are_left_alone(library):
    call_after_import(AWAITED, follow)
    (finder,) = waiting()
    assert finder.find_spec("json", None) is None
    assert finder.find_spec(f"{AWAITED}.part", ["nowhere"]) is None


def test_twice_is_once(library):
    call_after_import(AWAITED, follow)
    call_after_import(AWAITED, follow)
    assert len(waiting()) == 1
    assert importlib.import_module(AWAITED).readers == ["ours"]


def test_nothing_to_be_found(library):
    call_after_import("no_such_library_abc", follow)
    assert importlib.util.find_spec("no_such_library_abc") is None
    with pytest.raises(ModuleNotFoundError, match="no_such_library_abc"):
        importlib.import_module("no_such_library_abc")


def test_a_failing_library_can_be_tried_again(library):
    library.write_text("raise OSError('no licence')\n")
    call_after_import(AWAITED, follow)
    with pytest.raises(OSError, match="no licence"):
        importlib.import_module(AWAITED)
    library.write_text(TEXT)
    importlib.invalidate_caches()
    assert importlib.import_module(AWAITED).readers == ["ours"]


def test_a_failing_function_is_told_but_spoils_nothing(library):
    call_after_import(AWAITED, fail)
    with pytest.warns(AstroLatentWarning, match=f"fail .*{AWAITED}.*bad reader"):
        awaited = importlib.import_module(AWAITED)
    assert awaited.readers == []
    with pytest.warns(AstroLatentWarning, match="bad reader"):
        call_after_import(AWAITED, fail)
    assert not waiting()


def test_two_may_wait(library):
    call_after_import(AWAITED, follow)
    call_after_import(AWAITED, lambda: follow())
    assert importlib.import_module(AWAITED).readers == ["ours", "ours"]
    assert not waiting()


def test_many_threads(library):
    library.write_text(f"import time\ntime.sleep(0.2)\n{TEXT}")
    call_after_import(AWAITED, follow)
    start, seen = threading.Barrier(8), []

    def work(name):
        start.wait()
        importlib.import_module(name)
        seen.append(list(sys.modules[AWAITED].readers) if name == AWAITED else [])

    names = [AWAITED, "colorsys"] * 4
    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert sorted(seen) == [[]] * 4 + [["ours"]] * 4
    assert not waiting()
