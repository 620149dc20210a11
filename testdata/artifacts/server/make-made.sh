#!/bin/sh
# Makes made.tar.zst: the files of a server that a tool has to write, each by the real tool.
# Passwords are digests of seeds, so that the tests can say what must be found.
# Needs: age openssl openssh-client gnupg sqlite3 git apache2-utils ansible-core krb5-user maven
# default-jdk-headless ruby-activesupport libwin-hivex-perl python3-cryptography libnss3 wireguard-tools util-linux zstd
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"
cd "$root"
pw() { printf %s "$1" | sha256sum | cut -c1-20; }
word() { printf %s "$1" | openssl dgst -sha256 -binary | base64 | cut -c1-40; }
upper() { printf %s "$1" | sha256sum | tr 0-9a-f A-P | cut -c1-"$2"; }
quiet() { "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }; }

# Keys.
mkdir -p home/dev/.ssh etc/ssh etc/ssl/private etc/ssl/certs etc/kubernetes/pki
quiet ssh-keygen -q -t ed25519 -N '' -C dev@build -f home/dev/.ssh/id_ed25519
quiet ssh-keygen -q -t rsa -b 2048 -N 'a phrase' -C dev@laptop -f home/dev/.ssh/id_rsa
quiet ssh-keygen -q -t ecdsa -N '' -C root@web1 -f etc/ssh/ssh_host_ecdsa_key
quiet ssh-keygen -q -t ed25519 -N '' -C users-ca -f etc/ssh/users_ca
quiet openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=www.example.org \
	-keyout etc/ssl/private/www.example.org.key -out etc/ssl/certs/www.example.org.pem
quiet openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -outform DER \
	-out etc/ssl/private/legacy.der
quiet openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -aes-256-cbc \
	-pass "pass:$(pw pem)" -out etc/ssl/private/locked.key
quiet openssl ecparam -name prime256v1 -genkey -noout -out etc/kubernetes/pki/ca.key
mkdir -p opt/app
quiet openssl pkcs12 -export -inkey etc/ssl/private/www.example.org.key \
	-in etc/ssl/certs/www.example.org.pem -name web -passout pass:changeit -out opt/app/server.p12
quiet keytool -genkeypair -alias web -keyalg RSA -dname CN=web -storetype JKS \
	-storepass changeit -keypass changeit -keystore opt/app/keystore.jks
export GNUPGHOME="$work/gnupg"
mkdir -m 700 "$GNUPGHOME"
quiet gpg --batch --pinentry-mode loopback --passphrase '' --quick-generate-key \
	'Build <build@example.org>' ed25519 sign never
mkdir -p root/.gnupg
cp -r "$GNUPGHOME/private-keys-v1.d" root/.gnupg/
gpg --batch --armor --export-secret-keys >root/signing.asc 2>/dev/null
gpgconf --kill all

mkdir -p home/dev/.config/sops/age
quiet age-keygen -o home/dev/.config/sops/age/keys.txt

# Tunnels, realms, logins.
mkdir -p etc/wireguard var/www
printf '[Interface]\nPrivateKey = %s\n[Peer]\nPublicKey = %s\nEndpoint = vpn.example.org:51820\n' \
	"$(wg genkey)" "$(wg genkey | wg pubkey)" >etc/wireguard/wg0.conf
printf 'addent -password -p app/web@EXAMPLE.ORG -k 1 -e aes256-cts-hmac-sha1-96\n%s\nwkt etc/krb5.keytab\n' \
	"$(pw krb)" | ktutil >/dev/null
quiet htpasswd -bBc var/www/.htpasswd admin "$(pw web)"

# Ansible, Rails, Maven and Jenkins: what is encrypted, and beside it what opens it.
mkdir -p srv/play/group_vars/prod
pw ansible >srv/play/.vault_pass
printf 'db_host: db.internal\ndb_user: app\ndb_password: %s\n' "$(pw ansible-db)" \
	>srv/play/group_vars/prod/vault.yml
quiet env ANSIBLE_LOCAL_TEMP="$work/ansible" ansible-vault encrypt \
	--vault-password-file srv/play/.vault_pass srv/play/group_vars/prod/vault.yml
mkdir -p srv/shop/config
pw rails-key | cut -c1-16 | od -An -tx1 | tr -d ' \n' | cut -c1-32 >srv/shop/config/master.key
(
	cd srv/shop && SECRET=$(pw rails-db) BASE=$(pw rails-base) ruby -e '
		require "active_support"
		require "active_support/encrypted_configuration"
		store = ActiveSupport::EncryptedConfiguration.new(
			config_path: "config/credentials.yml.enc", key_path: "config/master.key",
			env_key: "NONE", raise_if_missing_key: true)
		store.write("secret_key_base: #{ENV["BASE"] * 5}\ndatabase:\n  username: shop\n  password: #{ENV["SECRET"]}\n")'
)
mkdir -p home/dev/.m2
encrypted() { mvn -q -B -ntp -o -Dstyle.color=never -Duser.home="$root/home/dev" -Dsettings.security="$root/home/dev/.m2/settings-security.xml" "$@" | grep -o '{.*}'; }
printf '<settingsSecurity><master>%s</master></settingsSecurity>\n' \
	"$(encrypted --encrypt-master-password "$(pw maven-master)")" >home/dev/.m2/settings-security.xml
printf '<settings><servers><server><id>nexus</id><username>deploy</username><password>%s</password></server></servers></settings>\n' \
	"$(encrypted --encrypt-password "$(pw maven)")" >home/dev/.m2/settings.xml
python3 "$here/make-made.py" jenkins var/lib/jenkins "$(pw jenkins)"

# Browsers.
chrome='home/dev/.config/google-chrome/Default'
firefox='home/dev/.mozilla/firefox/x1.default-release'
mkdir -p "$chrome" "$firefox"
python3 "$here/make-made.py" chrome "$chrome" "$(pw chrome)" "$(pw cookie)"
python3 "$here/make-made.py" firefox "$firefox" "$(pw firefox)"

# Databases, repositories, hives, streams.
mkdir -p home/dev/.config/gcloud var/log/app Windows/System32/config
sqlite3 home/dev/.config/gcloud/credentials.db \
	"CREATE TABLE credentials (account_id TEXT PRIMARY KEY, value BLOB);
	INSERT INTO credentials VALUES ('dev@example.org', '{\"client_id\": \"1.apps.googleusercontent.com\",
	\"client_secret\": \"d-$(pw gc1)ab\", \"refresh_token\": \"1//$(pw gc2)$(pw gc3)$(pw gc4)$(pw gc5)\", \"type\": \"authorized_user\"}');"
mkdir -p srv/site
(
	cd srv/site
	export GIT_AUTHOR_NAME=dev GIT_AUTHOR_EMAIL=dev@example.org GIT_COMMITTER_NAME=dev GIT_COMMITTER_EMAIL=dev@example.org
	quiet git init -q -b main
	printf 'DATABASE_URL=postgres://site:%s@db.site.internal/site\n' "$(pw git)" >.env
	quiet git add -A
	quiet git commit -q -m one
	quiet git rm -q .env
	echo site >README
	quiet git add -A
	quiet git commit -q -m two
	quiet git gc -q
	rm -rf .git/hooks
)
key="AKIAY$(upper gz-id 15)" secret=$(word gz)
printf 'aws_access_key_id=%s\naws_secret_access_key=%s\n' "$key" "$secret" | gzip -n9 >var/log/app/app.log.1.gz
cat >"$work/winlogon.reg" <<-REG
	Windows Registry Editor Version 5.00

	[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft]

	[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT]

	[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion]

	[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Winlogon]
	"AutoAdminLogon"="1"
	"DefaultUserName"="Administrator"
	"DefaultPassword"="$(pw winlogon)"

	[HKEY_LOCAL_MACHINE\\SOFTWARE\\Acme]
	"AccessKeyId"="AKIAY$(upper reg-id 15)"
	"SecretAccessKey"="$(word reg)"
REG
python3 "$here/make-made.py" hive "$work/hive"
hivexregedit --merge "$work/hive" --prefix 'HKEY_LOCAL_MACHINE\SOFTWARE' "$work/winlogon.reg"
cp "$work/hive" Windows/System32/config/SOFTWARE
printf 'MY_TOKEN=%s\nPGPASSWORD=%s\n' "$(pw swap1)" "$(pw swap2)" >"$work/environ"
truncate -s 80k swapfile
quiet mkswap -U 00000000-0000-4000-8000-000000000000 swapfile
printf 'postgres://app:%s@db.internal:5432/app\0' "$(pw swap)" |
	dd of=swapfile bs=1 seek=24576 conv=notrunc status=none

find . -exec touch -h -d 2026-01-01T00:00:00Z {} +
tar --sort=name --owner=0 --group=0 --numeric-owner -cf "$work/made.tar" .
zstd -q -19 -f "$work/made.tar" -o "$here/made.tar.zst"
ls -l "$here/made.tar.zst"
