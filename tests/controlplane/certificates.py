"""Certificates of one control plane: three authorities (cluster, front proxy, etcd), and who they vouch for."""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE = dt.timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates, which it writes into a folder.

    Args:
        folder: Where files go.
        name: Its own name, and its file's.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = self._sign(self._name, self._key.public_key(), (), authority=True, life=LIFE)
        self.certificate = folder / f"{name}.crt"
        self.certificate.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        file: str,
        *,
        name: str,
        groups: tuple[str, ...] = (),
        hosts: tuple[str, ...] = (),
        life: dt.timedelta = LIFE,
    ) -> Pair:
        """Vouch for a name.

        Args:
            file: Name of the files to write.
            name: Common name: the user, for a client.
            groups: Organizations: the user's groups.
            hosts: DNS names and addresses, for a server.
            life: How long it holds; in the past when negative.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        subject = x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(subject, key.public_key(), hosts, authority=False, life=life)
        pair = Pair(self._folder / f"{file}.crt", self._folder / f"{file}.key")
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        write_key(pair.key, key)
        return pair

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        hosts: tuple[str, ...],
        *,
        authority: bool,
        life: dt.timedelta,
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(now, now + life) - dt.timedelta(hours=1))
            .not_valid_after(now + life)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if not authority:
            builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        if hosts:
            names = x509.SubjectAlternativeName([_host(one) for one in hosts])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def service_account_key(path: Path) -> Path:
    """Make the key that signs the tokens of service accounts."""
    write_key(path, rsa.generate_private_key(public_exponent=65537, key_size=2048))
    return path


def write_key(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    """Write a key that nobody else may read."""
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


@dataclass(frozen=True, slots=True)
class Webhook:
    """What a webhook serves with, and whom its callers trust; all PEM.

    Attributes:
        authority: Certificate of its own authority.
        authority_key: The authority's key, in PKCS 1.
        certificate: Its certificate.
        key: Its key.
    """

    authority: bytes
    authority_key: bytes
    certificate: bytes
    key: bytes

    def files(self) -> dict[str, bytes]:
        """As keys of a Secret, and as files where one is mounted."""
        names = {"ca.crt": self.authority, "ca.key": self.authority_key}
        return {**names, "tls.crt": self.certificate, "tls.key": self.key}

    def bundle(self) -> str:
        """The authority, as the API wants it."""
        return base64.b64encode(self.authority).decode()


def webhook_certificates(authority: str, hosts: tuple[str, ...]) -> Webhook:
    """Make an authority and a server's certificate that a rotator of an operator finds valid.

    Source: open-policy-agent/cert-controller pkg/rotator/rotator.go (ValidCert, buildArtifactsFromSecret): the
        authority is a name of its own certificate, its key is RSA in PKCS 1, and both hold for over 90 days.
    """
    life = dt.timedelta(days=365)
    now = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, authority)])
    made: list[bytes] = []
    top = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for is_top, names in ((True, (authority,)), (False, hosts)):
        own = top if is_top else rsa.generate_private_key(public_exponent=65537, key_size=2048)
        usage = x509.KeyUsage(
            digital_signature=True, content_commitment=False, key_encipherment=True, data_encipherment=False,
            key_agreement=False, key_cert_sign=is_top, crl_sign=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]))
            .issuer_name(issuer)
            .public_key(own.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + life)
            .add_extension(x509.BasicConstraints(ca=is_top, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectAlternativeName([_host(one) for one in names]), critical=False)
        )
        if not is_top:
            serving = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
            builder = builder.add_extension(serving, critical=False)
        made.append(builder.sign(top, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        made.append(
            own.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
    return Webhook(made[0], made[1], made[2], made[3])
