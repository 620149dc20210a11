//! Infrastructure as code: the images that Terraform, CloudFormation and Packer files name, and
//! builds that publish what they make. The text is searched, not understood.

use crate::limits::IAC_FINDINGS;

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IacFinding {
    /// The file, as it was given; hostile text.
    pub file: String,
    /// Its line, from one.
    pub line: u64,
    /// What the line says.
    pub what: IacWord,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IacWord {
    /// It names an image.
    Image(String),
    /// It makes images or snapshots public.
    Public,
}

impl IacFinding {
    /// The image the line names.
    pub fn image(&self) -> Option<&str> {
        match &self.what {
            IacWord::Image(id) => Some(id),
            IacWord::Public => None,
        }
    }
}

/// What the lines of `text` say.
pub fn read(file: &str, text: &str) -> Vec<IacFinding> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let say = |what| IacFinding { file: file.to_owned(), line: number, what };
        found.extend(images(line).map(|id| say(IacWord::Image(id.to_owned()))));
        if publishes(line) {
            found.push(say(IacWord::Public));
        }
        if found.len() >= IAC_FINDINGS {
            break;
        }
    }
    found
}

/// The ids of images in a line: `ami-` with 8 or 17 hexadecimal digits and nothing more.
fn images(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("ami-").filter_map(|(start, _)| {
        let before = line.get(..start)?.chars().next_back();
        let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let rest = line.get(start..)?;
        let end = rest.find(|c: char| !word(c)).unwrap_or(rest.len());
        let id = rest.get(..end)?;
        let hex = id.get(4..)?;
        let fits = matches!(hex.len(), 8 | 17)
            && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        (fits && !before.is_some_and(word)).then_some(id)
    })
}

/// Whether a line of a Packer or Terraform file shares with everybody.
fn publishes(line: &str) -> bool {
    let plain: String =
        line.chars().filter(|c| !c.is_whitespace() && *c != '"' && *c != '\'').collect();
    let groups =
        ["ami_groups=[all", "ami_groups:[all", "snapshot_groups=[all", "snapshot_groups:[all"];
    let comment = plain.starts_with('#') || plain.starts_with("//");
    !comment
        && (groups.iter().any(|text| plain.contains(text))
            || plain.contains("group=all")
            || plain.contains("userGroups:[all"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_public_groups_are_found() {
        let text = "ami = \"ami-0123456789abcdef0\"\n# ami-12345678 and my-ami-12345678x\nami_groups = [\"all\"]\n// ami_groups = [\"all\"]";
        let found = read("main.tf", text);
        let image = |line, id: &str| IacFinding {
            file: "main.tf".to_owned(),
            line,
            what: IacWord::Image(id.to_owned()),
        };
        let public = IacFinding { file: "main.tf".to_owned(), line: 3, what: IacWord::Public };
        assert_eq!(found, [image(1, "ami-0123456789abcdef0"), image(2, "ami-12345678"), public]);
        assert_eq!(images("é-ami-1234567 ami-").count(), 0);
    }
}
