# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Count the files, functions and rooms that one spectrum passes from path to row.

Every call of a function of the package is recorded while `predict_parameters` runs on
one file, once everything is loaded (a first call warms up). A change of room is a call
that lies in another folder than the call before it; what lies directly in the package
counts by its file, but for the look-up of a setting. Properties and comprehensions are
calls; a generator is one when it starts, not each time that it goes on, since nobody is
called then. Run as
``python benchmarks/count_road.py [FILE]``.
"""

import argparse
import inspect
import sys
from itertools import pairwise
from pathlib import Path

import astro_latent as al

PACKAGE = Path(al.__file__).parent


def place(frame):
    """Return file and room of a frame of the package, or None."""
    path = Path(frame.f_code.co_filename)
    if not path.is_relative_to(PACKAGE):
        return None
    file = path.relative_to(PACKAGE)
    if file.name == "_config.py":  # as good as a name; elsewhere Astropy looks it up
        return None
    return file.as_posix(), file.parts[0].removesuffix(".py")


def record(function):
    """Run a function; return the calls as (caller's room, file, function, room)."""
    calls, generators = [], set()

    def note(frame, event, _):
        if event != "call" or frame in generators:
            return
        if frame.f_code.co_flags & inspect.CO_GENERATOR:
            generators.add(frame)
        here = place(frame)
        if here is None:
            return
        back, caller = frame.f_back, None
        while back is not None and caller is None:
            caller, back = place(back), back.f_back
        calls.append((caller, here, frame.f_code.co_qualname))

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return calls


def main():
    """Print the counts, and where the changes of room are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", help="by default a bundled apStar")
    parser.add_argument("--model", default="apogee_starnet_v1")
    parser.add_argument("--list", action="store_true", help="name files and changes")
    options = parser.parse_args()
    sample = al.get_survey("sample").table()
    path = options.file or str(sample["path"][0])
    model = al.load_model(options.model)

    def run():
        al.predict_parameters(path, model=model, progress=False)

    run()
    calls = record(run)
    files = sorted({file for _, (file, _), _ in calls})
    functions = {(file, name) for _, (file, _), name in calls}
    rooms = [room for _, (_, room), _ in calls]
    changes = sum(a != b for a, b in pairwise(rooms))
    print(f"{len(files)} files, {len(functions)} functions, {changes} changes of room")
    if options.list:
        print("\n".join(files))
        for (_, (_, before), _), (_, (file, room), name) in pairwise(calls):
            if before != room:
                print(f"{before} -> {file}:{name}")


if __name__ == "__main__":
    main()
