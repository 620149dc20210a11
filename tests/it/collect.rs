//! `amisweep collect` against an endpoint that throttles, pages, and lets credentials run out.

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// One request: who is asked for what in which region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    service: String,
    region: String,
    action: String,
    body: String,
}

/// What the endpoint saw.
#[derive(Default)]
struct Seen {
    asked: Vec<Asked>,
    /// Requests of each service that are being answered, and the most there were at once.
    busy: BTreeMap<String, (usize, usize)>,
}

type Answer = dyn Fn(&Asked, usize) -> (u16, String) + Send + Sync;

/// An endpoint for all services; each request is answered by its kind and its number.
struct Endpoint {
    url: String,
    seen: Arc<Mutex<Seen>>,
}

impl Endpoint {
    fn new(answer: impl Fn(&Asked, usize) -> (u16, String) + Send + Sync + 'static) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Seen>>::default();
        let (answer, kept): (Arc<Answer>, _) = (Arc::new(answer), Arc::clone(&seen));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&kept));
                std::thread::spawn(move || drop(serve(stream.unwrap(), &*answer, &seen)));
            }
        });
        Endpoint { url, seen }
    }

    fn collect(&self, to: &Path, more: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_amisweep"))
            .env_clear()
            .env("HOME", to.parent().unwrap())
            .env("AWS_ACCESS_KEY_ID", "auditor")
            .env("AWS_SECRET_ACCESS_KEY", "auditor")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .args(["collect", "--region", "us-east-1", "--endpoint-url", &self.url, "-o"])
            .arg(to)
            .args(more)
            .output()
            .unwrap()
    }

    /// How often that was asked in that region.
    fn count(&self, region: &str, action: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.asked.iter().filter(|it| it.region == region && it.action == action).count()
    }
}

fn serve(stream: TcpStream, answer: &Answer, seen: &Mutex<Seen>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        let named = head.iter().filter_map(|line| line.split_once(':'));
        let mut own = named.filter(|(own, _)| own.eq_ignore_ascii_case(name));
        own.next().map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let mut body = vec![0; header("content-length").parse().unwrap_or_default()];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8(body).unwrap();
    // Credential=KEY/DATE/REGION/SERVICE/aws4_request
    let authorization = header("authorization");
    let scope: Vec<&str> = authorization.split("Credential=").nth(1).unwrap().split('/').collect();
    let query = body.strip_prefix("Action=").and_then(|rest| rest.split('&').next());
    let target = header("x-amz-target");
    let action = query.or(target.rsplit('.').next()).filter(|action| !action.is_empty());
    let asked = Asked {
        service: scope[3].to_owned(),
        region: scope[2].to_owned(),
        action: action.unwrap_or_else(|| head[0].split(' ').nth(1).unwrap()).to_owned(),
        body: body.clone(),
    };
    let number = {
        let mut seen = seen.lock().unwrap();
        let alike = seen.asked.iter().filter(|it| {
            (&it.service, &it.region, &it.action) == (&asked.service, &asked.region, &asked.action)
        });
        let number = alike.count();
        seen.asked.push(asked.clone());
        let busy = seen.busy.entry(asked.service.clone()).or_default();
        *busy = (busy.0 + 1, busy.1.max(busy.0 + 1));
        number
    };
    let (status, text) = answer(&asked, number);
    seen.lock().unwrap().busy.get_mut(&asked.service).unwrap().0 -= 1;
    let stream = reader.get_mut();
    let length = text.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
    )
}

fn error(status: u16, code: &str) -> (u16, String) {
    (status, format!("<R><Errors><Error><Code>{code}</Code></Error></Errors></R>"))
}

/// Two templates, one a page, behind two answers that say to come back later.
fn templates(asked: &Asked, number: usize) -> (u16, String) {
    if number < 2 {
        return error(503, "RequestLimitExceeded");
    }
    let last = asked.body.contains("NextToken=more");
    let (id, token) = if last { ("lt-2", "") } else { ("lt-1", "<nextToken>more</nextToken>") };
    let text = format!(
        "<DescribeLaunchTemplatesResponse><launchTemplates><item><launchTemplateId>{id}\
         </launchTemplateId></item></launchTemplates>{token}</DescribeLaunchTemplatesResponse>"
    );
    (200, text)
}

