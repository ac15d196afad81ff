#!/usr/bin/env python3
"""Checks a bundle of evidence, written from storage/FORMAT.md and nothing else.

    python3 verify.py BUNDLE [VKEY-FILE]

Prints one line of JSON and ends with the exit code of `sokhoe verify`: 0 intact, or self-consistent where no key is
given; 10 tampered; 11 damaged; 12 could not check; 2 usage. Needs the packages blake3 and cryptography.
"""

import base64
import binascii
import hashlib
import json
import sys
import unicodedata

from blake3 import blake3
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

BUNDLE_BYTES_MAX = 128 << 20
NOTE_BYTES_MAX = 64 * 1024
SIGNATURES_MAX = 100
HEADER_BYTES = 192
ZERO = bytes(32)


class Damaged(Exception):
    """The file is not what was written."""


class Unknown(Exception):
    """The file is of a format that this program does not know."""


class Tampered(Exception):
    """Something does not hold."""


def need(holds, what):
    if not holds:
        raise Tampered(what)


# Reading


def number(text):
    if text.startswith("-"):
        raise Damaged("a negative number")
    value = int(text)
    if value >= 1 << 64:
        raise Damaged("a number too large")
    return value


def refuse(text):
    raise Damaged(f"not a whole number: {text}")


def members(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Damaged("a member twice")
    return found


def shape(value, **fields):
    """Checks that an object has these members and no others, and reads each."""
    if not isinstance(value, dict) or not set(value) <= set(fields):
        raise Damaged("not an object with the members that belong there")
    return {name: read(value.get(name, MISSING)) for name, read in fields.items()}


MISSING = object()


def text(value):
    if not isinstance(value, str):
        raise Damaged("not a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Damaged("half a character") from None
    return value


def hexadecimal(value):
    digits = text(value)
    if len(digits) % 2 or not set(digits) <= set("0123456789abcdef"):
        raise Damaged("not hexadecimal")
    return bytes.fromhex(digits)


def whole(value):
    if isinstance(value, bool) or not isinstance(value, int):
        raise Damaged("not a number")
    return value


def listed(read):
    def reader(value):
        if not isinstance(value, list):
            raise Damaged("not a list")
        return [read(item) for item in value]

    return reader


def optional(read):
    return lambda value: None if value is None or value is MISSING else read(value)


def event(value):
    return shape(
        value,
        position=whole,
        header=hexadecimal,
        payload=hexadecimal,
        inclusion=listed(hexadecimal),
        secret=optional(hexadecimal),
    )


def chain(value):
    head = lambda value: shape(value, index=whole, proof=listed(hexadecimal))
    return shape(value, head=head, events=listed(event))


def read_bundle(data):
    if len(data) > BUNDLE_BYTES_MAX:
        raise Unknown("too long")
    try:
        value = json.loads(
            data.decode(),
            parse_int=number,
            parse_float=refuse,
            parse_constant=refuse,
            object_pairs_hook=members,
        )
    except (ValueError, RecursionError) as error:
        raise Damaged(f"no JSON: {error}") from None
    bundle = shape(
        value,
        format=text,
        log_id=hexadecimal,
        checkpoint=text,
        commitment=optional(event),
        chains=listed(chain),
        events=listed(event),
    )
    if bundle["format"] != "sokhoe evidence 1":
        raise Unknown("another format")
    return bundle


# The signed checkpoint: C2SP signed-note and tlog-checkpoint


def strict_base64(encoded):
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise Tampered("base64") from None
    need(base64.b64encode(decoded).decode() == encoded, "base64 in another way than it is written")
    return decoded


def plain_name(name):
    odd = lambda letter: letter == "+" or letter.isspace() or unicodedata.category(letter) == "Cc"
    return name != "" and not any(odd(letter) for letter in name)


def read_vkey(line):
    name, key_id, key = line.strip().split("+", 2)
    raw = base64.b64decode(key, validate=True)
    if raw[0] != 1 or len(raw) != 33:
        raise ValueError("not an Ed25519 key")
    digest = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    if digest.hex() != key_id:
        raise ValueError("the key's id does not fit")
    return name, digest, raw[1:]


def open_note(note, vkey):
    need(len(note.encode()) <= NOTE_BYTES_MAX, "the note is too long")
    before, gap, after = note.rpartition("\n\n")
    need(gap and after.endswith("\n"), "the note has no signatures")
    body = before + "\n"
    need(len(body.encode()) >= 2, "the note has no text")
    need(all(letter >= " " or letter == "\n" for letter in body), "the note has control characters")
    lines = after[:-1].split("\n")
    need(len(lines) <= SIGNATURES_MAX, "the note has too many signatures")
    signed = False
    for line in lines:
        need(line.startswith("\u2014 ") and line.count(" ") >= 2, "a signature line")
        name, encoded = line[2:].split(" ", 1)
        decoded = strict_base64(encoded)
        need(plain_name(name) and len(decoded) > 4, "a signature line")
        if vkey and (name, decoded[:4]) == vkey[:2]:
            try:
                Ed25519PublicKey.from_public_bytes(vkey[2]).verify(decoded[4:], body.encode())
            except InvalidSignature:
                raise Tampered("the checkpoint's signature is wrong") from None
            signed = True
    need(signed or not vkey, "the checkpoint is not signed by the key")
    return read_checkpoint(body, vkey)


def read_checkpoint(body, vkey):
    lines = body[:-1].split("\n")
    need(len(lines) >= 3, "the checkpoint has too few lines")
    origin, size, root, *extensions = lines
    need(origin != "" and all(extensions), "the checkpoint has an empty line")
    need(not vkey or origin == vkey[0], "the checkpoint is of another log")
    digits = size.isascii() and size.isdigit() and (size == "0" or size[0] != "0")
    need(digits and int(size) < 1 << 64, "the checkpoint's size")
    root = strict_base64(root)
    need(len(root) == 32, "the checkpoint's root")
    return int(size), root


# The tree: RFC 6962, inclusion proofs as RFC 9162 section 2.1.3.2 checks them


def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def included(leaf, index, size, root, proof):
    if index >= size or any(len(node) != 32 for node in proof):
        return False
    node, first, last = leaf, index, size - 1
    for sibling in proof:
        if last == 0:
            return False
        if first & 1 or first == last:
            node = hashlib.sha256(b"\1" + sibling + node).digest()
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + sibling).digest()
        first, last = first >> 1, last >> 1
    return last == 0 and node == root


# Events


def field(data, at, count):
    return int.from_bytes(data[at : at + count], "little")


def check_header(header):
    need(header[0] == 1, "an unknown suite")
    need(header[1] in (0, 1), "an unknown sealing")
    need(header[2] in (0, 1), "an unknown compression")
    need(header[3] == 0 and header[6:8] == b"\0\0", "reserved bytes")
    need(header[5] in (1, 2, 3, 4), "an unknown kind of stream")
    need((header[5] == 4) == (header[1] == 0), "only the log's own events are clear")
    need(header[1] or not any(header[80:128]), "a salt without a seal")
    count, index, batch = field(header, 22, 2), field(header, 20, 2), field(header, 24, 8)
    in_batch = batch != 0 and index < count
    need(in_batch or (count, index, batch) == (0, 0, 0), "an impossible place in a batch")


def padded_length(length):
    marked = length + 1
    power = 1 << (marked - 1).bit_length()
    step = max(power // 16, 32)
    return -(-marked // step) * step


def open_payload(secret, log_id, header, payload):
    need(len(secret) == 32, "a key of another length")
    need(header[1] == 1, "a key for a payload that is not sealed")
    output = blake3(b"sokhoe:seal:v1\n\0", key=secret).digest(64)
    need(output[32:] == header[96:128], "not the key that the header commits to")
    associated = log_id + header[32:48] + header[80:96] + header[0:3]
    try:
        padded = AESGCM(output[:32]).decrypt(bytes(12), payload, associated)
    except (InvalidTag, ValueError):
        raise Tampered("a broken seal") from None
    content = padded.rstrip(b"\0")
    need(content.endswith(b"\x80"), "padding")
    need(len(padded) == padded_length(len(content) - 1), "padding")


def check_event(item, log_id, size, root):
    """Checks one event by itself; returns its header and hash."""
    header, payload = item["header"], item["payload"]
    need(len(header) == HEADER_BYTES and item["position"] >= 1, "an event's header")
    own = blake3(header).digest()
    place = included(leaf_hash(own), item["position"] - 1, size, root, item["inclusion"])
    need(place, "an event is not in the signed tree")
    check_header(header)
    sealed = field(header, 12, 4)
    need(len(payload) == sealed + field(header, 16, 4), "a payload's length")
    need(blake3(payload[:sealed]).digest() == header[128:160], "a payload's digest")
    if item["secret"] is not None:
        open_payload(item["secret"], log_id, header, payload[:sealed])
    return header, own


def check_commitment(item, log_id, size, root):
    header, _ = check_event(item, log_id, size, root)
    keeper = blake3(log_id, derive_key_context="sokhoe keeper stream 1").digest()[:16]
    need(header[5] == 4 and header[1] == 0 and header[32:48] == keeper, "not the log's own event")
    body = item["payload"]
    need(len(body) == 64 and body[:16] == b"\2\1" + bytes(14), "not a commitment to heads")
    as_of = field(body, 16, 8)
    need(as_of < item["position"], "a commitment to what came after it")
    return as_of, field(body, 24, 8), body[32:]


def check_chain(item, commitment, log_id, size, root):
    need(commitment, "a chain without a commitment")
    as_of, streams, heads = commitment
    stream, version, previous = None, 0, ZERO
    for entry in item["events"]:
        header, own = check_event(entry, log_id, size, root)
        stream = header[32:48] if stream is None else stream
        version += 1
        need(header[32:48] == stream, "an event of another stream")
        need(field(header, 48, 8) == version, "a version out of order")
        need(header[160:] == previous, "a link to another event")
        need(entry["position"] <= as_of, "an event after the commitment")
        previous = own
    need(version > 0, "a chain without events")
    entry = b"sokhoe:head:v1\n\0" + stream + version.to_bytes(8, "little") + previous
    head = item["head"]
    last = included(leaf_hash(entry), head["index"], streams, heads, head["proof"])
    need(last, "the last event is not the stream's last")
    return version


def check(bundle, vkey):
    size, root = open_note(bundle["checkpoint"], vkey)
    log_id = bundle["log_id"]
    need(len(log_id) == 16, "the log's id")
    commitment = bundle["commitment"] and check_commitment(bundle["commitment"], log_id, size, root)
    events = sum(check_chain(item, commitment, log_id, size, root) for item in bundle["chains"])
    for item in bundle["events"]:
        check_event(item, log_id, size, root)
    events += len(bundle["events"])
    need(events, "no event")
    shown = [entry for item in bundle["chains"] for entry in item["events"]] + bundle["events"]
    opened = sum(entry["secret"] is not None for entry in shown)
    return {"events": events, "opened": opened, "signed_size": size}


def main(arguments):
    if len(arguments) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        vkey = None
        if len(arguments) == 2:
            with open(arguments[1], encoding="utf-8") as file:
                vkey = read_vkey(file.read())
        with open(arguments[0], "rb") as file:
            data = file.read(BUNDLE_BYTES_MAX + 1)
    except (OSError, ValueError, IndexError) as error:
        print(error, file=sys.stderr)
        return 2
    verdict = "intact" if vkey else "self-consistent, unauthenticated"
    code, found = 0, {}
    try:
        found = check(read_bundle(data), vkey)
    except Tampered as error:
        code, verdict, found = 10, "tampered", {"what": str(error)}
    except Damaged as error:
        code, verdict, found = 11, "damaged", {"what": str(error)}
    except Unknown as error:
        code, verdict, found = 12, "could not check", {"what": str(error)}
    print(json.dumps({"verdict": verdict, **found}))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
