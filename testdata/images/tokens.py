"""Synthetic credentials: the right shape, length, alphabet and checksum, and random otherwise.

Every token comes from a seed and a name, so a token does not depend on which others were made.
This file holds templates only; no token of any kind stands in it.
"""

import base64
import hashlib
import json
import random
import string
import struct
import uuid
import zlib

DIGITS = string.digits
LOWER = string.ascii_lowercase
UPPER = string.ascii_uppercase
BASE62 = DIGITS + UPPER + LOWER
BASE64 = UPPER + LOWER + DIGITS + "+/"
BASE64URL = UPPER + LOWER + DIGITS + "-_"
BASE32 = UPPER + "234567"
CRYPT = "./" + DIGITS + UPPER + LOWER


def rng(seed, name):
    """The random numbers that belong to one name."""
    return random.Random(hashlib.sha256(f"{seed}/{name}".encode()).digest())


def pick(r, alphabet, count):
    return "".join(r.choice(alphabet) for _ in range(count))


def base62_crc(text):
    """The checksum tail of GitHub and npm tokens: CRC-32 in base 62, six wide."""
    value, out = zlib.crc32(text.encode()), ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        out = BASE62[digit] + out
    return out


def crc_tail(prefix):
    def make(r):
        body = pick(r, BASE62, 30)
        return prefix + body + base62_crc(body)

    return make


def github_wrong_crc(r):
    good = crc_tail("ghp" + "_")(r)
    return good[:-1] + ("A" if good[-1] != "A" else "B")


def npm_wrong_crc(r):
    good = crc_tail("np" + "m_")(r)
    return good[:-1] + ("A" if good[-1] != "A" else "B")


def aws_key_id(r, prefix="AK" + "IA"):
    """A prefix and 16 base-32 characters that name a 12-digit account."""
    account = r.randrange(200_000_000_000, 999_999_999_999)
    head = (1 << 47) | (account << 7) | r.randrange(128)
    raw = head.to_bytes(6, "big") + r.randbytes(4)
    return prefix + base64.b32encode(raw).decode()


def aws_secret(r):
    while True:
        key = pick(r, BASE64, 40)
        if any(c in key for c in "+/") and not key.startswith("/") and "//" not in key:
            return key


def aws_session(r):
    """What comes with temporary keys."""
    return base64.b64encode(b"!\n\torigin" + b"_ec" + r.randbytes(400)).decode()


def slack_bot(r):
    return "xox" + "b-" + pick(r, "123456789", 12) + "-" + pick(r, "123456789", 13) + "-" + pick(r, BASE62, 24)


def stripe_live(r):
    return "sk" + "_live_" + pick(r, BASE62, 24)


def stripe_documented(_):
    """The test key of the vendor's own documentation."""
    return "sk" + "_test_" + "4eC39HqLyjWD" + "arjtT1zdp7dc"


def sendgrid(r):
    return "S" + "G." + pick(r, BASE64URL[:62], 22) + "." + pick(r, BASE64URL[:62], 43)


def gitlab(r):
    return "gl" + "pat-" + pick(r, BASE62, 20)


def pypi(r):
    """A version 2 macaroon: location, identifier, one caveat, signature."""
    ident = json.dumps({"nonce": r.randrange(1 << 30)}).encode()
    caveat = json.dumps({"version": 1, "permissions": "user"}).encode()
    location = b"pypi" + b".org"
    ident = str(uuid.UUID(bytes=r.randbytes(16), version=4)).encode()
    raw = b"\x02\x01" + bytes([len(location)]) + location + b"\x02" + bytes([len(ident)]) + ident
    raw += b"\x00\x02" + bytes([len(caveat)]) + caveat + b"\x00\x00\x06\x20" + r.randbytes(32)
    return "py" + "pi-" + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def jwt(r):
    """A service-account token as a cluster signs it."""
    head = {"alg": "RS256", "kid": pick(r, BASE64URL, 43)}
    claims = {
        "iss": "kubernetes/serviceaccount",
        "kubernetes.io/serviceaccount/namespace": "kube-system",
        "kubernetes.io/serviceaccount/service-account.name": "deployer-" + pick(r, LOWER, 5),
        "sub": "system:serviceaccount:kube-system:deployer",
    }
    parts = [json.dumps(p, separators=(",", ":")).encode() for p in (head, claims)]
    return ".".join(b64url(p) for p in parts) + "." + b64url(r.randbytes(256))


def jwt_example(_):
    """The example every tutorial shows: HS256, John Doe."""
    claims = '{"sub":"1234567890","name":"John Doe","iat":1516239022}'
    signed = b64url(b'{"alg":"HS256","typ":"JWT"}') + "." + b64url(claims.encode())
    import hmac

    key = "your-256-bit-" + "secret"
    return signed + "." + b64url(hmac.new(key.encode(), signed.encode(), "sha256").digest())


def password(r):
    """What a password generator gives: three words of four, with all classes of characters."""
    words = [pick(r, LOWER, 4).capitalize() + pick(r, DIGITS, 1) for _ in range(3)]
    return "-".join(words)


def shadow(r):
    """A sha512crypt hash; its 86th character carries only two bits."""
    return "$6" + "$" + pick(r, CRYPT, 16) + "$" + pick(r, CRYPT, 85) + pick(r, "./01", 1)


def wireguard(r):
    key = bytearray(r.randbytes(32))
    key[0] &= 248
    key[31] = (key[31] & 127) | 64
    return base64.b64encode(bytes(key)).decode()


def postgres_url(r):
    return "postgres" + "ql://app_rw:" + password(r) + "@db-1.internal.corp-example.net:5432/orders"


