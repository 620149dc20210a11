"""The files of a small server: what stands in a plausible root filesystem, with plants and decoys.

In a template, `<<id kind>>` stands for a planted token, `<<!id kind>>` for a decoy,
`<<=id kind>>` for what must only be seen, `<<-id kind>>` for what is not listed, and `<<~id kind>>`
and `<<?id kind>>` for a secret that is missed and a decoy that is reported today.
"""

import hashlib

PLANTED = {
    "/home/ubuntu/.aws/credentials": (0o600, """\
[default]
aws_access_key_id = <<-aws-default aws-id>>
aws_secret_access_key = <<aws-default aws-secret>>

[prod]
aws_access_key_id = <<-aws-prod aws-id>>
aws_secret_access_key = <<aws-prod aws-secret>>
region = eu-central-1
"""),
    "/home/ubuntu/notes/handover.txt": (0o644, """\
The old uploader still runs as <<aws-lone aws-id>>, see the wiki for the other half.
"""),
    "/srv/shop/.env": (0o640, """\
APP_ENV=production
APP_PORT=8080
DATABASE_URL=<<env-url postgres-url>>
STRIPE_SECRET_KEY=<<env-stripe stripe>>
SLACK_BOT_TOKEN=<<env-slack slack>>
INSTANCE_ID=<<!uuid-env uuid>>
"""),
    "/srv/shop/.env.example": (0o644, """\
APP_ENV=development
DATABASE_PASSWORD=<<!placeholder placeholder>>
SMTP_PASSWORD=<<!angle angle-placeholder>>
AWS_ACCESS_KEY_ID=<<!aws-example-id aws-example-id>>
AWS_SECRET_ACCESS_KEY=<<!aws-example-secret aws-example-secret>>
STRIPE_SECRET_KEY=<<!stripe-doc stripe-doc>>
"""),
    "/srv/shop/README.md": (0o644, """\
# shop

Decode a session at the debugger, for example
`<<!jwt-example jwt-example>>`.

Tokens look like `<<!github-wrong-crc github-wrong-crc>>` and `<<!npm-wrong-crc npm-wrong-crc>>`.
"""),
    "/srv/shop/.npmrc": (0o600, "//registry.npmjs.org/:_authToken=<<npmrc npm>>\n"),
    "/srv/shop/Gemfile.lock": (0o644, """\
GIT
  remote: https://git.corp-example.net/aws-helpers.git
  revision: <<!sha1-lock sha1>>
"""),
    "/srv/shop/.git/packed-refs": (0o644, """\
# pack-refs with: peeled fully-peeled sorted
<<!sha1-main sha1>> refs/heads/main
<<!sha1-tag sha1>> refs/tags/v1.4.0
"""),
    "/srv/shop/.git/config": (0o644, """\
[core]
	repositoryformatversion = 0
[remote "origin"]
	url = https://ci:<<git-remote gitlab>>@git.corp-example.net/shop/shop.git
"""),
    "/var/www/blog/wp-config.php": (0o640, """\
<?php
define( 'DB_NAME', 'blog' );
define( 'DB_USER', 'blog_rw' );
define( 'DB_PASSWORD', '<<wp-config password>>' );
define( 'DB_HOST', 'db-2.internal.corp-example.net' );
$table_prefix = 'wp_';
"""),
    "/home/ubuntu/.bash_history": (0o600, """\
sudo apt update
cd /srv/shop && git pull
export GITHUB_TOKEN=<<history-github github>>
mysql -h db-2.internal.corp-example.net -u blog_rw -p<<history-mysql password>> blog
curl -u deploy:<<history-curl password>> https://artifacts.corp-example.net/shop/latest
sudo systemctl restart shop
exit
"""),
    "/root/.netrc": (0o600, """\
machine artifacts.corp-example.net
  login deploy
  password <<netrc password>>
"""),
    "/home/ubuntu/.pgpass": (0o600, "db-1.internal.corp-example.net:5432:orders:reporting:<<pgpass password>>\n"),
    "/home/ubuntu/.git-credentials": (0o600, "https://deploy-bot:<<git-credentials github>>@github.com\n"),
    "/root/.docker/config.json": (0o600, """\
{
  "auths": {
    "registry.corp-example.net": {
      "auth": "<<docker docker-auth>>"
    }
  }
}
"""),
    "/root/.kube/config": (0o600, """\
apiVersion: v1
kind: Config
clusters:
- name: prod
  cluster:
    server: https://10.0.7.4:6443
users:
- name: deployer
  user:
    token: <<kubeconfig jwt>>
contexts:
- name: prod
  context: {cluster: prod, user: deployer}
current-context: prod
"""),
    "/etc/NetworkManager/system-connections/office.nmconnection": (0o600, """\
[connection]
id=office
uuid=<<!uuid-nm uuid>>
type=wifi

[wifi]
ssid=office-5g

[wifi-security]
key-mgmt=wpa-psk
psk=<<nm-psk password>>
"""),
    "/etc/wireguard/wg0.conf": (0o600, """\
[Interface]
Address = 10.9.0.2/24
PrivateKey = <<wireguard wireguard>>

[Peer]
Endpoint = vpn.corp-example.net:51820
AllowedIPs = 10.9.0.0/24
"""),
    "/etc/shadow": (0o640, """\
root:*:20012:0:99999:7:::
daemon:*:20012:0:99999:7:::
sshd:!:20012::::::
ubuntu:<<shadow shadow>>:20031:0:99999:7:::
"""),
    "/home/ubuntu/.ssh/id_ed25519": (0o600, "<<ssh-ed25519 ed25519>>\n"),
    "/home/ubuntu/.ssh/id_rsa": (0o600, "<<=ssh-encrypted rsa-encrypted>>\n"),
    "/home/ubuntu/.ssh/authorized_keys": (0o600, "<<=authorized-keys authorized-key>>\n"),
    "/etc/ssh/ssh_host_ed25519_key": (0o600, "<<ssh-host host-key>>\n"),
    "/etc/ssl/private/shop.key": (0o600, "<<tls-rsa rsa>>\n"),
    "/home/ubuntu/.pypirc": (0o600, "[pypi]\nusername = __token__\npassword = <<pypirc pypi>>\n"),
    "/etc/systemd/system/shop.service": (0o644, """\
[Unit]
Description=shop
After=network-online.target

[Service]
User=shop
Environment=SENDGRID_API_KEY=<<systemd-sendgrid sendgrid>>
ExecStart=/srv/shop/bin/shop

[Install]
WantedBy=multi-user.target
"""),
}

