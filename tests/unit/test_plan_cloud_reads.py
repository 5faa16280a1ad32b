"""What a machine on AWS may read: all that its boot asks for, and nothing else."""

from __future__ import annotations

from cost_values import cloud_of


def test_a_machine_may_read_its_artifact_and_the_checksum_beside_it() -> None:
    cloud = cloud_of("backend", "db", "feed")
    code = [read.prefix for read in cloud.machine("backend1").reads if read.bucket == "acme-code"]
    assert code == [
        "backend-feature_x.tar.gz",
        "backend-feature_x.tar.gz.sha256",
        "backend-master.tar.gz",
        "backend-master.tar.gz.sha256",
    ]


def test_only_a_machine_that_restores_may_read_extracts() -> None:
    cloud = cloud_of("backend", "db", "feed")
    readers = {m.name for m in cloud.machines if any(r.bucket == "x-1" for r in m.reads)}
    assert readers == {"db1"}
