//! Package databases and manifests: none of them makes the scanner fail, or more than its bytes.

use crate::Target;
use amisweep::provenance::manifest::Base;
use amisweep::provenance::{DATABASES, Form, Record};

/// Every part of every package database.
pub struct PackageTarget;

impl Target for PackageTarget {
    fn run(&self, input: &[u8]) {
        let [choice, bytes @ ..] = input else { return };
        let database = &DATABASES[usize::from(*choice) % DATABASES.len()];
        let mut paths = 0;
        let mut take = |record: Record<'_>| {
            if let Record::File(file) = record {
                paths += file.path.len();
            }
        };
        match database.form {
            Form::Text(read) => {
                for path in TEXTS {
                    read(path.as_bytes(), bytes, &mut take);
                }
            }
            Form::Store(read) => drop(read(&bytes.to_vec(), &mut take)),
            Form::Table { read, .. } => drop(read(bytes, &mut take)),
        }
        assert!(paths <= bytes.len() * 64 + 64 * 1024, "{paths} bytes of paths");
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        let sum = "0".repeat(32);
        let texts = [
            format!("{sum}  usr/bin/x\n"),
            "/usr\n/usr/bin/x\n".to_owned(),
            "/bin/sh\n/bin/sh.distrib\ndash\n".to_owned(),
            format!("Package: x\nStatus: install ok installed\nConffiles:\n /etc/x {sum}\n\n"),
            "P:x\nF:bin\nR:x\na:0:0:755\nZ:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n".to_owned(),
        ];
        let numbers = 0..u8::try_from(DATABASES.len()).unwrap_or(u8::MAX);
        let with = |text: &String| {
            let text = text.clone();
            numbers.clone().map(move |n| [&[n], text.as_bytes()].concat()).collect::<Vec<_>>()
        };
        texts.iter().flat_map(with).collect()
    }
}

const TEXTS: [&str; 4] = [
    "var/lib/dpkg/status",
    "var/lib/dpkg/diversions",
    "var/lib/dpkg/info/x.md5sums",
    "var/lib/dpkg/info/x.list",
];

/// The manifest that an image is compared with.
pub struct ManifestTarget;

impl Target for ManifestTarget {
    fn run(&self, input: &[u8]) {
        if let Ok(base) = Base::read(&mut &input[..]) {
            base.descent(b"bin/x", None);
        }
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        let head = r#"{"schema":"amisweep.manifest/1","target":"x","files":1,"complete":true}"#;
        let file = r#"{"path":"/bin/x","size":1,"mode":"100755","uid":0,"gid":0,"sha256":null}"#;
        vec![format!("{head}\n{file}\n").into_bytes()]
    }
}
