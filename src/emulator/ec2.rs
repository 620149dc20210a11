//! The describing calls of EC2 that lead from an AMI to its snapshots and tell who may read them,
//! in its query protocol.

use super::State;
use super::log::Operation;
use super::reply::{Refusal, Reply};
use super::route::Asked;
use super::snapshot::{ACCOUNT, Ami, Disk, Mapping, Snapshot};
use std::fmt::Write as _;

const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

/// When everything the emulator serves was made.
const CREATED: &str = "2026-01-01T00:00:00.000Z";

impl State {
    pub(super) fn ec2(&self, asked: &Asked) -> Result<Reply, Refusal> {
        match asked.operation {
            Operation::DescribeImages => self.describe_images(asked),
            Operation::DescribeSnapshots => self.describe_snapshots(asked),
            Operation::DescribeSnapshotAttribute => self.describe_attribute(asked),
            _ => {
                let action = asked.get("Action").unwrap_or_default();
                let message = format!("The action {action} is not valid for this web service.");
                Err(Refusal::new(400, "InvalidAction", message))
            }
        }
    }

    fn describe_images(&self, asked: &Asked) -> Result<Reply, Refusal> {
        let ids = asked.list("ImageId");
        for id in &ids {
            check_id(id, "ami-", "InvalidAMIID.Malformed")?;
            if !self.amis.iter().any(|ami| ami.id == **id) {
                let message = format!("The image id '[{id}]' does not exist");
                return Err(Refusal::new(400, "InvalidAMIID.NotFound", message));
            }
        }
        let mut set = Xml::default();
        for ami in &self.amis {
            let owner = is_owner(&asked.list("Owner"), &ami.owner);
            let named = ids.is_empty() || ids.contains(&ami.id.as_str());
            if named && owner && filtered(asked, |name| ami_facts(ami, name))? {
                set.group("item", |item| self.image(item, ami));
            }
        }
        Ok(answer("DescribeImages", "imagesSet", &set))
    }

    fn image(&self, item: &mut Xml, ami: &Ami) {
        item.text("imageId", &ami.id);
        item.text("imageLocation", &format!("{}/{}", ami.owner, ami.name));
        item.text("imageState", &ami.state);
        item.text("imageOwnerId", &ami.owner);
        item.text("creationDate", CREATED);
        item.text("isPublic", flag(ami.public));
        if !ami.product_codes.is_empty() {
            item.group("productCodes", |codes| {
                ami.product_codes.iter().for_each(|code| product_code(codes, code));
            });
        }
        item.text("architecture", "x86_64");
        item.text("imageType", "machine");
        item.text("name", &ami.name);
        item.text("rootDeviceType", if ami.instance_store { "instance-store" } else { "ebs" });
        item.text("rootDeviceName", &ami.root_device);
        item.group("blockDeviceMapping", |mappings| {
            for (number, mapping) in ami.mappings.iter().enumerate() {
                mappings.group("item", |item| self.mapping(item, mapping, number));
            }
        });
        item.text("virtualizationType", "hvm");
        item.text("hypervisor", "xen");
    }

    fn mapping(&self, item: &mut Xml, mapping: &Mapping, number: usize) {
        item.text("deviceName", &mapping.device);
        let Some(id) = &mapping.snapshot else {
            item.text("virtualName", &format!("ephemeral{number}"));
            return;
        };
        let facts = self.disks.get(id).map(|disk| &disk.facts);
        item.group("ebs", |ebs| {
            ebs.text("snapshotId", id);
            ebs.text("volumeSize", &facts.map_or(1, Snapshot::volume_gib).to_string());
            ebs.text("deleteOnTermination", "true");
            ebs.text("volumeType", "gp3");
            ebs.text("encrypted", flag(facts.is_some_and(|facts| facts.encrypted)));
            if let Some(key) = facts.and_then(Snapshot::key) {
                ebs.text("kmsKeyId", &key);
            }
            if let Some(outpost) = facts.and_then(|facts| facts.outpost.as_ref()) {
                ebs.text("outpostArn", outpost);
            }
        });
    }

