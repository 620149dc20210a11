//! Settings in XML: Tomcat, `JBoss`, ASP.NET, Hibernate, Magento 1 and others.

use super::Artifact;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use super::settings::{self, Judge, Name, Setting};
use super::xml;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "xml settings", applies, run };

static SECRET: Rule = Rule {
    id: "app.xml.secret",
    title: "Secret in the settings of an application server",
    severity: Severity::High,
    rotate: "Change the secret at the service it opens and hand it to the server at run time, from a secrets manager.",
};

static MACHINE_KEY: Rule = Rule {
    id: "app.aspnet.machine_key",
    title: "ASP.NET machine key",
    severity: Severity::Critical,
    rotate: "Generate new machine keys on every server of the farm: who has the old ones forges logins and runs code through ViewState.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(
        &blob.name,
        &[
            "tomcat-users.xml",
            "conf/server.xml",
            "conf/context.xml",
            "META-INF/context.xml",
            "Catalina/*/*.xml",
            "standalone*.xml",
            "domain.xml",
            "*-ds.xml",
            "web.config",
            "Web.config",
            "web.*.config",
            "*.exe.config",
            "app.config",
            "App.config",
            "connectionStrings.config",
            "machine.config",
            "applicationHost.config",
            "hibernate.cfg.xml",
            "persistence.xml",
            "etc/local.xml",
            "core-site.xml",
            "hdfs-site.xml",
            "hive-site.xml",
            "hbase-site.xml",
            "ranger-*.xml",
            "ambari-*.xml",
            "activemq.xml",
            "jetty*.xml",
            "log4j*.xml",
            "logback*.xml",
            "nagvis.xml",
            "serviceSettings.xml",
            "sitecore.config",
            "sonar.xml",
            "freeswitch/*.xml",
            "vars.xml",
            "wazuh/ossec.conf",
            "ossec/etc/ossec.conf",
            "clickhouse-server/*.xml",
            "clickhouse-server/users.d/*.xml",
            "clickhouse-server/config.d/*.xml",
        ],
    )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let (values, result) = xml::values(Piece::whole(&blob.bytes));
    let mut settings = settings::of_xml(&values);
    for (setting, value) in settings.iter_mut().zip(&values) {
        if let Some(name) = machine_key(value.attribute, setting) {
            let found = judge::decoded(&MACHINE_KEY, Grade::Strong, (Kind::Token, name.1), name.2);
            out(Out::Match(found.fact("name", name.0)));
            setting.value = b"";
            continue;
        }
        if value.is_text(&["crypt", "key"]) {
            setting.kind = Some(Kind::Token);
        }
        if is_password(value, setting) {
            setting.kind = Some(Kind::Password);
        }
    }
    let judge = Judge { rule: &SECRET, grade: Grade::Strong, path: &blob.name };
    settings::report(judge, &settings, &mut |_, found| out(Out::Match(found)));
    result
}

/// Name, value and place of half a machine key that is not made at start.
fn machine_key<'a>(
    attribute: &[u8],
    setting: &Setting<'a>,
) -> Option<(&'static str, &'a [u8], Piece<'a>)> {
    let name = match attribute {
        b"validationKey" => "validationKey",
        b"decryptionKey" => "decryptionKey",
        _ => return None,
    };
    let value = setting.value;
    let hex = value.len() >= 32 && value.iter().all(u8::is_ascii_hexdigit);
    hex.then_some((name, value, setting.raw))
}

/// Names that mean a password in these files alone.
fn is_password(value: &xml::Part<'_>, setting: &Setting<'_>) -> bool {
    let key = match setting.name {
        Name::Text(name) => name.bytes,
        Name::Path(_) => return false,
    };
    let known: [&[u8]; 6] = [
        b"keystorePass",
        b"truststorePass",
        b"connectionPassword",
        b"javax.jdo.option.ConnectionPassword",
        b"password_sha256_hex",
        b"password_double_sha1_hex",
    ];
    known.contains(&key) && !value.value.is_empty() && !judge::is_setting(&value.value)
}