USER_DATA = """\
#cloud-config
hostname: shop-1
packages: [postgresql-client, wireguard]
write_files:
- path: /etc/shop/pay.env
  permissions: '0600'
  content: |
    STRIPE_SECRET_KEY=<<userdata-plain stripe>>
- path: /etc/shop/mail.env
  encoding: gzip+base64
  content: @gzip@
runcmd:
- systemctl enable --now shop
"""

HIDDEN_FILE = "MAIL_FROM=shop@corp-example.net\nSENDGRID_API_KEY=<<userdata-gzip sendgrid>>\n"

PLAIN = {
    "/etc/passwd": """\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
sshd:x:102:65534::/run/sshd:/usr/sbin/nologin
ubuntu:x:1000:1000:Ubuntu:/home/ubuntu:/bin/bash
shop:x:998:998::/srv/shop:/usr/sbin/nologin
""",
    "/etc/group": "root:x:0:\nadm:x:4:ubuntu\nsudo:x:27:ubuntu\nubuntu:x:1000:\nshop:x:998:\n",
    "/etc/hostname": "ip-10-0-3-17\n",
    "/etc/hosts": "127.0.0.1 localhost\n::1 ip6-localhost ip6-loopback\n",
    "/etc/fstab": "LABEL=rootfs / ext4 discard,errors=remount-ro 0 1\nLABEL=UEFI /boot/efi vfat umask=0077 0 1\n",
    "/etc/os-release": """\
PRETTY_NAME="Sample Linux 24.04 LTS"
NAME="Sample Linux"
VERSION_ID="24.04"
ID=sample
ID_LIKE=debian
""",
    "/etc/ssh/sshd_config": """\
Include /etc/ssh/sshd_config.d/*.conf
KbdInteractiveAuthentication no
UsePAM yes
X11Forwarding no
Subsystem sftp /usr/lib/openssh/sftp-server
""",
    "/etc/ssh/sshd_config.d/60-cloudimg-settings.conf": "PasswordAuthentication no\n",
    "/etc/sudoers.d/90-cloud-init-users": "ubuntu ALL=(ALL) NOPASSWD:ALL\n",
    "/etc/cloud/cloud.cfg": """\
users:
- default
disable_root: true
preserve_hostname: false
cloud_init_modules: [seed_random, growpart, resizefs, set_hostname, users_groups, ssh]
""",
    "/etc/apt/sources.list": "deb http://archive.example.org/ubuntu noble main universe\n",
    "/etc/resolv.conf": "nameserver 127.0.0.53\noptions edns0 trust-ad\n",
    "/etc/crontab": "17 * * * * root cd / && run-parts --report /etc/cron.hourly\n",
    "/home/ubuntu/.bashrc": "alias ll='ls -alF'\nexport HISTSIZE=1000\n",
    "/home/ubuntu/.profile": '[ -n "$BASH_VERSION" ] && . "$HOME/.bashrc"\n',
    "/boot/grub/grub.cfg": "set timeout=0\nmenuentry 'Sample Linux' { linux /boot/vmlinuz root=LABEL=rootfs ro }\n",
    "/srv/shop/package.json": '{\n  "name": "shop",\n  "version": "1.4.0",\n  "dependencies": {"express": "4.21.0"}\n}\n',
}

