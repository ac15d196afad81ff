#!/usr/bin/env python3
"""Makes the certificates of the TLS tests, valid from 2020 for two hundred years, whatever the clock of a machine says.

They are used nowhere else. Run it again, with `pip install cryptography`, when a test needs another one.
"""
import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HERE = pathlib.Path(__file__).parent
FROM = datetime.datetime(2020, 1, 1)
TO = datetime.datetime(2220, 1, 1)
SERVER = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]


def builder(name, key, issuer):
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(FROM)
        .not_valid_after(TO)
    )


def write(name, certificate):
    (HERE / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def authority(name):
    key = ec.generate_private_key(ec.SECP256R1())
    title = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = builder(name, key, title)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    certificate = made.sign(key, hashes.SHA256())
    write(name, certificate)
    return certificate, key


def certificate(name, issuer, usage, names):
    issued_by, issuer_key = issuer
    key = ec.generate_private_key(ec.SECP256R1())
    made = builder(name, key, issued_by.subject)
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = made.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    write(name, made.sign(issuer_key, hashes.SHA256()))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (HERE / f"{name}.key").write_bytes(private)


def client(name, issuer, *names):
    certificate(name, issuer, ExtendedKeyUsageOID.CLIENT_AUTH, [x509.DNSName(each) for each in names])


ours, strangers = authority("authority"), authority("strangers")
certificate("server", ours, ExtendedKeyUsageOID.SERVER_AUTH, SERVER)
certificate("renewed", ours, ExtendedKeyUsageOID.SERVER_AUTH, SERVER)
client("his", ours, "HIS.example.vn")
client("unlisted", ours, "other.example.vn")
client("both", ours, "his.example.vn", "lab.example.vn")
client("stranger", strangers, "his.example.vn")
