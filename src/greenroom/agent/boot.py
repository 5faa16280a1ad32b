"""The boot of a machine from its facts to its signal, and a later deploy on the same machine."""

from __future__ import annotations

import sys
import time

from .checks import run_checks
from .config import account_of, parse_boot, read_boot
from .errors import AgentError, StoppedError, one_line
from .facts import Facts, gather_facts, kept_facts, read_facts, write_facts
from .lean import signal
from .metadata import Metadata
from .progress import Progress
from .quick_json import dumps
from .services import Watch, supervisor
from .value import TYPE_CHECKING
from .wait_handle import Outcome, RefusedError, send_signal, signal_body, signal_deadline

if TYPE_CHECKING:
    from types import FrameType

    from .config import Boot, Deploy
    from .deploy import Deployed
    from .paths import Paths

SETTLE_S = 0.3
"""How long services are watched on a machine that has no checks."""

TABLES_S = 60.0


def boot(paths: Paths) -> int:
    """Become what boot.json says, and signal how it went, once; the exit code."""
    started = time.monotonic()
    progress = Progress(paths.phase)
    outcome: Outcome | None = None
    raw: object = None
    try:
        raw = read_boot(paths.boot)
        outcome = _become(parse_boot(raw), paths, progress)
    except AgentError as error:
        outcome = Outcome(success=False, reason=str(error))
    except OSError as error:
        outcome = Outcome(success=False, reason=f"{progress.current}: {one_line(error)}")
    finally:
        _disarm()
        if outcome is None:  # a bug of the agent, which travels on to the log
            bug = sys.exc_info()[1]
            reason = f"{progress.current}: the agent broke: {type(bug).__name__}: {bug}"
            outcome = Outcome(success=False, reason=reason)
        delivered = _signal(raw, outcome, progress, started)
    if outcome.success and delivered:
        _report_from_now_on(parse_boot(raw), paths)
        return 0
    return 1


def _report_from_now_on(config: Boot, paths: Paths) -> None:
    """In a local region: tell from now on how the machine is."""
    if config.health_url is not None:
        from .health import leave_reporter

        leave_reporter(config, config.health_url, read_facts(paths).address, paths)


def _become(config: Boot, paths: Paths, progress: Progress) -> Outcome:
    """All phases; the outcome is a success, everything else is raised."""
    _arm(config.deadline_s, progress)
    report: dict[str, object] | None = None
    deployed: Deployed | None = None
    account = account_of(config, paths)
    if config.aws is not None and account is not None:
        from .instance import prepare

        prepare(config, config.aws, account, paths, progress)
    watch = Watch(supervisor(paths))
    with progress.phase("facts"):
        facts = _facts(config, paths)
    if config.restore is not None:
        from .restore_mariadb import restore

        with progress.phase("restore"):
            report = restore(config.restore, paths, progress, account)
    if config.drill:
        return _success(config, progress, report, None)
    if config.restore is not None:
        # Its server takes longer than all else together, and needs no code.
        watch.begin(config.restore.service)
    if config.provision is not None:
        from .configure import configure

        with progress.phase("provision"):
            deployed = configure(config, facts, paths, progress, account)
    if config.deploy is not None and config.puppet is None:
        from .deploy import deploy, kept_release

        with progress.phase("deploy"):
            kept = kept_release(config.deploy, paths)
            if kept is None:
                deployed = deploy(config.deploy, config.branch, paths, progress, account)
            else:
                progress.notice(f"release {kept} is deployed already: it is kept")
    with progress.phase("services"):
        watch.start(config.services)
    with progress.phase("checks"):
        _check(config, facts, paths, watch, report, progress)
    if config.aws is not None and account is not None and config.aws.records:
        from .name_records import write_records

        with progress.phase("names"):
            write_records(config.aws, config.machine, account, facts, Metadata(paths.metadata_url))
    return _success(config, progress, report, deployed)


def _facts(config: Boot, paths: Paths) -> Facts:
    facts = kept_facts(paths)
    if facts is None:
        metadata = Metadata(paths.metadata_url)
        try:
            facts = gather_facts(metadata)
        finally:
            metadata.close()
    write_facts(facts, config, paths)
    return facts


def _check(
    config: Boot,
    facts: Facts,
    paths: Paths,
    watch: Watch,
    report: dict[str, object] | None,
    progress: Progress,
) -> None:
    if config.restore is not None and report is not None:
        from .restore_mariadb import check_tables

        deadline = time.monotonic() + TABLES_S
        check_tables(config.restore, report, paths, deadline, watch.fail_if_dead)
        if config.aws is not None and config.restore.mode == "clone":
            from .snapshot import count_snapshot

            count_snapshot(config.restore, report, paths, progress)
    if not config.checks and config.services:
        time.sleep(SETTLE_S)
    run_checks(config.checks, facts.address, watch.fail_if_dead)


