//! Values that a name or a place calls secret: lines and what must come of them, each with the
//! path of the file it stands in where that says something.

use amisweep::detect::example::render;
use amisweep::detect::{Engine, Scratch, Window};
use amisweep::finding::{Match, Severity};
use std::sync::OnceLock;

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::builtin().expect("the signatures load"))
}

fn search(text: &str, path: Option<&str>) -> Vec<Match> {
    let bytes = text.as_bytes();
    let window = Window { bytes, owned: 0..bytes.len(), path: path.map(str::as_bytes) };
    let mut matches = Vec::new();
    engine().search(&window, &mut Scratch::default(), &mut matches);
    matches.retain(|m| {
        ["generic.", "uri.", "http.", "shell."].iter().any(|p| m.rule.id.starts_with(p))
    });
    matches
}

/// The best severity that is no stand-in's, `noted` when all are, `nothing` without a match.
fn verdict(matches: &[Match]) -> &'static str {
    let worst = matches.iter().filter(|m| m.harmless.is_none()).map(|m| m.severity).max();
    match worst {
        Some(severity) => severity.name(),
        None if matches.is_empty() => "nothing",
        None => "noted",
    }
}

fn check(table: &[(&str, &str, &str)]) {
    let mut wrong = Vec::new();
    for (number, (path, template, expected)) in table.iter().enumerate() {
        let text = render(template, number as u64 + 7).expect(template);
        let path = Some(*path).filter(|path| !path.is_empty());
        for lines in [text.clone(), format!("a = 1\n{text}\nb = 2\n")] {
            let matches = search(&lines, path);
            if verdict(&matches) != *expected {
                wrong.push(format!("{path:?} {lines:?}: {} not {expected}", verdict(&matches)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn real_assignments_are_found() {
    check(&[
        ("/srv/app/.env", "DB_PASSWORD={base62:16}", "medium"),
        ("/srv/app/.env", "export SMTP_PASS='{base62:12}7q'", "medium"),
        ("/srv/app/.env", "API_TOKEN=\"{b64u:39}7\"", "medium"),
        ("/srv/app/.env", "#OLD_PASSWORD=Kq{digits:3}!wX{lower:4}", "medium"),
        ("/etc/app.ini", "password = Winter{digits:4}!", "medium"),
        ("/etc/app.ini", "pwd: x9#Kd{base62:5}", "medium"),
        ("/srv/c.yaml", "  client_secret: {base62:30}42", "medium"),
        ("/srv/c.yml", "      - MYSQL_ROOT_PASSWORD={base62:12}4", "medium"),
        ("/srv/c.json", "  \"apiKey\": \"{hex:32}\",", "medium"),
        ("/srv/c.json", "{{\"db\":{{\"host\":\"db1\",\"password\":\"{base62:14}9\"}}}}", "medium"),
        ("/srv/application.properties", "spring.datasource.password={base62:12}8", "medium"),
        ("/srv/web.xml", "<property name=\"password\" value=\"{base62:14}5\"/>", "medium"),
        ("/srv/web.config", "<add key=\"ApiSecretKey\" value=\"{base62:30}41\"/>", "medium"),
        ("/srv/settings.xml", "<password>{base62:13}3</password>", "medium"),
        ("/srv/wp-config.php", "define( 'DB_PASSWORD', '{base62:14}6' );", "medium"),
        ("/srv/config.php", "$cfg['db_password'] = '{base62:6}8(x&{base62:4}';", "medium"),
        ("/srv/settings.py", "SECRET_KEY = '{base62:44}12'", "medium"),
        ("/srv/app.js", "const apiKey = \"{hex:40}\";", "medium"),
        ("", "Server=db;Database=app;User Id=sa;Password={base62:12}5;", "medium"),
        ("", "password={base62:16}&user=x", "medium"),
        ("/srv/run.sh", "mysqldump -h db -u app -p{base62:12}5 app", "high"),
        ("/srv/Dockerfile", "ENV APP_PASSWORD {base62:12}77", "medium"),
        ("/srv/run.sh", "tool login --password '{base62:12}77'", "medium"),
        (
            "/srv/app/.env",
            "DATABASE_URL=postgres://app:{base62:16}@db.internal:5432/app",
            "critical",
        ),
        ("/srv/app.py", "url = 'amqp://app:{base62:16}5@mq.internal/'", "critical"),
        (
            "/srv/x.sh",
            "curl -H 'Authorization: Basic {text_b64:ci:{base62:16}}' https://api.internal",
            "high",
        ),
        ("/srv/x.sh", "curl -H 'Authorization: Bearer {base62:40}' https://api.internal", "high"),
    ]);
}

#[test]
fn stand_ins_are_noted() {
    check(&[
        ("/srv/.env", "DB_PASSWORD=changeme123", "noted"),
        ("/srv/.env", "API_KEY=your_api_key_goes_here_123", "noted"),
        ("/srv/.env", "TOKEN=example-token-1234567890", "noted"),
        ("/srv/c.ini", "password: @ESXI1_PASSWORD", "noted"),
        ("/srv/c.js", "http://user:pass@host.internal/", "noted"),
        ("/srv/c.js", "http://user:pass%20pass@host.internal/", "noted"),
        ("/srv/c.py", "engine('postgresql://scott:tiger@localhost/test')", "noted"),
        ("/srv/c.txt", "https://aladdin:opensesame@git.internal/", "noted"),
        ("/srv/c.txt", "postgres://app:hunter42@host/db", "noted"),
    ]);
}

#[test]
fn what_only_looks_like_a_secret_is_nothing() {
    check(&[
        ("/srv/a.py", "password = os.environ['DB_PASSWORD1']", "nothing"),
        ("/srv/a.py", "token = get_token_from_vault_v1(name)", "nothing"),
        ("/srv/a.ts", "secretKey: SensitiveString2048Abcd;", "nothing"),
        ("/srv/a.rbs", "password: String?", "nothing"),
        ("/srv/a.js", "password: !!ownPass1a,", "nothing"),
        ("/srv/a.ts", "  token?: Buffer|Uint8Array|Blob|string;", "nothing"),
        ("/srv/a.sh", "PASSWORD=$1", "nothing"),
        ("/srv/.env", "API_KEY=xxxxxxxxxxxxxxxxxxxxxxxx12", "nothing"),
        ("/srv/a.json", "\"minipass\": \"^7.1.3\",", "nothing"),
        ("/srv/a.json", "\"password\": \"^7.1.3\",", "nothing"),
        ("/srv/a.json", "\"NextToken\": \"{b64:64}\"", "nothing"),
        ("/srv/a.json", "\"LockToken\": \"{hex:8}-{hex:4}-{hex:4}-{hex:4}-{hex:12}\"", "nothing"),
        (
            "/srv/a.json",
            "\"arn:aws:secretsmanager:eu-west-1:123456789012:secret:MyDbSecret1-{base62:6}\"",
            "nothing",
        ),
        ("/srv/a.log", "--- PASS: TestWithColons/127.0.0.1:0", "nothing"),
        ("/srv/a.po", "msgstr \"Password: Bitte mindestens 8 Zeichen\"", "nothing"),
        ("/srv/a.conf", "password_file = /etc/app/secret1", "nothing"),
        ("/srv/a.conf", "password = /run/secrets/db1", "nothing"),
        ("/srv/shadow", "password=$6$rounds=4096${base62:16}${base62:86}", "nothing"),
        ("/srv/Packages", "Depends: default-mysql-client, php-p1234x5", "nothing"),
    ]);
}

#[test]
fn a_value_in_passing_is_low() {
    check(&[
        ("/srv/.env", "PASSWORD=test123", "low"),
        ("/srv/.env", "PASSWORD=hunter42", "low"),
        (
            "/srv/.env",
            "CLIENT_TOKEN_ID=1\nAUTH_TOKEN={hex:8}-{hex:4}-{hex:4}-{hex:4}-{hex:12}",
            "low",
        ),
        ("/srv/a.py", "    >>> client = Client(secret='{lower36:17}1a9')", "low"),
        ("/srv/a.py", "    connect(host='db', password='{base62:14}7')", "low"),
        ("/srv/README.md", "Set `DB_PASSWORD={base62:14}7` first", "low"),
        ("/srv/a.md", "password: {base62:14}7", "low"),
        ("/srv/a_test.go", "url.Parse(\"http://jane:p%40ssword@google.com/\")", "low"),
        ("/srv/a.go", "SharedSecret: \"{hex:64}\",", "low"),
    ]);
}

#[test]
fn an_environment_between_zeros_is_no_string_of_a_program() {
    let text = render("PATH=/bin\0DB_PASSWORD={base62:16}5\0HOME=/root\0", 3).unwrap();
    assert_eq!(verdict(&search(&text, None)), "medium");
    let text = render("\u{1}\u{2}usage: x password={base62:16}5\0\u{3}", 3).unwrap();
    assert_eq!(verdict(&search(&text, None)), "low");
}

#[test]
fn what_stands_beside_a_password_says_whose_it_is() {
    let cases = [
        ("[db]\nhost = db1.internal\nuser = app\npassword = {base62:14}5\n", "app", "db1.internal"),
        ("MAIL_USER=m\nDB_USERNAME=app\nDB_HOST=db1\nDB_PASSWORD={base62:14}5\n", "app", "db1"),
        (
            "{{\"username\": \"app\", \"password\": \"{base62:14}5\", \"host\": \"db1\"}}",
            "app",
            "db1",
        ),
        ("Server=db1;User Id=app;Password={base62:14}5;", "app", "db1"),
        ("<user>app</user>\n<host>db1</host>\n<password>{base62:14}5</password>", "app", "db1"),
    ];
    for (number, (template, user, host)) in cases.into_iter().enumerate() {
        let text = render(template, number as u64).unwrap();
        let matches = search(&text, None);
        let found = matches.iter().find(|m| m.rule.id == "generic.password").expect(template);
        let fact = |name: &str| found.facts.get(name).map(String::as_str);
        assert_eq!((fact("user"), fact("host")), (Some(user), Some(host)), "{text}");
        assert_eq!(found.severity, Severity::Medium);
    }
    let text = render("[a]\nuser = other\n[b]\npassword = {base62:14}5\n", 1).unwrap();
    let matches = search(&text, None);
    assert!(matches.iter().all(|m| !m.facts.contains_key("user")), "another section's user");
}
