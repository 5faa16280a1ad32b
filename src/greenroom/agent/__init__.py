"""What runs inside a machine: it learns its role, restores, deploys, starts, checks and signals.

Standard library only, and nothing of greenroom outside this package: `greenroom.agent_archive`
packs it into one zipapp that runs on a bare image. Every import costs the boot of every machine:
what a phase needs alone (hashlib, tarfile, urllib) is imported in that phase, and some modules that
would be natural here are missing on purpose: dataclasses (13 ms), subprocess, argparse, typing.
"""
