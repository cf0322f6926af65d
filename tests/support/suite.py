"""suite.py - tests of real programs that share one world, run in their order, each told as `ok NAME` or `not ok NAME`.

A suite marks its tests with `@test` and ends in `run(NAME, SETUP)`: SETUP(world) makes what every test is given.
Words on the command line choose the tests whose names hold them; exit 2 if they choose none.
"""
import sys
import time

import world as w

tests = []


def test(f):
    tests.append(f)
    return f


def said_of(e):
    """What a test that ended with this exception found: its own words, or where it broke."""
    if isinstance(e, w.Failure):
        return str(e)
    return f"{type(e).__name__}: {e} (line {e.__traceback__.tb_next.tb_lineno})"


def run_one(f, given, why):
    started = time.monotonic()
    try:
        w.must(given, why)
        f(given)
        print(f"ok {f.__name__} ({time.monotonic() - started:.1f} s)", flush=True)
        return True
    except Exception as e:  # a test that breaks is a test that fails; the others still say what they find
        print(f"not ok {f.__name__} ({time.monotonic() - started:.1f} s)", flush=True)
        print("    " + said_of(e).replace("\n", "\n    "), flush=True)
        return False


def run(name, setup, first_always=False):
    """Ends the program: 0 if all tests passed.  first_always: the first test makes what the others look at."""
    wanted = sys.argv[1:]
    chosen = [f for f in tests if not wanted or any(x in f.__name__ for x in wanted)]
    if not chosen:
        print(f"no test is called so: {' '.join(wanted)}; there are {' '.join(f.__name__ for f in tests)}", file=sys.stderr)
        sys.exit(2)
    if first_always and tests[0] not in chosen:
        chosen.insert(0, tests[0])
    given, why = None, ""
    try:
        with w.World(name) as world:
            try:
                given = setup(world)
            except w.Failure as e:
                why = f"the world could not be set up: {e}"
            passed = [run_one(f, given, why) for f in chosen]
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0 if all(passed) else 1)
