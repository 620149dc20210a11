"""The stores whose programs cannot be run for it, by the formats that they document: Jenkins' files
(java.util.Random apart), Chrome's databases, and Firefox's, whose own library encrypts."""
import base64, ctypes, hashlib, json, os, sqlite3, sys
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def aes(key, mode, plain):
    pad = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), mode).encryptor()
    return encryptor.update(pad.update(plain) + pad.finalize()) + encryptor.finalize()


def write(path, data):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def jenkins(home, password):
    master = os.urandom(128).hex().encode()
    secret = os.urandom(256)
    write(f"{home}/secrets/master.key", master)
    key = hashlib.sha256(master).digest()[:16]
    write(f"{home}/secrets/hudson.util.Secret", aes(key, modes.ECB(), secret + b"::::MAGIC::::"))
    iv = os.urandom(16)
    body = aes(secret[:16], modes.CBC(iv), password.encode())
    head = b"\1" + len(iv).to_bytes(4, "big") + len(body).to_bytes(4, "big")
    value = base64.b64encode(head + iv + body).decode()
    old = aes(secret[:16], modes.ECB(), ("old" + password[3:]).encode() + b"::::MAGIC::::")
    old = base64.b64encode(old).decode()
    write(f"{home}/credentials.xml", f"""<?xml version='1.1' encoding='UTF-8'?>
<com.cloudbees.plugins.credentials.SystemCredentialsProvider plugin="credentials@1309">
  <domainCredentialsMap class="hudson.util.CopyOnWriteMap$Hash">
    <entry><com.cloudbees.plugins.credentials.domains.Domain><specifications/></com.cloudbees.plugins.credentials.domains.Domain>
      <java.util.concurrent.CopyOnWriteArrayList>
        <com.cloudbees.plugins.credentials.impl.UsernamePasswordCredentialsImpl plugin="credentials@1309">
          <scope>GLOBAL</scope>
          <id>deploy</id>
          <description>deploys</description>
          <username>deployer</username>
          <password>{{{value}}}</password>
        </com.cloudbees.plugins.credentials.impl.UsernamePasswordCredentialsImpl>
        <org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl>
          <id>legacy</id>
          <secret>{old}</secret>
        </org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl>
      </java.util.concurrent.CopyOnWriteArrayList>
    </entry>
  </domainCredentialsMap>
</com.cloudbees.plugins.credentials.SystemCredentialsProvider>
""".encode())


def chrome(folder, password, cookie):
    """https://chromium.googlesource.com/chromium/src/+/main/components/os_crypt (v10 on Linux)."""
    key = hashlib.pbkdf2_hmac("sha1", b"peanuts", b"saltysalt", 1, 16)
    seal = lambda text: b"v10" + aes(key, modes.CBC(b" " * 16), text)
    with sqlite3.connect(f"{folder}/Login Data") as db:
        db.execute("CREATE TABLE logins (origin_url VARCHAR NOT NULL, action_url VARCHAR, username_element VARCHAR,"
                   " username_value VARCHAR, password_element VARCHAR, password_value BLOB, submit_element VARCHAR,"
                   " signon_realm VARCHAR NOT NULL, date_created INTEGER NOT NULL)")
        db.execute("INSERT INTO logins VALUES (?,?,?,?,?,?,?,?,?)",
                   ("https://intranet.example.org/login", "", "user", "dev@example.org", "pass",
                    seal(password.encode()), "", "https://intranet.example.org/", 13350000000000000))
    with sqlite3.connect(f"{folder}/Cookies") as db:
        db.execute("CREATE TABLE cookies (creation_utc INTEGER, host_key TEXT, top_frame_site_key TEXT, name TEXT,"
                   " value TEXT, encrypted_value BLOB, path TEXT)")
        host = ".console.example.org"
        sealed = seal(hashlib.sha256(host.encode()).digest() + cookie.encode())
        db.execute("INSERT INTO cookies VALUES (?,?,?,?,?,?,?)", (13350000000000000, host, "", "session", "", sealed, "/"))


def hive(path):
    """An empty registry hive: hivex fills it, and makes none."""
    cell = lambda body: (-((len(body) + 11) // 8 * 8)).to_bytes(4, "little", signed=True) + body.ljust((len(body) + 11) // 8 * 8 - 4, b"\0")
    word = lambda *numbers: b"".join(n.to_bytes(4, "little") for n in numbers)
    none = 0xFFFFFFFF
    name = b"$$$PROTO.HIV"
    root = (b"nk" + (0x2C).to_bytes(2, "little") + bytes(8) + word(0, 0, 0, 0, none, none, 0, none, 32 + 4 + 76 + 16, none)
            + word(0, 0, 0, 0, 0) + len(name).to_bytes(2, "little") + bytes(2) + name)
    root = cell(root)
    security = 32 + len(root)
    descriptor = bytes.fromhex("010004801400000024000000000000003400000001020000000000052000000020020000010200000000000520000000200200000200080000000000")
    root = root[:4 + 0x2C] + word(security) + root[4 + 0x30:]
    sk = cell(b"sk" + bytes(2) + word(security, security, 1, len(descriptor)) + descriptor)
    cells = root + sk
    free = 4096 - 32 - len(cells)
    page = b"hbin" + word(0, 4096) + bytes(20) + cells + word(free) + bytes(free - 4)
    head = b"regf" + word(1, 1) + bytes(8) + word(1, 3, 0, 1, 32, 4096, 1)
    head = head.ljust(508, b"\0")
    total = 0
    for at in range(0, 508, 4):
        total ^= int.from_bytes(head[at:at + 4], "little")
    write(path, (head + word(total)).ljust(4096, b"\0") + page)


class Item(ctypes.Structure):
    _fields_ = [("type", ctypes.c_uint), ("data", ctypes.c_void_p), ("len", ctypes.c_uint)]


def firefox(folder, password):
    nss = ctypes.CDLL("libnss3.so")
    nss.PK11_GetInternalKeySlot.restype = ctypes.c_void_p
    check = lambda code: code == 0 or sys.exit("NSS failed")
    check(nss.NSS_InitReadWrite(f"sql:{folder}".encode()))
    slot = ctypes.c_void_p(nss.PK11_GetInternalKeySlot())
    check(nss.PK11_InitPin(slot, None, b""))

    def seal(text):
        text = ctypes.create_string_buffer(text.encode())
        plain = Item(0, ctypes.addressof(text), len(text) - 1)
        out, empty = Item(0, None, 0), Item(0, None, 0)
        check(nss.PK11SDR_Encrypt(ctypes.byref(empty), ctypes.byref(plain), ctypes.byref(out), None))
        return base64.b64encode(ctypes.string_at(out.data, out.len)).decode()

    logins = {"nextId": 2, "logins": [{
        "id": 1, "hostname": "https://git.example.org", "httpRealm": None, "formSubmitURL": "https://git.example.org",
        "usernameField": "user", "passwordField": "password", "encryptedUsername": seal("dev"),
        "encryptedPassword": seal(password), "guid": "{0}", "encType": 1, "timesUsed": 1}], "version": 3}
    nss.NSS_Shutdown()
    write(f"{folder}/logins.json", json.dumps(logins).encode())


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
