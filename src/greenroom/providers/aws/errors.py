"""What boto3 raises, translated: every foreign error becomes one of ours, in the edge's one place.

The codes are those of "Common errors" in each service's API reference and of botocore's own retry
table. A message of AWS's is kept word for word where it says more than we can.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from botocore import exceptions
from botocore.parsers import ResponseParserError

from greenroom.errors import GreenroomError, HostError, InputError, OperationError, RefusedError

POLICY_HINT = "docs/aws.md has the operator's policy that allows all that greenroom asks for"
CREDENTIALS_HINT = (
    "sign in (aws sso login, aws configure), name a profile (--profile, AWS_PROFILE), "
    "or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
)
LIMIT_HINT = "remove what is not needed, or ask for more in the Service Quotas console"

THROTTLED = frozenset(
    (
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    )
)
_DENIED = frozenset(
    (
        "403",
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "NotAuthorized",
        "UnauthorizedAccess",
        "UnauthorizedOperation",
    )
)
_EXPIRED = frozenset(
    ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")
)
_NOT_ACCEPTED = frozenset(
    (
        "AuthFailure",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "OptInRequired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    )
)
_LIMITS = re.compile(r"\w*(LimitExceeded|QuotaExceeded)(Exception)?|\w*MaxIOPSLimitExceeded")
_FORBIDDEN = re.compile(
    r"(?:User: (?P<who>\S+) )?is not authorized to perform: (?P<action>[\w:*-]+)"
    r"(?: on resource: \"?(?P<resource>[^\s\"]+)\"?)?"
)
_EXPLICIT = re.compile(r"with an explicit deny in an? ([\w -]+?policy)")
_PARAMETER = re.compile(
    r"(?:fetch parameters|[Pp]arameters? (?:cannot be found|not found)|ssm:|SSM)[^/]*"
    r"(?P<path>/[\w./-]+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked of AWS: ``service`` as boto3 calls it, ``operation`` as the API does,
    ``subject`` the thing it was about, empty if there is none to name."""

    service: str
    operation: str
    region: str
    subject: str = ""

    @property
    def action(self) -> str:
        """The action as a policy names it. S3's differ from its operations."""
        if self.service == "s3":
            return f"s3:{_S3_ACTIONS.get(self.operation, self.operation)}"
        return f"{self.service}:{self.operation}"

    def __str__(self) -> str:
        return f"{self.action} ({self.subject})" if self.subject else self.action


_S3_ACTIONS = {
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListObjectsV2": "ListBucket",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
}


class AnswerError(OperationError):
    """AWS understood and said no: ``aws_code`` and ``aws_message`` are its own words."""

    def __init__(self, asked: Asked, aws_code: str, aws_message: str) -> None:
        super().__init__(
            "E_AWS_REFUSED", f"AWS refused {asked}: {aws_message or 'no reason'} ({aws_code})"
        )
        self.aws_code = aws_code
        self.aws_message = aws_message


class ThrottledError(OperationError):
    """AWS asks us to be slower, also after boto3's own retries."""


class UnreachableError(HostError):
    """No answer: whether the request had an effect is not known."""


def translated(error: BaseException, asked: Asked) -> GreenroomError:
    """The error of ours that says what ``error`` means; one that is unknown is kept in words."""
    if isinstance(error, exceptions.ClientError):
        return _from_answer(error, asked)
    if isinstance(error, _NO_CREDENTIALS):
        return HostError(
            "E_AWS_CREDENTIALS",
            f"there are no AWS credentials to ask for {asked.action} with ({_words(error)})",
            hint=CREDENTIALS_HINT,
        )
    if isinstance(error, _EXPIRED_SIGN_IN):
        return _expired(_words(error))
    if isinstance(error, exceptions.NoRegionError):
        return no_region()
    if isinstance(error, exceptions.InvalidRegionError):
        return unknown_region(asked.region, ())
    if isinstance(error, exceptions.ParamValidationError):
        return InputError(
            "E_AWS_PARAMETER",
            f"{asked}: {_words(error)}",
            hint="greenroom template BLUEPRINT shows what would be sent; mend the blueprint",
        )
    if isinstance(error, _UNREACHABLE):
        return UnreachableError(
            "E_AWS_UNREACHABLE",
            f"AWS did not answer {asked} in {asked.region}: {_words(error)}",
            hint="look at the network, a proxy (HTTPS_PROXY) and AWS_ENDPOINT_URL; "
            "https://health.aws.amazon.com tells of AWS's own faults",
        )
    return OperationError("E_AWS", f"{asked} failed: {type(error).__name__}: {_words(error)}")


_NO_CREDENTIALS = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.NoAuthTokenError,
    exceptions.MetadataRetrievalError,
)
_EXPIRED_SIGN_IN = (
    exceptions.SSOTokenLoadError,
    exceptions.UnauthorizedSSOTokenError,
    exceptions.TokenRetrievalError,
    exceptions.SSOError,
)
# An answer that breaks off in its middle is no error of the connection to botocore.
_UNREACHABLE = (exceptions.HTTPClientError, exceptions.ConnectionError, ResponseParserError)