def _success(
    config: Boot,
    progress: Progress,
    report: dict[str, object] | None,
    deployed: Deployed | None,
) -> Outcome:
    progress.doing("ready")
    done = ", ".join(name for name, _ in progress.phases)
    return Outcome(
        success=True,
        reason=f"{config.machine} is ready: {done}",
        restore=report,
        artifact=deployed.document() if deployed else None,
    )


def _signal(raw: object, outcome: Outcome, progress: Progress, started: float) -> bool:
    """Whether the word arrived. The URL is looked for even in a boot.json that is wrong."""
    known = raw if isinstance(raw, dict) else {}
    progress.log(f"{'SUCCESS' if outcome.success else 'FAILURE'}: {outcome.reason}")
    try:
        body = signal_body(str(known.get("machine", "unknown")), outcome, progress)
        deadline_s = known.get("deadline_s")
        patience_s = float(deadline_s) if isinstance(deadline_s, (int, float)) else 0.0
        until = signal_deadline(started, patience_s)
        send_signal(str(known.get("signal_url", "")), body, until)
    except RefusedError as error:
        # Whoever waited for it does no more: the machine itself is what it should be, as when
        # AWS has replaced an instance, or it boots again.
        progress.log(str(error))
        return outcome.success
    except AgentError as error:
        progress.log(str(error))
        return False
    return True


def _arm(deadline_s: float, progress: Progress) -> None:
    """Turn SIGTERM and the approaching deadline into errors, so that everything cleans up.

    The deadline comes a little early: the reason must still reach the wait condition in time.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        _disarm()
        if number == signal.SIGTERM:
            raise StoppedError(f"stopped by SIGTERM at «{progress.current}»")
        raise StoppedError(f"not ready within {deadline_s:g} s: still at «{progress.current}»")

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(deadline_s - min(2.0, deadline_s * 0.1), 0.01))


def _disarm() -> None:
    """From here on nothing interrupts: what is left is to clean up and to signal."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def redeploy(paths: Paths) -> int:
    """Deploy, restart and check on a running machine; one JSON line on stdout, the exit code."""
    progress = Progress(paths.phase, quiet=True)
    line: dict[str, object] = {"status": "FAILURE"}
    code = 1
    try:
        line["artifact"] = _redeploy(paths, progress)
        line["status"] = "SUCCESS"
        code = 0
    except AgentError as error:
        line["error"] = str(error)
    except OSError as error:
        line["error"] = f"{progress.current}: {one_line(error)}"
    line.update(phases=[list(phase) for phase in progress.phases], notices=progress.notices)
    progress.doing("ready" if code == 0 else f"deploy failed: {line['error']}")
    print(dumps(line))
    return code


def _redeploy(paths: Paths, progress: Progress) -> dict[str, object] | None:
    """The artifact's document; if the new code fails its checks, the former one is back."""
    from .deploy import deploy

    config = parse_boot(read_boot(paths.boot))
    if config.deploy is None:
        raise AgentError(f"{config.machine} deploys nothing")
    _arm(config.deadline_s, progress)
    watch = Watch(supervisor(paths))
    with progress.phase("deploy"):
        account = account_of(config, paths)
        if config.puppet is None:
            deployed = deploy(config.deploy, config.branch, paths, progress, account)
        else:
            from .configure import configure_again

            deployed = configure_again(config, read_facts(paths), paths, progress, account)
    try:
        with progress.phase("services"):
            # What Puppet's code needs anew, Puppet has restarted.
            watch.restart(() if config.puppet else config.deploy.restart)
            watch.start(config.services if config.puppet else ())
        with progress.phase("checks"):
            run_checks(config.checks, read_facts(paths).address, watch.fail_if_dead)
    except AgentError as error:
        if deployed is None or deployed.previous is None:
            raise
        back = _take_back(config, config.deploy, deployed.previous, watch, paths)
        raise AgentError(f"{error}; {back}") from error
    finally:
        _disarm()
    return deployed.document() if deployed else None


def _take_back(config: Boot, former: Deploy, release: str, watch: Watch, paths: Paths) -> str:
    """Put the former release back and wait for it: who reads that it is there finds it serving."""
    from .deploy import switch

    switch(paths.at(former.directory), release)
    told = f"release {release.rpartition('/')[2]} is back in place"
    try:
        watch.restart(former.restart)
        run_checks(config.checks, read_facts(paths).address, watch.fail_if_dead)
    except AgentError as error:
        return f"{told}, but it fails as well: {error}"
    return told


def recheck(paths: Paths) -> None:
    """Ask every service and check of a running machine once; one JSON line on stdout."""
    config = parse_boot(read_boot(paths.boot))
    address = read_facts(paths).address
    from .health import problems_of
    from .restore_mariadb import recheck_tables

    problems = problems_of(config, address, paths)
    if config.restore is not None and not problems:
        try:
            recheck_tables(config.restore, paths)
        except AgentError as error:
            problems.append(str(error))
    print(dumps({"problems": problems}))
