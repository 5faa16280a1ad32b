"""Making of an EC2 instance what a local machine is from its start: its names, its image, its
supervisor, its data volume. Imported on AWS only."""

from __future__ import annotations

from .value import TYPE_CHECKING

if TYPE_CHECKING:
    from .account import Account
    from .aws_config import Aws
    from .config import Boot
    from .paths import Paths
    from .progress import Progress


def prepare(config: Boot, aws: Aws, account: Account, paths: Paths, progress: Progress) -> None:
    """Whatever of it is there already stays as it is. Raises AgentError."""
    from .host_names import set_hostname, set_search_domain
    from .provision import provision
    from .session_manager import install_session_manager
    from .systemd_units import boot_again_after_a_reboot, start_supervisor

    with progress.phase("image"):
        set_hostname(config.machine, paths)
        set_search_domain(aws.domain, paths)
        # Before anything that takes long: an instance that reboots meanwhile goes on by itself.
        boot_again_after_a_reboot(paths)
        provision(aws, account, paths, progress)
        start_supervisor(paths)
        install_session_manager(aws, paths, progress)
    if aws.data_volume and config.restore is not None:
        from .data_volume import mount_data_volume

        with progress.phase("volume"):
            mount_data_volume(config.restore, paths, progress)