PACKAGES = (
    "adduser apt base-files base-passwd bash bsdutils busybox bzip2 ca-certificates chrony cloud-init "
    "coreutils cron curl dash dbus debconf debianutils diffutils dpkg e2fsprogs ethtool fdisk findutils "
    "gawk gettext-base git gpgv grep grub-common grub-pc gzip hdparm hostname htop init iproute2 iptables "
    "iputils-ping jq kmod less locales login logrotate lsb-release lsof man-db mawk mount nano netbase "
    "nftables openssh-client openssh-server openssl parted passwd perl-base procps psmisc python3 rsync "
    "rsyslog screen sed snapd strace sudo systemd tar tmux tzdata udev util-linux vim wget wireguard-tools zstd"
).split()


def filler():
    """Programs, documents and the package database: path -> (mode, bytes)."""
    files = {path: (0o644, text.encode()) for path, text in PLAIN.items()}
    status = []
    for number, package in enumerate(PACKAGES):
        version = f"{1 + number % 9}.{number % 17}.{number % 5}-{1 + number % 3}"
        program = b"\x7fELF\x02\x01\x01" + bytes(9) + f"{package} {version}\n".encode() + bytes(200 + 8 * number)
        own = {
            f"usr/bin/{package}": program,
            f"usr/share/doc/{package}/README": f"{package} {version}\n\nSee the manual page.\n".encode(),
            f"etc/default/{package}": f"# Defaults of {package}.\nENABLED=yes\nOPTIONS=\n".encode(),
        }
        sums = "".join(f"{hashlib.md5(data).hexdigest()}  {path}\n" for path, data in own.items())
        listing = "/.\n" + "".join(f"/{path}\n" for path in own)
        own[f"var/lib/dpkg/info/{package}.md5sums"] = sums.encode()
        own[f"var/lib/dpkg/info/{package}.list"] = listing.encode()
        files.update({"/" + path: (0o755 if "/bin/" in path else 0o644, data) for path, data in own.items()})
        status.append(f"Package: {package}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n")
    files["/var/lib/dpkg/status"] = (0o644, "\n".join(status).encode())
    boot = "".join(f"Nov 20 06:25:{n % 60:02} ip-10-0-3-17 systemd[1]: Started unit {n}.\n" for n in range(400))
    files["/var/log/syslog"] = (0o640, boot.encode())
    return files
