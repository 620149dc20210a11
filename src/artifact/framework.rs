//! Configuration of web frameworks: their session keys, whose owner can forge a login, and the
//! databases behind them. `WordPress`, Joomla, Drupal, Magento, Laravel, Symfony, `MediaWiki`,
//! Nextcloud, phpMyAdmin, Django, Flask, Rails, Spring and ASP.NET Core.

use super::Artifact;
use super::judge::{self, Kind};
use super::literal::{self, Language, Literal};
use super::paths;
use super::piece::Piece;
use super::settings::{self, Judge, Name, Setting};
use super::yaml;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Match, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "framework", applies, run };

static SECRET: Rule = Rule {
    id: "app.framework.secret",
    title: "Secret in the configuration of a web application",
    severity: Severity::High,
    rotate: "Change the secret at the service it opens and hand it to the application at run time, from a secrets manager.",
};

static SESSION: Rule = Rule {
    id: "app.framework.session_key",
    title: "Key that signs the sessions of a web application",
    severity: Severity::Critical,
    rotate: "Set a new key (every session ends), and look for forged sessions while the old one was exposed.",
};

/// How a file is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Script(Language),
    Tree,
    Properties,
}

const FILES: &[(&[&str], Form)] = &[
    (
        &[
            "wp-config.php",
            "wp-config.php.*",
            "wp-config-*.php",
            "configuration.php",
            "LocalSettings.php",
            "sites/*/settings.php",
            "sites/*/settings.local.php",
            "etc/env.php",
            "config.inc.php",
            "config/config.php",
            "config/database.php",
            "config/app.php",
            "config/services.php",
            "config/mail.php",
            "config/app_local.php",
            "config/db.php",
            "config/parameters.php",
            "config/settings.inc.php",
            "application/config/*.php",
            ".env.local.php",
            "typo3conf/*.php",
            "config/system/*.php",
            "phpmyadmin/*.php",
        ],
        Form::Script(Language::Php),
    ),
    (
        &[
            "settings.py",
            "local_settings.py",
            "settings/*.py",
            "settings_*.py",
            "*_settings.py",
            "config.py",
            "jupyter_*_config.py",
            "jupyterhub_config.py",
            "superset_config.py",
            "webserver_config.py",
        ],
        Form::Script(Language::Python),
    ),
    (
        &["config/initializers/*.rb", "config/environments/*.rb", "config/application.rb"],
        Form::Script(Language::Ruby),
    ),
    (
        &[
            "application.yml",
            "application.yaml",
            "application-*.yml",
            "application-*.yaml",
            "bootstrap.yml",
            "bootstrap-*.yml",
            "parameters.yml",
            "parameters_*.yml",
            "config/secrets.yml",
            "config/database.yml",
            "config/storage.yml",
            "config/cable.yml",
            "config/redis.yml",
            "config/sidekiq.yml",
            "config/mongoid.yml",
            "config/master.yml",
            "appsettings.json",
            "appsettings.*.json",
            "secrets.json",
            "connectionStrings.json",
            "local.settings.json",
            "config/config.json",
            "config/default.json",
            "config/production.json",
            "config/local.json",
            "ormconfig.json",
            "datasources.json",
        ],
        Form::Tree,
    ),
    (
        &[
            "application.properties",
            "application-*.properties",
            "bootstrap.properties",
            "bootstrap-*.properties",
            "hibernate.properties",
            "jdbc.properties",
            "database.properties",
            "db.properties",
            "persistence.properties",
            "ranger-*.properties",
        ],
        Form::Properties,
    ),
];

fn form(path: &[u8]) -> Option<Form> {
    FILES.iter().find(|(tails, _)| paths::ends_with_any(path, tails)).map(|(_, form)| *form)
}

fn applies(blob: &Blob<'_>) -> bool {
    form(&blob.name).is_some()
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    let judge = Judge { rule: &SECRET, grade: Grade::Strong, path: &blob.name };
    let mut report = |settings: &[Setting<'_>]| {
        settings::report(judge, settings, &mut |setting, found| {
            out(Out::Match(of_session(setting, found)));
        });
    };
    match form(&blob.name) {
        Some(Form::Script(language)) => {
            let (found, result) = literal::assigned(text, language);
            let settings: Vec<_> = found.iter().map(script_setting).collect();
            report(&settings);
            result
        }
        Some(Form::Tree) => {
            let (leaves, result) = yaml::leaves(text);
            let mut settings = settings::of_leaves(&leaves);
            settings.iter_mut().for_each(name_session);
            report(&settings);
            result
        }
        Some(Form::Properties) => {
            report(&properties(text));
            Ok(())
        }
        None => Ok(()),
    }
}

/// `name = value`, `name: value` and `name value` lines
/// ([format](https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Properties.html)).
pub(super) fn properties(text: Piece<'_>) -> Vec<Setting<'_>> {
    text.lines()
        .filter_map(|line| {
            let line = line.trim();
            if matches!(line.bytes, [b'#' | b'!', ..] | []) {
                return None;
            }
            let end = line.bytes.iter().position(|b| b"=:".contains(b))?;
            let (name, raw) = (line.sub(0, end).trim(), line.from(end + 1).trim());
            let setting =
                Setting { group: 0, name: Name::Text(name), value: raw.bytes, raw, kind: None };
            Some(setting)
        })
        .collect()
}

fn script_setting<'l>(literal: &'l Literal<'_>) -> Setting<'l> {
    let mut setting = literal.setting();
    name_session(&mut setting);
    // Magento's `'crypt' => ['key' => …]`.
    if literal.label.bytes == b"crypt" && literal.name.bytes == b"key" {
        setting.name = Name::Text(Piece { bytes: b"crypt_key", ..literal.name });
        setting.kind = Some(Kind::Token);
    }
    setting
}

/// Give names that mean a signing key to these frameworks alone their meaning.
fn name_session(setting: &mut Setting<'_>) {
    if is_session(setting.name.key()) && !judge::is_setting(setting.value) {
        setting.kind = Some(Kind::Token);
    }
}

/// Names of keys that sign or encrypt sessions.
const SESSIONS: [&str; 23] = [
    "secret_key",
    "secret_key_base",
    "secret_token",
    "auth_key",
    "secure_auth_key",
    "logged_in_key",
    "nonce_key",
    "auth_salt",
    "secure_auth_salt",
    "logged_in_salt",
    "nonce_salt",
    "hash_salt",
    "wgsecretkey",
    "wgupgradekey",
    "app_key",
    "app_secret",
    "blowfish_secret",
    "encryption_key",
    "cookie_secret",
    "cookie_key",
    "crypt_key",
    "passwordsalt",
    "encryptionkey",
];

fn is_session(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    SESSIONS.iter().any(|known| known.as_bytes() == name)
}

/// A signing key has a rule of its own.
fn of_session(setting: &Setting<'_>, mut found: Match) -> Match {
    if is_session(setting.name.key()) && found.rule.id == SECRET.id {
        found.rule = &SESSION;
        found.severity = SESSION.severity;
    }
    found
}
