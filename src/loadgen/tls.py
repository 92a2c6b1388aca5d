"""TLS as a plan describes it: the context of a connection, and what OpenSSL's errors mean, each in a sentence.

This file reads the files that a plan names, and knows neither sockets nor the configuration's tables.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

from loadgen.plan import TlsPlan

VERSIONS = {
    "1": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}

LEAST_VERSION = "1.2"
"""The lowest version unless one is given, as in Python's own contexts."""

CAN_SET_CIPHERSUITES = hasattr(ssl.SSLContext, "set_ciphersuites")
"""Python's ssl has no call for the suites of TLS 1.3 before Python 3.15."""

_HAS_A_PASSWORD = "is encrypted; name the environment variable with its password by tls_key_password_env"


class BadTlsError(Exception):
    """A value of a TlsPlan cannot be used. `field` is its name there; `words` say why and what to do, after it."""

    def __init__(self, field: str, words: str) -> None:
        self.field = field
        self.words = words
        super().__init__(f"{field} {words}")


def context(plan: TlsPlan) -> ssl.SSLContext:
    """Return the context of connections as a client. Raises BadTlsError."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # A compressed record could hold more than its length, and a server that renegotiates could stop a write.
    made.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if not plan.verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif not (plan.ca_file or plan.ca_dir):
        made.load_default_certs(ssl.Purpose.SERVER_AUTH)
    for step in _steps(plan):
        step(plan, made)
    return made


def name_of(plan: TlsPlan, host: str) -> str:
    """Return the name that the certificate of a server at a host must carry; `localhost` for a Unix socket."""
    return plan.hostname or host or "localhost"


def mistakes(plan: TlsPlan) -> Iterator[BadTlsError]:
    """Yield what is wrong with a plan's values, one mistake for each field."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for step in _steps(plan):
        try:
            step(plan, made)
        except BadTlsError as mistake:
            yield mistake


def _steps(plan: TlsPlan) -> Iterator[Callable[[TlsPlan, ssl.SSLContext], None]]:
    """Yield the functions that have a context take the fields that are given."""
    if plan.ca_file:
        yield _authorities
    if plan.ca_dir:
        yield _folder
    if plan.cert:
        yield _certificate
    if plan.min_version or plan.max_version:
        yield _versions
    if plan.ciphers:
        yield _ciphers
    if plan.ciphersuites:
        yield _ciphersuites


def _authorities(plan: TlsPlan, made: ssl.SSLContext) -> None:
    _readable("ca_file", plan.ca_file)
    try:
        made.load_verify_locations(cafile=plan.ca_file)
    except ssl.SSLError:
        raise BadTlsError("ca_file", f"names {plan.ca_file}, which has no certificate in PEM") from None


def _folder(plan: TlsPlan, made: ssl.SSLContext) -> None:
    if not Path(plan.ca_dir).is_dir():
        raise BadTlsError("ca_dir", f"names {plan.ca_dir}, which is no folder")
    # OpenSSL looks for `<hash>.0` when it needs an authority, and says nothing of a folder without such names.
    if not any(Path(plan.ca_dir).glob("????????.[0-9]*")):
        raise BadTlsError("ca_dir", f"names {plan.ca_dir}, which has no certificate by its hash; run `openssl rehash`")
    made.load_verify_locations(capath=plan.ca_dir)


def _certificate(plan: TlsPlan, made: ssl.SSLContext) -> None:
    _readable("cert", plan.cert)
    if plan.key:
        _readable("key", plan.key)
    key = plan.key or plan.cert
    field = "key" if plan.key else "cert"
    is_encrypted = False

    def password() -> str:
        # OpenSSL would ask on the terminal.
        nonlocal is_encrypted
        is_encrypted = True
        if not plan.key_password:
            raise BadTlsError(field, f"names {key}, which {_HAS_A_PASSWORD}")
        return plan.key_password

    try:
        made.load_cert_chain(plan.cert, plan.key or None, password)
    except ssl.SSLError as error:
        reason = error.reason or ""
        if "MISMATCH" in reason:
            raise BadTlsError("key", f"names {key}, which is not the key of the certificate in {plan.cert}") from None
        if is_encrypted:
            raise BadTlsError(field, f"names {key}, which the password of tls_key_password_env does not open") from None
        if not _has_certificate(plan.cert):
            raise BadTlsError("cert", f"names {plan.cert}, which has no certificate in PEM") from None
        raise BadTlsError(field, f"names {key}, which has no private key in PEM") from None


