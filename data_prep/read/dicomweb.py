"""A DICOMweb server as a source: QIDO-RS finds studies, WADO-RS brings headers, then pixels.

Credentials come from a file of the owner's or the environment, never from a command line, where
everybody on the machine could read them.  Certificates are verified (`REQUESTS_CA_BUNDLE` names a
hospital's own authority), and plain http is for this machine only.  PS3.18 sections 10.4, 10.6.
"""

import dataclasses
import functools
import io
import json
import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import pydicom
import requests
from dicomweb_client.api import DICOMwebClient
from dicomweb_client.session_utils import create_session

from data_prep.read import header
from data_prep.read.head import Head
from data_prep.read.reject import Reject, Why
from data_prep.secret import read_private

logging.getLogger("dicomweb_client").setLevel(logging.CRITICAL)  # its messages hold UIDs

TOKEN_VARIABLE = "CMR_DICOMWEB_TOKEN"
USER_VARIABLE, PASSWORD_VARIABLE = "CMR_DICOMWEB_USER", "CMR_DICOMWEB_PASSWORD"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
STUDIES_PER_PAGE = 500
TIMEOUT_S = (10, 300)  # to connect, between two bytes


@dataclasses.dataclass(frozen=True)
class DicomWebSource:
    """Studies of a server; the secret itself is read where it is used, so it never travels."""

    url: str
    filters: tuple[tuple[str, str], ...]
    credentials: str | None

    @classmethod
    def open(cls, spec: str, credentials: str | None) -> "DicomWebSource":
        """`URL[?Attribute=value&...]`; the attributes narrow the search (QIDO-RS matching)."""
        parts = urlsplit(spec)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("--dicom dicomweb:URL: the URL starts with https:// and names a host.")
        if parts.username or parts.password:
            raise ValueError(
                "--dicom dicomweb:URL: no user or password in the URL; see --dicomweb-credentials."
            )
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError(
                "--dicom dicomweb:URL: plain http would send patients' data in the open. "
                "Use https, or a tunnel that ends on this machine."
            )
        if credentials:
            _credentials(credentials)  # what is wrong with the file is said now
        url = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        return cls(url, tuple(parse_qsl(parts.query)), credentials)

    def units(self) -> list[str]:
        """StudyInstanceUIDs of the studies with MR images that match."""
        filters = {"ModalitiesInStudy": "MR"} | dict(self.filters)
        found: set[str] = set()
        try:
            while True:
                page = self._client.search_for_studies(
                    fields=["StudyInstanceUID"],
                    search_filters=filters,
                    limit=STUDIES_PER_PAGE,
                    offset=len(found),
                )
                new = {_uid(study, "0020000D") for study in page} - found - {""}
                found |= new
                # Some servers ignore the offset and give the first page for ever.
                if not new or len(page) < STUDIES_PER_PAGE:
                    return sorted(found)
        except (requests.RequestException, ValueError) as error:
            raise ValueError(
                f"--dicom dicomweb:{self.url}: the search for studies failed "
                f"({_said(error)}). Check the URL, the credentials and the certificate."
            ) from None

    def heads(self, unit: str) -> Iterator[Head | Reject]:
        """Headers of every instance of a study, without its pixels."""
        try:
            for found in self._client.retrieve_study_metadata(unit):
                yield _head(unit, found)
        except (requests.RequestException, ValueError) as error:
            yield Reject(Why.IO_ERROR, unit, f"study metadata: {_said(error)}")

    def load(self, wheres: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The wanted instances, series by series."""
        by_series: dict[tuple[str, str], set[str]] = defaultdict(set)
        for where in wheres:
            study, series, instance = where.split("/")
            by_series[study, series].add(instance)
        for (study, series), wanted in by_series.items():
            try:
                for dataset in self._client.iter_series(study, series):
                    if (uid := str(dataset.SOPInstanceUID)) in wanted:
                        yield f"{study}/{series}/{uid}", _bytes(dataset)
            except (requests.RequestException, ValueError, OSError):
                continue  # the caller counts what did not come

    @functools.cached_property
    def _client(self) -> DICOMwebClient:
        session = create_session()
        token, user, password = _credentials(self.credentials)
        if token:
            session.headers["Authorization"] = f"Bearer {token}"
        elif user:
            session.auth = (user, password)
        client = DICOMwebClient(self.url, session=session, timeout=TIMEOUT_S)
        client.set_http_retry_params(max_attempts=4)
        return client

    def __getstate__(self) -> dict:
        """Without the open connection, which holds the secret."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}


def _credentials(path: str | None) -> tuple[str, str, str]:
    """(token, user, password) from a JSON file of the owner's, or from the environment."""
    if not path:
        names = (TOKEN_VARIABLE, USER_VARIABLE, PASSWORD_VARIABLE)
        token, user, password = (os.environ.get(name, "") for name in names)
        return token, user, password
    content = read_private(path, "--dicomweb-credentials")
    try:
        said = json.loads(content)
        return said.get("token", ""), said.get("user", ""), said.get("password", "")
    except (ValueError, AttributeError):
        raise ValueError(
            f'--dicomweb-credentials {path}: JSON with "token", or with "user" and "password".'
        ) from None


def _head(study: str, found: dict) -> Head | Reject:
    where = study
    try:
        where = "/".join((study, _uid(found, "0020000E"), _uid(found, "00080018")))
        with header.quiet():
            dataset = pydicom.Dataset.from_json(found)
    except Exception as error:  # a server may say anything; the instance is counted
        return Reject(Why.UNREADABLE, where, f"metadata: {type(error).__name__}")
    return Head(where, b"", 1, dataset=dataset)


def _bytes(dataset: pydicom.Dataset) -> bytes:
    out = io.BytesIO()
    with header.quiet():
        dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _uid(found: dict, tag: str) -> str:
    return str((found.get(tag, {}).get("Value") or [""])[0]).replace("/", "_")


def _said(error: Exception) -> str:
    """Kind and status; messages of errors hold URLs, and those hold UIDs."""
    response = getattr(error, "response", None)
    status = f" {response.status_code}" if response is not None else ""
    return type(error).__name__ + status
