"""Speaking to a DICOMweb archive: who one is, whom one trusts, how long one waits, and what can go wrong."""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from transforms.errors import ArchiveError, CTError, MissingExtraError, NotFoundError, SettingError

if TYPE_CHECKING:
    from dicomweb_client.api import DICOMwebClient
    from requests import PreparedRequest, Response, Session

logger = logging.getLogger(__name__)

USER, PASSWORD, TOKEN = "CTVOL_DICOMWEB_USER", "CTVOL_DICOMWEB_PASSWORD", "CTVOL_DICOMWEB_TOKEN"
"""Environment variables with the credentials."""

CA_BUNDLE = "REQUESTS_CA_BUNDLE"
"""Environment variable with the file of the authorities to trust in place of the usual ones; `requests` reads it."""

CONNECT_SECONDS, SILENCE_SECONDS = 10.0, 120.0
"""How long to wait for a connection, and for the next bytes on it: an archive may have to fetch a series from tape."""

BUSY = (429, 502, 503, 504)
"""Answers after which a question is asked again."""

ATTEMPTS = 3
"""How often a question is asked of an archive that is busy or cannot be reached. What is sent is sent once."""


def connect(service: str) -> DICOMwebClient:
    """A client of an archive.

    Args:
        service: As :func:`pipeline.dicomweb.service_address` has it.

    Raises:
        MissingExtraError: Without `dicomweb-client`.
        SettingError: When the environment has half of the credentials, or names a file that is not there.
    """
    try:
        from dicomweb_client.api import DICOMwebClient
    except ImportError as error:
        raise MissingExtraError(
            "reading from a DICOMweb archive needs dicomweb-client",
            where=service,
            remedy="pip install 'ctvol[dicomweb]'",
        ) from error
    try:
        client = DICOMwebClient(
            service, session=_session(service), permissive_uid=True, timeout=(CONNECT_SECONDS, SILENCE_SECONDS)
        )
    except ValueError as error:
        raise SettingError("this is no address of a DICOMweb archive", where=service) from error
    client.set_http_retry_params(retry=False)  # its own waits half a minute for an archive that refuses
    return client


@contextmanager
def speaking_to(where: object) -> Iterator[None]:
    """Turns what can go wrong between two machines into errors of the family.

    Args:
        where: The address that is asked, for the message.

    Raises:
        ArchiveError: The archive cannot be reached, the connection was lost, it refuses, or its answer is not DICOM.
        NotFoundError: It has nothing at this address.
    """
    import requests
    from pydicom.errors import InvalidDicomError

    try:
        yield
    except requests.exceptions.JSONDecodeError as error:
        raise _no_dicom(where) from error
    except requests.RequestException as error:
        raise _in_our_words(error, str(where)) from error
    # What parsers of JSON, of multipart messages and of DICOM raise for bytes that are none.
    except (InvalidDicomError, ValueError, LookupError, AttributeError, TypeError, EOFError, struct.error) as error:
        raise _no_dicom(where) from error


def _session(service: str) -> Session:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    bundle = os.environ.get(CA_BUNDLE)
    if bundle and not Path(bundle).exists():
        raise SettingError(
            f"the file of {CA_BUNDLE} is not there", where=bundle, remedy="Correct the variable, or unset it"
        )
    session = requests.Session()
    # Always set: without it `requests` would look for credentials in ~/.netrc.
    session.auth = _credentials(service)
    session.max_redirects = 0  # a redirected POST becomes a GET, and a login page is no answer
    retry = Retry(
        ATTEMPTS - 1, read=False, backoff_factor=0.5, status_forcelist=BUSY, allowed_methods={"GET"},
        redirect=False, raise_on_status=False,
    )  # fmt: skip
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    return session


def _credentials(service: str) -> Callable[[PreparedRequest], PreparedRequest]:
    from requests.auth import HTTPBasicAuth

    user, password, token = (os.environ.get(name) or None for name in (USER, PASSWORD, TOKEN))
    if (user is None) != (password is None):
        raise SettingError(
            "half of the credentials is set", expected=f"{USER} and {PASSWORD}, or neither", remedy="Set the other too"
        )
    if user and token:
        raise SettingError("two kinds of credentials are set", expected=f"{TOKEN}, or {USER} and {PASSWORD}")
    split = urlsplit(service)
    if (user or token) and split.scheme == "http" and split.hostname not in ("localhost", "127.0.0.1", "::1"):
        logger.warning("%s: credentials cross the network unencrypted; use https", service)
    if user is not None and password is not None:
        return HTTPBasicAuth(user.encode(), password.encode())

    def authorize(request: PreparedRequest) -> PreparedRequest:
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    return authorize


def _in_our_words(error: Any, where: str) -> CTError:
    """The error of `requests` as one of ours, the particular kinds before the general ones."""
    from requests import exceptions

    kinds: tuple[tuple[Any, str, str], ...] = (
        (exceptions.SSLError, "the archive's certificate is not trusted",
         f"If an authority of your own signed it, set {CA_BUNDLE} to the authority's file"),
        (exceptions.ProxyError, "the proxy to the archive cannot be used", "Check HTTPS_PROXY and NO_PROXY"),
        (exceptions.Timeout, "the archive does not answer", "Check the address and that it runs, or try later"),
        (exceptions.ChunkedEncodingError, "the connection to the archive was lost", "Try again"),
        (exceptions.ConnectionError, "there is no connection to the archive", "Check the address and that it runs"),
        (exceptions.TooManyRedirects, "the archive sends one elsewhere", "Use the address that it sends to"),
    )  # fmt: skip
    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        return _refusal(error.response, where)
    for kind, finding, remedy in kinds:
        if isinstance(error, kind):
            found = _target(error.response) if kind is exceptions.TooManyRedirects else _reason(error)
            return ArchiveError(finding, where=where, found=found, remedy=remedy)
    return ArchiveError("the archive cannot be asked", where=where, found=type(error).__name__)


def _refusal(response: Response, where: str) -> CTError:
    status = f"status {response.status_code}"
    if response.status_code in (401, 403):
        remedy = f"Set {USER} and {PASSWORD}, or {TOKEN}, to what it accepts"
        return ArchiveError("the archive refuses these credentials", where=where, found=status, remedy=remedy)
    if response.status_code == 404:
        return NotFoundError("the archive has nothing here", where=where, found=status, remedy="Check address and UIDs")
    return ArchiveError("the archive answers with an error", where=where, found=status, remedy="See the archive's log")


def _no_dicom(where: object) -> ArchiveError:
    remedy = "Check that the address is the one of its DICOMweb service"
    return ArchiveError("the archive's answer is not DICOM", where=str(where), remedy=remedy)


def _target(response: Response | None) -> str | None:
    """Where a redirection goes: the host alone, for the rest may hold what opens doors."""
    return None if response is None else urlsplit(response.headers.get("Location", "")).netloc or None


def _reason(error: BaseException) -> str | None:
    """What the operating system or TLS says, from the depth of an exception of `requests`."""
    seen: set[int] = set()
    inner: Any = error
    while isinstance(inner, BaseException) and id(inner) not in seen:
        seen.add(id(inner))
        for attribute in ("verify_message", "strerror"):
            if text := getattr(inner, attribute, None):
                return str(text)
        arguments = [argument for argument in inner.args if isinstance(argument, BaseException)]
        inner = getattr(inner, "reason", None) or inner.__cause__ or inner.__context__ or next(iter(arguments), None)
    return None
