"""The serving certificate: read from files, read again when they change, never made in silence.

A connection takes what is newest when it begins, through the TLS handshake's own hook; neither the listening
socket nor any open connection is touched. Files that do not fit together, as between two writes of a
rotation, leave the pair in place that was there.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE: Final = dt.timedelta(days=30)


class BadCertificate(Exception):
    """The files hold no certificate and key that fit; the message says which."""


class ServingCertificate:
    """A TLS context that follows its files and the front proxy's authority.

    Args:
        certificate: PEM file with the chain.
        key: PEM file with its key.
        authority: PEM certificates that sign clients' certificates; a client without one is let in, and is
            nobody.

    Attributes:
        context: For the listening socket, once and for all.
        expires_s: When the newest pair ends to hold [s since 1970].

    Raises:
        BadCertificate: The files hold none.
    """

    def __init__(self, certificate: Path, key: Path, authority: str) -> None:
        self._certificate = certificate
        self._key = key
        self._authority = authority
        self._seen: tuple[bytes, bytes, str] | None = None
        self.expires_s = 0.0
        self._newest = self._load()
        self.context = _context()
        self.context.load_cert_chain(certificate, key)
        self.context.sni_callback = self._take_newest

    def refresh(self, authority: str) -> bool:
        """Take in what has changed.

        Returns:
            Whether anything had.

        Raises:
            BadCertificate: The files hold no pair that fits; the one before stays.
        """
        self._authority = authority
        if self._state() == self._seen:
            return False
        self._newest = self._load()
        return True

    def vouches(self, connection: ssl.SSLObject) -> bool:
        """Whether a connection's client was checked against the authority of now."""
        return connection.context is self._newest

    def _take_newest(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        del name, context
        connection.context = self._newest

    def _state(self) -> tuple[bytes, bytes, str]:
        try:
            return self._certificate.read_bytes(), self._key.read_bytes(), self._authority
        except OSError as error:
            raise BadCertificate(f"{error.filename}: {error.strerror}") from None

    def _load(self) -> ssl.SSLContext:
        state = self._state()
        context = _context()
        try:
            context.load_cert_chain(self._certificate, self._key)
            context.load_verify_locations(cadata=state[2])
            expires = x509.load_pem_x509_certificate(state[0]).not_valid_after_utc
        except (OSError, ValueError) as error:
            raise BadCertificate(f"{self._certificate} and {self._key}: {error}") from None
        self._seen = state
        self.expires_s = expires.timestamp()
        return context


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_OPTIONAL
    # a resumed session would keep a client whom an authority no longer vouches for
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    return context


def generate(folder: Path, hosts: tuple[str, ...], life: dt.timedelta = LIFE) -> tuple[Path, Path]:
    """Make a certificate that signs itself, for tests and trials: ``tls.crt`` and ``tls.key``.

    Args:
        folder: Where; made when it is not there.
        hosts: DNS names and addresses that it is for.
        life: How long it holds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([_host(one) for one in hosts]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "tls.crt", folder / "tls.key"
    files[1].touch(mode=0o600)
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return files


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
