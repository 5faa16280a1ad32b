"""An AWS account that is acted on this host: what the rehearsal's test boots its machines in.

The template decides everything here. ``instances`` boots what a launch template says in a real
machine, ``metadata`` serves what EC2 would tell it, ``storage`` is the S3 that it reads, behind
``signatures`` (who asks) and ``policy`` (what its role may do). None of it opens a port of the
host: everything listens inside the region.
"""
