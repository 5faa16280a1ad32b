"""What an IAM policy document allows, as far as the documents of our templates go.

Source: IAM user guide, «Policy evaluation logic» and «IAM JSON policy elements». What is not known
here is an error of the test, never an allowance.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Context = Mapping[str, Sequence[str]]

_KNOWN = {"Sid", "Effect", "Action", "Resource", "Condition"}


def is_allowed(
    documents: Sequence[Mapping[str, Any]],
    action: str,
    resource: str,
    context: Context,
) -> bool:
    """Whether one statement allows it and none denies it. ``context`` holds the request's
    condition keys in lower case, each with all of its values."""
    effects = {
        statement["Effect"]
        for document in documents
        for statement in _statements(document)
        if _applies(statement, action, resource, context)
    }
    return "Allow" in effects and "Deny" not in effects


def _statements(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    assert document["Version"] == "2012-10-17", document
    for statement in _listed(document["Statement"]):
        assert set(statement) <= _KNOWN, f"the rehearsal does not know all of {statement}"
        yield statement


def _applies(statement: Mapping[str, Any], action: str, resource: str, context: Context) -> bool:
    return (
        # Actions are matched whatever their case, resources are not.
        any(_is_like(a.lower(), action.lower()) for a in _listed(statement["Action"]))
        and any(_is_like(r, resource) for r in _listed(statement["Resource"]))
        and all(
            _is_met(operator, _listed(wanted), context.get(key.lower(), ()))
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _is_met(operator: str, wanted: Sequence[str], values: Sequence[str]) -> bool:
    """``values`` are the request's; with ForAllValues none at all will do as well."""
    quantifier, _, plain = operator.rpartition(":")
    match plain:
        case "StringEquals":
            met = [value in wanted for value in values]
        case "StringLike":
            met = [any(_is_like(pattern, value) for pattern in wanted) for value in values]
        case _:
            raise AssertionError(f"the rehearsal does not know the condition {operator}")
    match quantifier:
        case "":
            return len(met) == 1 and met[0]
        case "ForAllValues":
            return all(met)
        case _:
            raise AssertionError(f"the rehearsal does not know the condition {operator}")


def _is_like(pattern: str, text: str) -> bool:
    """``*`` is any text, ``?`` any character, ``${*}`` the sign itself (IAM user guide, «Policy
    variables»). Any other variable is unknown here."""
    tokens = re.findall(r"\$\{[*?$]\}|.", pattern, re.DOTALL)
    parts = (
        ".*" if t == "*" else "." if t == "?" else re.escape(t[2] if len(t) == 4 else t)
        for t in tokens
    )
    assert "${" not in "".join(t for t in tokens if len(t) == 1), pattern
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