def _from_answer(error: exceptions.ClientError, asked: Asked) -> GreenroomError:
    answer = error.response.get("Error", {})
    code = str(answer.get("Code", ""))
    message = _plain(str(answer.get("Message", "")))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in THROTTLED:
        return ThrottledError(
            "E_AWS_THROTTLED",
            f"AWS throttles {asked} in {asked.region}: {message or code}",
            hint="something else in the account asks as often as it may; try again later",
        )
    if code in _EXPIRED or "Signature expired" in message:
        return _expired(message or code)
    if code in _NOT_ACCEPTED:
        # What follows is the request as AWS has read it, with the session's token.
        first = message.partition("\n")[0]
        return HostError(
            "E_AWS_CREDENTIALS",
            f"AWS does not accept the credentials for {asked.action}: {first} ({code})",
            hint=f"{CREDENTIALS_HINT}; the clock of this host must be right, too",
        )
    if code in _DENIED:
        return denied(message, asked)
    if _LIMITS.fullmatch(code):
        return OperationError(
            "E_AWS_LIMIT", f"a limit of the account forbids {asked}: {message}", hint=LIMIT_HINT
        )
    if status >= 500:
        return UnreachableError(
            "E_AWS_UNAVAILABLE",
            f"AWS failed at {asked} in {asked.region}: {message or code}",
            hint="try again; https://health.aws.amazon.com tells of AWS's own faults",
        )
    return AnswerError(asked, code, message)


def denied(message: str, asked: Asked) -> RefusedError:
    """The right that is missing: action and resource as AWS names them, else as we asked."""
    found = _FORBIDDEN.search(message)
    action = found["action"] if found else asked.action
    resource = (found["resource"] if found else None) or asked.subject
    who = f" to {found['who']}" if found and found["who"] else ""
    where = f" on {resource}" if resource else ""
    explicit = _EXPLICIT.search(message)
    if explicit:
        hint = f"an explicit deny in a {explicit[1]} forbids it; its owner must change that"
    else:
        hint = f"allow {action}{where}; {POLICY_HINT}"
    return RefusedError("E_AWS_DENIED", f"AWS denies {action}{where}{who}", hint=hint)


def is_denied(message: str) -> bool:
    """Whether a reason of CloudFormation's is about a missing right."""
    return _FORBIDDEN.search(message) is not None or "not authorized" in message


def unknown_parameter(message: str) -> str | None:
    """The path of the SSM parameter that AWS says is not there, or None for another message."""
    found = _PARAMETER.search(message)
    return found["path"].rstrip(".") if found else None


_NAME_A_REGION = "name one with --region or AWS_REGION, or in the blueprint's section aws"


def no_region() -> InputError:
    """Nobody said which region is meant."""
    return InputError(
        "E_AWS_REGION",
        "no AWS region is named",
        hint=_NAME_A_REGION,
    )


def unknown_region(region: str, known: tuple[str, ...]) -> InputError:
    """A region that boto3 has not heard of and that does not answer."""
    near = get_close_matches(region, known, n=1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    return InputError(
        "E_AWS_REGION",
        f"there is no AWS region {region!r}{meant}",
        hint=_NAME_A_REGION,
    )


def unknown_profile(profile: str, known: tuple[str, ...]) -> InputError:
    """A profile that is not in the shared configuration."""
    there = f"profiles of this host: {', '.join(known)}" if known else "this host has no profiles"
    return InputError(
        "E_AWS_PROFILE",
        f"there is no AWS profile {profile!r}",
        hint=f"{there}; aws configure sso --profile {profile} makes it",
    )


def _expired(words: str) -> HostError:
    return HostError(
        "E_AWS_EXPIRED",
        f"the AWS credentials have expired: {words}",
        hint="sign in again: aws sso login, or whatever gave you the session's keys",
    )


def _words(error: BaseException) -> str:
    """The error's own words on one line."""
    return _plain(" ".join(str(error).split()))


_MARKUP = re.compile(r"(?:b?['\"])?<(?:!doctype|html|head|body|\?xml)\b", re.IGNORECASE)
_TITLE = re.compile(r"<(title|h1)[^>]*>\s*(.*?)\s*</\1>", re.IGNORECASE | re.DOTALL)
_TITLE_MAX = 80


def _plain(text: str) -> str:
    """A proxy or a load balancer that fails answers with a page: its title stands for it."""
    markup = _MARKUP.search(text)
    if markup is None:
        return text
    title = _TITLE.search(text, markup.start())
    page = " ".join(title[2].split())[:_TITLE_MAX] if title else "a page and no answer of AWS's"
    said = text[: markup.start()].strip().rstrip(":").replace("\\n", " ").strip()
    return f"{said}: {page}" if said else page
