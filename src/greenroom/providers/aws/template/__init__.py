"""The compiler: a Stack with its place on AWS to a CloudFormation template. Pure."""

from __future__ import annotations

from greenroom.providers.aws.template.compile import compile_template
from greenroom.providers.aws.template.compiled import CompiledTemplate, NestedTemplate

__all__ = ["CompiledTemplate", "NestedTemplate", "compile_template"]
