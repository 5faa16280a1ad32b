"""How long a create takes, beside the bare server on the same data, in one run.

Prints medians of ten (``--rounds``) and ratios. Needs root. Uses a region of its own and removes
it afterwards; the images come from the host's cache, or are built first.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REGION = "greenroom-bench"
CREATE = ["create", "--machines", "backend", "db", "feed", "--restore_db", "extract", "--branch"]
ENVIRONMENT = {
    **os.environ,
    "GREENROOM_REGION": "bench",
    "GREENROOM_CIDR": "10.222.0.0/16",
    "GREENROOM_PORT": "18099",
    "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
}
# Byte code is what every user has from the second call on.
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=10)
    rounds = options.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as scratch:
        folder = Path(scratch) / "photos"
        make_site(folder)
        try:
            report(folder, rounds)
        finally:
            greenroom(folder, "destroy", "feature_x")
            greenroom(folder, "serve", "--stop")
            for place in (Path("/var/lib") / REGION, Path("/run") / REGION):
                shutil.rmtree(place, ignore_errors=True)


def report(folder: Path, rounds: int) -> None:
    """All figures of one run."""
    greenroom(folder, *CREATE, "feature_x", check=True)
    golden = next(Path(f"/var/lib/{REGION}/pool/goldens").glob("*/volume"))
    image = next(
        path.parent
        for path in Path(f"/var/lib/{REGION}/pool/images").glob("*/image.json")
        if json.loads(path.read_text())["name"] == "mariadb"
    )
    help_s = median(rounds, lambda: greenroom(folder, "--help"))
    list_s = median(rounds, lambda: greenroom(folder, "list"))
    flows_s = median(rounds, lambda: greenroom(folder, "flows", "feature_x"))
    creates, destroys, bare = [], [], []
    for _ in range(rounds):
        destroys.append(timed(lambda: greenroom(folder, "destroy", "feature_x", check=True)))
        bare.append(bare_mariadb(image / "root", golden, Path(f"/var/lib/{REGION}/pool")))
        creates.append(timed(lambda: greenroom(folder, *CREATE, "feature_x", check=True)))
    bare_s = statistics.median(bare)
    rows = [
        ("bare mariadbd on a clone, start to first query", bare_s),
        ("greenroom create backend + db + feed, warm, to proved", statistics.median(creates)),
        ("greenroom destroy, to the receipt", statistics.median(destroys)),
        ("greenroom flows (all probes again)", flows_s),
        ("greenroom list", list_s),
        ("greenroom --help", help_s),
    ]
    print(f"medians of {rounds} on {os.cpu_count()} cores, wall time of the command line\n")
    print(f"{'what':<56}{'ms':>7}{'x bare':>9}")
    for what, seconds in rows:
        print(f"{what:<56}{seconds * 1000:>7.0f}{seconds / bare_s:>9.2f}")
    print("\nthe last create, by phase:")
    for phase in phases(folder):
        print(f"  {phase['phase']:<10}{phase['machine'] or '':<10}{phase['seconds'] * 1000:>6.0f}")


def bare_mariadb(root: Path, golden: Path, pool: Path) -> float:
    """The same server binary on a clone of the same data, in a chroot, with nothing around it.

    Seconds from its start to the answer to its first query.
    """
    clone = pool / "bare"
    subprocess.run(["cp", "-a", "--reflink=auto", str(golden), str(clone)], check=True)
    inside = root / "data"
    inside.mkdir(exist_ok=True)
    argv = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c"]
    script = (
        'mount --bind "$1" "$2/data" && mount -t tmpfs run "$2/run" && mkdir -p "$2/run/mysqld"'
        ' && mount -t proc proc "$2/proc" && chown 101:0 "$2/run/mysqld" && chmod 777'
        ' "$2/run/mysqld" && echo ready && read go && exec chroot "$2" sh -c "mariadbd'
        " --user=mysql 2>/dev/null & until mariadb -N -e 'SELECT 1' 2>/dev/null;"
        ' do sleep 0.005; done; echo done; kill %1 2>/dev/null; wait"'
    )
    process = subprocess.Popen(
        [*argv, script, "sh", str(clone), str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    started = time.monotonic()
    process.stdin.write("go\n")
    process.stdin.flush()
    answers = [process.stdout.readline(), process.stdout.readline()]
    seconds = time.monotonic() - started
    assert "done\n" in answers, answers
    process.kill()
    process.wait()
    time_out = time.monotonic() + 10
    while subprocess.run(["rm", "-rf", str(clone)], check=False).returncode != 0:
        assert time.monotonic() < time_out
    return seconds


def phases(folder: Path) -> list[dict[str, object]]:
    """The phases of the environment's create."""
    done = greenroom(folder, "show", "feature_x", "--json", check=True)
    found: list[dict[str, object]] = json.loads(done.stdout)["phases"]
    return found


def make_site(folder: Path) -> None:
    """The photos example with its full extract."""
    source = ROOT / "examples" / "photos"
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("artifacts"))
    for script in ("make_artifacts.py", "make_data.py"):
        subprocess.run([sys.executable, script], cwd=folder, check=True, capture_output=True)


def greenroom(folder: Path, *words: str, check: bool = False) -> subprocess.CompletedProcess[str]:
    """The command line, as installed beside this interpreter."""
    argv: Sequence[str] = [str(Path(sys.executable).with_name("greenroom")), *words]
    done = subprocess.run(
        argv, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    if check and done.returncode != 0:
        sys.exit(f"{' '.join(words)}: {done.stdout}{done.stderr}")
    return done


def timed(work: Callable[[], object]) -> float:
    """Seconds that it took."""
    started = time.monotonic()
    work()
    return time.monotonic() - started


def median(rounds: int, work: Callable[[], object]) -> float:
    """Median of the seconds of several calls."""
    return statistics.median(timed(work) for _ in range(rounds))


if __name__ == "__main__":
    main()