def docker_auth(r):
    return base64.b64encode(("ci-push:" + password(r)).encode()).decode()


def pem(label, der, headers=""):
    """Armour; without a last line feed, which is not part of the key."""
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[i : i + 64] for i in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{headers}{lines}\n-----END {label}-----"


def probable_prime(r, bits):
    while True:
        n = r.getrandbits(bits) | (3 << (bits - 2)) | 1
        if all(n % p for p in (3, 5, 7, 11, 13, 17, 19, 23)) and pow(2, n - 1, n) == 1 == pow(3, n - 1, n):
            if (n - 1) % 65537:
                return n


def der_int(n):
    raw = n.to_bytes(n.bit_length() // 8 + 1, "big")
    return b"\x02" + der_len(len(raw)) + raw


def der_len(n):
    if n < 128:
        return bytes([n])
    raw = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([128 | len(raw)]) + raw


def rsa_key(r):
    p, q = probable_prime(r, 1024), probable_prime(r, 1024)
    e, n = 65537, p * q
    d = pow(e, -1, (p - 1) * (q - 1))
    body = b"".join(map(der_int, (0, n, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))))
    return pem("RSA PRIVATE " + "KEY", b"\x30" + der_len(len(body)) + body)


def rsa_encrypted(r):
    """The traditional encrypted form; what is inside is as random as ciphertext."""
    headers = f"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,{r.randbytes(16).hex().upper()}\n\n"
    return pem("RSA PRIVATE " + "KEY", r.randbytes(1200), headers)


PRIME = 2**255 - 19
CURVE_D = -121665 * pow(121666, -1, PRIME) % PRIME


def edwards_add(a, b):
    (x1, y1), (x2, y2) = a, b
    k = CURVE_D * x1 * x2 * y1 * y2 % PRIME
    x = (x1 * y2 + x2 * y1) * pow(1 + k, -1, PRIME) % PRIME
    return x, (y1 * y2 + x1 * x2) * pow(1 - k, -1, PRIME) % PRIME


def ed25519_public(seed):
    """The public half (RFC 8032, section 5.1.5)."""
    y = 4 * pow(5, -1, PRIME) % PRIME
    xx = (y * y - 1) * pow(CURVE_D * y * y + 1, -1, PRIME) % PRIME
    x = pow(xx, (PRIME + 3) // 8, PRIME)
    if (x * x - xx) % PRIME:
        x = x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    point = (x if x % 2 == 0 else PRIME - x, y)
    scalar = bytearray(hashlib.sha512(seed).digest()[:32])
    scalar[0] &= 248
    scalar[31] = (scalar[31] & 127) | 64
    bits, total = int.from_bytes(scalar, "little"), (0, 1)
    while bits:
        if bits & 1:
            total = edwards_add(total, point)
        point, bits = edwards_add(point, point), bits >> 1
    return (total[1] | (total[0] & 1) << 255).to_bytes(32, "little")


def ssh_string(data):
    return struct.pack(">I", len(data)) + data


def ed25519_blob(seed):
    return ssh_string(b"ssh-ed25519") + ssh_string(ed25519_public(seed))


def openssh_key(comment):
    """An OpenSSH private key in the clear (PROTOCOL.key)."""

    def make(r):
        seed, check = r.randbytes(32), r.randbytes(4)
        public = ed25519_public(seed)
        inner = check + check + ed25519_blob(seed) + ssh_string(seed + public) + ssh_string(comment)
        inner += bytes(range(1, 1 + -len(inner) % 8))
        head = b"openssh-key-v1\0" + ssh_string(b"none") * 2 + ssh_string(b"") + struct.pack(">I", 1)
        return pem("OPENSSH PRIVATE " + "KEY", head + ssh_string(ed25519_blob(seed)) + ssh_string(inner))

    return make


def authorized_key(comment):
    def make(r):
        return "ssh-ed25519 " + base64.b64encode(ed25519_blob(r.randbytes(32))).decode() + " " + comment

    return make


MAKERS = {
    "aws-id": aws_key_id,
    "aws-secret": aws_secret,
    "aws-session": aws_session,
    "aws-temporary-id": lambda r: aws_key_id(r, "AS" + "IA"),
    "authorized-key": authorized_key("ops@bastion"),
    "docker-auth": docker_auth,
    "ed25519": openssh_key(b"deploy@build-07"),
    "github": crc_tail("gh" + "p_"),
    "github-wrong-crc": github_wrong_crc,
    "gitlab": gitlab,
    "host-key": openssh_key(b"root@ip-10-0-3-17"),
    "jwt": jwt,
    "jwt-example": jwt_example,
    "npm-wrong-crc": npm_wrong_crc,
    "npm": crc_tail("np" + "m_"),
    "password": password,
    "postgres-url": postgres_url,
    "pypi": pypi,
    "rsa": rsa_key,
    "rsa-encrypted": rsa_encrypted,
    "sendgrid": sendgrid,
    "shadow": shadow,
    "slack": slack_bot,
    "stripe": stripe_live,
    "stripe-doc": stripe_documented,
    "wireguard": wireguard,
    "sha1": lambda r: r.randbytes(20).hex(),
    "uuid": lambda r: str(uuid.UUID(bytes=r.randbytes(16), version=4)),
    "aws-example-id": lambda _: "AKIAIOSFODNN7" + "EXAMPLE",
    "aws-example-secret": lambda _: "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCY" + "EXAMPLEKEY",
    "placeholder": lambda _: "changeme",
    "angle-placeholder": lambda _: "<your-password-here>",
}


def make(seed, name, kind):
    """The token called `name`, of a kind in MAKERS."""
    return MAKERS[kind](rng(seed, name))