    fn describe_snapshots(&self, asked: &Asked) -> Result<Reply, Refusal> {
        let visible =
            |disk: &&Disk| disk.facts.owner == ACCOUNT || disk.facts.shared || disk.facts.public;
        let ids = asked.list("SnapshotId");
        for id in &ids {
            check_id(id, "snap-", "InvalidSnapshotID.Malformed")?;
            if !self.disks.get(*id).is_some_and(|disk| visible(&disk)) {
                let message = format!("The snapshot '{id}' does not exist.");
                return Err(Refusal::new(400, "InvalidSnapshot.NotFound", message));
            }
        }
        let mut set = Xml::default();
        for disk in self.disks.values().filter(visible) {
            let facts = &disk.facts;
            let owner = is_owner(&asked.list("Owner"), &facts.owner);
            let named = ids.is_empty() || ids.contains(&facts.id.as_str());
            let restorable = is_restorable(&asked.list("RestorableBy"), facts);
            if named && owner && restorable && filtered(asked, |name| snapshot_facts(disk, name))? {
                set.group("item", |item| snapshot(item, disk));
            }
        }
        Ok(answer("DescribeSnapshots", "snapshotSet", &set))
    }

    /// Who may make a volume from a snapshot; its owner alone may ask.
    fn describe_attribute(&self, asked: &Asked) -> Result<Reply, Refusal> {
        let id = asked.get("SnapshotId").unwrap_or_default();
        check_id(id, "snap-", "InvalidSnapshotID.Malformed")?;
        let Some(disk) = self.disks.get(id).filter(|disk| disk.facts.owner == ACCOUNT) else {
            let message = format!("The snapshot '{id}' does not exist.");
            return Err(Refusal::new(400, "InvalidSnapshot.NotFound", message));
        };
        let mut set = Xml::default();
        if disk.facts.public {
            set.group("item", |item| item.text("group", "all"));
        }
        Ok(answer("DescribeSnapshotAttribute", "createVolumePermission", &set))
    }
}

fn product_code(codes: &mut Xml, code: &str) {
    codes.group("item", |item| {
        item.text("productCode", code);
        item.text("type", "marketplace");
    });
}

fn snapshot(item: &mut Xml, disk: &Disk) {
    let facts = &disk.facts;
    item.text("snapshotId", &facts.id);
    item.text("volumeId", "vol-ffffffff");
    item.text("status", state(disk));
    item.text("startTime", CREATED);
    item.text("progress", if facts.pending { "40%" } else { "100%" });
    item.text("ownerId", &facts.owner);
    item.text("volumeSize", &facts.volume_gib().to_string());
    item.text("description", &facts.description);
    item.text("encrypted", flag(facts.encrypted));
    if let Some(key) = facts.key() {
        item.text("kmsKeyId", &key);
    }
    if let Some(outpost) = &facts.outpost {
        item.text("outpostArn", outpost);
    }
    item.text("storageTier", tier(disk));
}

fn state(disk: &Disk) -> &'static str {
    if disk.facts.pending { "pending" } else { "completed" }
}

fn tier(disk: &Disk) -> &'static str {
    if disk.facts.archived { "archive" } else { "standard" }
}

fn flag(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// Whether any of `users` may make a volume from a snapshot: `all` is everybody.
fn is_restorable(users: &[&str], facts: &Snapshot) -> bool {
    let may = |user: &&str| match *user {
        "all" => facts.public,
        "self" | ACCOUNT => facts.owner == ACCOUNT || facts.shared,
        _ => false,
    };
    users.is_empty() || users.iter().any(may)
}

fn is_owner(wanted: &[&str], owner: &str) -> bool {
    let is = |name: &&str| *name == owner || (*name == "self" && owner == ACCOUNT);
    wanted.is_empty() || wanted.iter().any(is)
}

fn check_id(id: &str, prefix: &str, code: &'static str) -> Result<(), Refusal> {
    let hex = id.strip_prefix(prefix).unwrap_or_default();
    if !hex.is_empty() && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(());
    }
    Err(Refusal::new(400, code, format!("Invalid id: \"{id}\" (expecting \"{prefix}...\")")))
}