def _has_certificate(path: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        return False
    return True


def _versions(plan: TlsPlan, made: ssl.SSLContext) -> None:
    least = plan.min_version or min(LEAST_VERSION, plan.max_version or LEAST_VERSION)
    if plan.max_version:
        if least > plan.max_version:
            raise BadTlsError("min_version", f'"{least}" is above tls_max_version = "{plan.max_version}"; swap them')
        made.maximum_version = VERSIONS[plan.max_version]
    made.minimum_version = VERSIONS[least]


def _ciphers(plan: TlsPlan, made: ssl.SSLContext) -> None:
    try:
        made.set_ciphers(plan.ciphers)
    except ssl.SSLError:
        raise BadTlsError(
            "ciphers", f'"{plan.ciphers}" names no cipher that OpenSSL has; `openssl ciphers` lists them'
        ) from None


def _ciphersuites(plan: TlsPlan, made: ssl.SSLContext) -> None:
    if not CAN_SET_CIPHERSUITES:
        raise BadTlsError(
            "ciphersuites",
            "cannot be set: Python's ssl has no call for the suites of TLS 1.3 before Python 3.15; leave it out, "
            'or choose a cipher of TLS 1.2 by tls_max_version = "1.2" and tls_ciphers',
        )
    try:
        made.set_ciphersuites(plan.ciphersuites)  # type: ignore[attr-defined]
    except ssl.SSLError:
        raise BadTlsError(
            "ciphersuites", f'"{plan.ciphersuites}" names no suite that OpenSSL has; `openssl ciphers` lists them'
        ) from None


def _readable(field: str, path: str) -> None:
    try:
        with Path(path).open("rb") as file:
            file.read(1)
    except OSError as error:
        raise BadTlsError(field, f"names {path}, which cannot be read: {error.strerror}") from None


# ── What went wrong ─────────────────────────────────────────────────────────────────────────────────────────────────

CLOSED = (
    "the server closed the connection in the handshake: it may be full, or its port may be one for plain text "
    "(then leave target.tls out)"
)

SILENT = (
    "the server does not answer in the TLS handshake: its port may be one for plain text (then leave target.tls out)"
)

_TRUST = (
    "name its authority by target.tls_ca_file (--cacert), or verify nothing by target.tls_verify = false (--insecure)"
)
_CLOCK = "renew it, check this machine's clock, or verify nothing by target.tls_verify = false (--insecure)"
_NAME = (
    "set target.tls_hostname (--sni) to a name that it carries, or verify nothing by target.tls_verify = false "
    "(--insecure)"
)
_CLIENT = "name a certificate that it takes, and its key, by target.tls_cert and target.tls_key (--cert, --key)"

# X509_V_ERR_… of openssl/x509_vfy.h → what is wrong with the server's certificate, and the remedy.
_CERTIFICATE = {
    9: ("the server's certificate is not valid yet", _CLOCK),
    10: ("the server's certificate has expired", _CLOCK),
    18: ("the server's certificate is self-signed, and not trusted here", _TRUST),
    19: ("the server's certificate comes from an authority that is not trusted here (self-signed)", _TRUST),
    20: ("the server's certificate comes from an authority that is not trusted here", _TRUST),
    21: ("the server's certificate comes from an authority that is not trusted here", _TRUST),
    2: ("the server's certificate comes from an authority that is not trusted here", _TRUST),
    62: ("the server's certificate is for another name", _NAME),
    64: ("the server's certificate is for another address", _NAME),
}

_NOT_TLS = "the server answers in plain text: leave target.tls (--tls) out, or name the port on which it speaks TLS"
_NO_VERSION = (
    "the server and this plan have no version of TLS in common: check target.tls_min_version and target.tls_max_version"
)
_NO_CIPHER = (
    "the server found no cipher in common, or wants a client certificate: check target.tls_ciphers (--tls-ciphers), "
    "target.tls_cert and target.tls_key (--cert, --key)"
)
_NO_CERTIFICATE = f"the server wants a client certificate: {_CLIENT}"
_BAD_CERTIFICATE = f"the server does not take the client certificate: {_CLIENT}"

# OpenSSL's reasons → what happened, and the remedy.
_REASONS = {
    "WRONG_VERSION_NUMBER": _NOT_TLS,
    "PACKET_LENGTH_TOO_LONG": _NOT_TLS,
    "RECORD_LAYER_FAILURE": _NOT_TLS,
    "HTTP_REQUEST": _NOT_TLS,
    "TLSV1_ALERT_PROTOCOL_VERSION": _NO_VERSION,
    "UNSUPPORTED_PROTOCOL": _NO_VERSION,
    "NO_PROTOCOLS_AVAILABLE": _NO_VERSION,
    "VERSION_TOO_LOW": _NO_VERSION,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": _NO_CIPHER,
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": _NO_CIPHER,
    "NO_CIPHERS_AVAILABLE": _NO_CIPHER,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _NO_CERTIFICATE,
    "TLSV1_ALERT_UNKNOWN_CA": _BAD_CERTIFICATE,
    "TLSV1_ALERT_DECRYPT_ERROR": _BAD_CERTIFICATE,
    "SSLV3_ALERT_BAD_CERTIFICATE": _BAD_CERTIFICATE,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": _BAD_CERTIFICATE,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _BAD_CERTIFICATE,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _BAD_CERTIFICATE,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": _BAD_CERTIFICATE,
    "TLSV1_UNRECOGNIZED_NAME": "the server does not know the name it is asked for: check target.tls_hostname (--sni)",
}


def sentence(error: ssl.SSLError, name: str = "") -> str:
    """Return what an error of OpenSSL's means and what to do about it, as the rest of a sentence without its end.

    `name` is the name that the certificate was to carry.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        what, remedy = _CERTIFICATE.get(
            error.verify_code, (f"the server's certificate was not accepted ({error.verify_message})", _TRUST)
        )
        other = f" than {name}" if name and remedy is _NAME else ""
        return f"{what}{other}: {remedy}"
    if isinstance(error, ssl.SSLEOFError):
        return CLOSED
    reason = error.reason or ""
    return _REASONS.get(reason, f"OpenSSL says {reason.lower().replace('_', ' ') or error}")
