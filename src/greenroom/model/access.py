"""Who asks, and what they may do: roles per stack.

The whole of the rights is ``LEAST``: an action, and the least role that it takes, on a branch's
environment and on production.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

EVERY_STACK = "*"


class Role(StrEnum):
    """What somebody is to a stack; each may do all that those before it may."""

    VIEWER = "viewer"
    DEVELOPER = "developer"
    OPERATOR = "operator"

    @property
    def rank(self) -> int:
        """0 for a viewer, 2 for an operator."""
        return list(Role).index(self)


class Action(StrEnum):
    """What can be asked for. ``READ`` is everything that changes nothing and holds no secret."""

    READ = "read"
    CREATE = "create"
    DEPLOY = "deploy"
    DESTROY = "destroy"
    RECOVER = "recover"
    REPLACE = "replace"
    DRILL = "drill"
    EXTEND = "extend"
    STOP = "stop"
    START = "start"
    CANCEL = "cancel"
    PROVE = "prove"
    EXEC = "exec"
    RUN_JOB = "run-job"
    REGISTER_JOBS = "register-jobs"
    IMAGES = "images"
    AUDIT = "audit"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class Least:
    """The least role for an action; ``production`` is that on the default branch's environment."""

    branch: Role
    production: Role


_ANYWHERE = Least(branch=Role.VIEWER, production=Role.VIEWER)
_CHANGE = Least(branch=Role.DEVELOPER, production=Role.OPERATOR)
_OPERATE = Least(branch=Role.OPERATOR, production=Role.OPERATOR)

LEAST: dict[Action, Least] = {
    Action.READ: _ANYWHERE,
    Action.CREATE: _CHANGE,
    Action.DEPLOY: _CHANGE,
    Action.DESTROY: _CHANGE,
    Action.RECOVER: _CHANGE,
    Action.REPLACE: _CHANGE,
    Action.DRILL: _CHANGE,
    Action.EXTEND: _CHANGE,
    Action.STOP: _CHANGE,
    Action.START: _CHANGE,
    Action.CANCEL: _CHANGE,
    Action.PROVE: _CHANGE,
    Action.EXEC: _CHANGE,
    Action.RUN_JOB: _CHANGE,
    Action.REGISTER_JOBS: _OPERATE,
    Action.IMAGES: _OPERATE,
    Action.AUDIT: _OPERATE,
    Action.TOKENS: _OPERATE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A role on one stack, or on all of them (``EVERY_STACK``)."""

    stack: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks. ``name`` is what the audit log and operations show: ``root`` for a login by the
    unix socket, a token's name, or the part of greenroom that acts by itself. ``origin`` is where
    the request came from: an address, or the process at the other end of the unix socket. ``token``
    is the id of the token that was shown, empty where none was: a name may be given again."""

    name: str
    grants: tuple[Grant, ...]
    origin: str = ""
    token: str = ""

    @classmethod
    def system(cls, part: str) -> Caller:
        """A part of greenroom that acts by itself, such as ``reconciler``."""
        everything = Grant(stack=EVERY_STACK, role=Role.OPERATOR)
        return cls(name=f"greenroom:{part}", grants=(everything,), origin="greenroom")

    def role_on(self, stack: str) -> Role | None:
        """The caller's highest role on the stack; None if it is none of theirs."""
        roles = [each.role for each in self.grants if each.stack in (EVERY_STACK, stack)]
        return max(roles, key=lambda role: role.rank, default=None)


ITSELF = Caller.system("daemon")


def allows(caller: Caller, action: Action, stack: str, *, production: bool) -> bool:
    """Whether the caller may do it on an environment of the stack; for what concerns no stack,
    ``stack`` is ``EVERY_STACK``."""
    role = caller.role_on(stack)
    least = LEAST[action].production if production else LEAST[action].branch
    return role is not None and role.rank >= least.rank