fn versions(asked: &Asked) -> (u16, String) {
    let id = if asked.body.contains("lt-2") { "lt-2" } else { "lt-1" };
    let text = format!(
        "<DescribeLaunchTemplateVersionsResponse><launchTemplateVersionSet><item><launchTemplateId>\
         {id}</launchTemplateId><versionNumber>1</versionNumber></item></launchTemplateVersionSet>\
         </DescribeLaunchTemplateVersionsResponse>"
    );
    (200, text)
}

/// What a patient account answers; everything else it refuses.
fn patient(asked: &Asked, number: usize) -> (u16, String) {
    match asked.action.as_str() {
        "GetCallerIdentity" => (
            200,
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111122223333</Account>\
             <Arn>arn:aws:iam::111122223333:user/auditor</Arn></GetCallerIdentityResult>\
             </GetCallerIdentityResponse>"
                .to_owned(),
        ),
        "DescribeRegions" => (
            200,
            "<DescribeRegionsResponse><regionInfo><item><regionName>us-east-1</regionName></item>\
             <item><regionName>eu-west-1</regionName></item></regionInfo></DescribeRegionsResponse>"
                .to_owned(),
        ),
        "DescribeLaunchTemplates" => templates(asked, number),
        "DescribeLaunchTemplateVersions" => versions(asked),
        _ => error(403, "UnauthorizedOperation"),
    }
}

/// Wait until the journal holds a line of that region.
fn journaled(path: &Path, region: &str) -> bool {
    let until = Instant::now() + Duration::from_mins(1);
    let wanted = format!("\"Region\":\"{region}\"");
    while Instant::now() < until {
        if std::fs::read_to_string(path).unwrap_or_default().contains(&wanted) {
            return true;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    false
}

#[test]
fn a_run_whose_credentials_ended_is_taken_up_again() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("facts.json");
    let partial: PathBuf = folder.path().join("facts.json.partial");
    let journal = partial.clone();
    // One region is done before the credentials end in the other, in the middle of its calls.
    let endpoint = Endpoint::new(move |asked, number| {
        let there = asked.region == "eu-west-1" && asked.action == "DescribeLaunchTemplates";
        if there && journaled(&journal, "us-east-1") {
            return error(403, "ExpiredToken");
        }
        patient(asked, number)
    });
    let cut = endpoint.collect(&to, &[]);
    let said = String::from_utf8_lossy(&cut.stderr).into_owned();
    assert_eq!(cut.status.code(), Some(1), "{said}");
    assert!(said.contains("--resume") && partial.exists(), "{said}");
    assert_eq!(std::fs::read(&to).unwrap(), b"", "half of the facts would look whole");
    // Throttled twice, then two pages: asked no more often than that.
    assert_eq!(endpoint.count("us-east-1", "DescribeLaunchTemplates"), 4);
    for (service, (_, most)) in &endpoint.seen.lock().unwrap().busy {
        assert!(*most <= 8, "{service} was asked {most} times at once");
    }

    let endpoint = Endpoint::new(patient);
    let done = endpoint.collect(&to, &["--resume"]);
    assert_eq!(done.status.code(), Some(11), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(endpoint.count("us-east-1", "DescribeLaunchTemplates"), 0);
    assert_eq!(endpoint.count("eu-west-1", "DescribeLaunchTemplates"), 4);
    assert!(!partial.exists());
    let facts: Value = serde_json::from_slice(&std::fs::read(&to).unwrap()).unwrap();
    let regions = facts["accounts"][0]["Regions"].as_array().unwrap();
    assert_eq!(regions.len(), 2);
    for region in regions {
        let of = region["LaunchTemplateVersions"].as_array().unwrap();
        let ids: Vec<_> = of.iter().map(|one| one["LaunchTemplateId"].as_str().unwrap()).collect();
        assert_eq!(ids, ["lt-1", "lt-2"]);
        assert_eq!(region["Images"]["Missing"], "ec2:DescribeImages");
    }
}