/// Whether all filters of the request let an item pass, whose `facts` give the values of a filter
/// by name, or none for a filter that is not known here.
fn filtered(asked: &Asked, facts: impl Fn(&str) -> Option<Vec<String>>) -> Result<bool, Refusal> {
    for number in 1u32.. {
        let Some(name) = asked.get(&format!("Filter.{number}.Name")) else { break };
        let wanted = asked.list(&format!("Filter.{number}.Value"));
        let values = facts(name).ok_or_else(|| {
            let message = format!("The filter '{name}' is invalid");
            Refusal::new(400, "InvalidParameterValue", message)
        })?;
        if !values.iter().any(|value| wanted.contains(&value.as_str())) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn ami_facts(ami: &Ami, filter: &str) -> Option<Vec<String>> {
    Some(match filter {
        "image-id" => vec![ami.id.clone()],
        "name" => vec![ami.name.clone()],
        "owner-id" => vec![ami.owner.clone()],
        "state" => vec![ami.state.clone()],
        "is-public" => vec![flag(ami.public).to_owned()],
        "product-code" => ami.product_codes.clone(),
        "block-device-mapping.snapshot-id" => {
            ami.mappings.iter().filter_map(|mapping| mapping.snapshot.clone()).collect()
        }
        _ => return None,
    })
}

fn snapshot_facts(disk: &Disk, filter: &str) -> Option<Vec<String>> {
    let facts = &disk.facts;
    Some(vec![match filter {
        "snapshot-id" => facts.id.clone(),
        "owner-id" => facts.owner.clone(),
        "status" => state(disk).to_owned(),
        "storage-tier" => tier(disk).to_owned(),
        "encrypted" => flag(facts.encrypted).to_owned(),
        _ => return None,
    }])
}

fn answer(operation: &str, set: &str, items: &Xml) -> Reply {
    let mut body = Xml::default();
    let root = format!("{operation}Response");
    body.0.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = write!(body.0, "<{root} xmlns=\"{NAMESPACE}\">");
    body.text("requestId", "00000000-0000-4000-8000-000000000000");
    body.group(set, |set| set.0.push_str(&items.0));
    let _ = write!(body.0, "</{root}>");
    Reply::new(200, "text/xml;charset=UTF-8", body.0)
}

/// A refusal in EC2's shape, with EC2's names for what the EBS direct APIs call otherwise.
pub(super) fn refuse(refusal: &Refusal, operation: Operation) -> Reply {
    let (status, code) = match refusal.code {
        "RequestThrottledException" | "ThrottlingException" => (503, "RequestLimitExceeded"),
        "InternalServerException" => (500, "InternalError"),
        "AccessDeniedException" => (403, "UnauthorizedOperation"),
        "ResourceNotFoundException" if operation == Operation::DescribeSnapshots => {
            (400, "InvalidSnapshot.NotFound")
        }
        "ResourceNotFoundException" => (400, "InvalidAMIID.NotFound"),
        "ExpiredTokenException" => (400, "RequestExpired"),
        "MissingAuthenticationTokenException"
        | "IncompleteSignatureException"
        | "InvalidSignatureException" => (401, "AuthFailure"),
        code => (refusal.status, code),
    };
    let mut body = Xml::default();
    body.0.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    body.group("Response", |response| {
        response.group("Errors", |errors| {
            errors.group("Error", |error| {
                error.text("Code", code);
                error.text("Message", &refusal.message);
            });
        });
        response.text("RequestID", "00000000-0000-4000-8000-000000000000");
    });
    let mut reply = Reply::new(status, "text/xml;charset=UTF-8", body.0);
    reply.error = Some(code.to_owned());
    reply
}

#[derive(Default)]
struct Xml(String);

impl Xml {
    fn text(&mut self, name: &str, value: &str) {
        let _ = write!(self.0, "<{name}>");
        for c in value.chars() {
            match c {
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '&' => self.0.push_str("&amp;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&apos;"),
                '\t' | '\n' => self.0.push(c),
                // XML 1.0 has no way to write these, not even escaped.
                c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                    self.0.push('\u{fffd}');
                }
                c => self.0.push(c),
            }
        }
        let _ = write!(self.0, "</{name}>");
    }

    fn group(&mut self, name: &str, inside: impl FnOnce(&mut Xml)) {
        let _ = write!(self.0, "<{name}>");
        inside(self);
        let _ = write!(self.0, "</{name}>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_out_of_its_element() {
        let mut xml = Xml::default();
        xml.group("a", |a| a.text("b", "</b>&\"'\u{1}é\n"));
        assert_eq!(xml.0, "<a><b>&lt;/b&gt;&amp;&quot;&apos;\u{fffd}é\n</b></a>");
    }
}
