//! An acquisition: how to get at the disk of an image that may be launched and not read, printed as
//! a script and never run.

use super::shell::{is_resource, word};
use crate::error::{Error, ErrorKind, Result};

/// What to acquire.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// The image.
    pub image: &'a str,
    /// Its region.
    pub region: &'a str,
    /// The type of instance; none for the smallest of its architecture.
    pub instance_type: Option<&'a str>,
}

/// The script. It ends with nothing left but the snapshots, whatever fails in between.
const SCRIPT: &str = r#"#!/usr/bin/env bash
# Printed by amisweep acquire. Nothing in it has been run: read it first.
# It launches an image of somebody else where it can reach nothing, stops it as soon as it runs,
# takes snapshots of its disks, and removes everything else. The image's own code runs once, on
# a machine without a network to anywhere, without a role, without a key and without metadata.
set -euo pipefail

REGION={region}
IMAGE={image}
NAME=amisweep-acquire-$IMAGE
export AWS_PAGER=
ec2() { aws ec2 --region "$REGION" --output text "$@"; }

INSTANCE= GROUP= SUBNET= VPC=
cleanup() {
  set +e
  if [ -n "$INSTANCE" ]; then
    ec2 terminate-instances --instance-ids "$INSTANCE" > /dev/null
    ec2 wait instance-terminated --instance-ids "$INSTANCE"
  fi
  [ -z "$GROUP" ] || ec2 delete-security-group --group-id "$GROUP" > /dev/null
  [ -z "$SUBNET" ] || ec2 delete-subnet --subnet-id "$SUBNET" > /dev/null
  [ -z "$VPC" ] || ec2 delete-vpc --vpc-id "$VPC" > /dev/null
}
trap cleanup EXIT

# 1. A network of its own: no gateway, no route out, no rule that lets anything in or out.
VPC=$(ec2 create-vpc --cidr-block 10.255.255.0/28 --query Vpc.VpcId \
  --tag-specifications "ResourceType=vpc,Tags=[{Key=Name,Value=$NAME}]")
SUBNET=$(ec2 create-subnet --vpc-id "$VPC" --cidr-block 10.255.255.0/28 --query Subnet.SubnetId)
GROUP=$(ec2 create-security-group --vpc-id "$VPC" --group-name "$NAME" \
  --description 'nothing in, nothing out' --query GroupId)
ec2 revoke-security-group-egress --group-id "$GROUP" \
  --ip-permissions '[{"IpProtocol":"-1","IpRanges":[{"CidrIp":"0.0.0.0/0"}]}]' > /dev/null

# 2. Launch it there.
{type}
BOOT=$(date -u +%Y-%m-%dT%H:%M:%SZ)
INSTANCE=$(ec2 run-instances --image-id "$IMAGE" --instance-type "$TYPE" --count 1 \
  --subnet-id "$SUBNET" --security-group-ids "$GROUP" --no-associate-public-ip-address \
  --metadata-options HttpEndpoint=disabled --instance-initiated-shutdown-behavior stop \
  --tag-specifications "ResourceType=instance,Tags=[{Key=Name,Value=$NAME}]" \
  --query 'Instances[0].InstanceId')

# 3. Stop it as soon as it can be stopped.
ec2 wait instance-running --instance-ids "$INSTANCE"
ec2 stop-instances --force --instance-ids "$INSTANCE" > /dev/null
ec2 wait instance-stopped --instance-ids "$INSTANCE"

# 4. Snapshots of all its disks.
SNAPSHOTS=$(ec2 create-snapshots --instance-specification "InstanceId=$INSTANCE" \
  --description "$NAME booted $BOOT" --query 'Snapshots[].SnapshotId')
# shellcheck disable=SC2086
ec2 wait snapshot-completed --snapshot-ids $SNAPSHOTS

# 5. Scan them. What changed since the boot at $BOOT was not in the image.
CODE=0
for SNAPSHOT in $SNAPSHOTS; do
  amisweep scan --region "$REGION" --acquired-boot "$BOOT" "$SNAPSHOT" || CODE=$?
done

# 6. The instance and its network go now; the snapshots stay as evidence until you delete them.
echo "first boot: $BOOT"
for SNAPSHOT in $SNAPSHOTS; do
  echo "to delete: aws ec2 --region $REGION delete-snapshot --snapshot-id $SNAPSHOT"
done
exit "$CODE"
"#;

/// Where no type of instance is given: the smallest of the image's architecture.
const SMALLEST: &str = "case $(ec2 describe-images --image-ids \"$IMAGE\" \
     --query 'Images[0].Architecture') in
  arm64) TYPE=t4g.micro ;;
  x86_64) TYPE=t3.micro ;;
  i386) TYPE=t2.micro ;;
  *) echo 'no small instance of this architecture: give --instance-type' >&2; exit 1 ;;
esac";

/// The script that acquires an image.
///
/// # Errors
/// When a value has not the shape it must have.
pub fn script(options: &Options<'_>) -> Result<String> {
    let fail = |what, value: &str| Err(Error::new(ErrorKind::Usage, what).detail(value));
    if !is_resource(options.image, "ami-") {
        return fail("not the id of an image", options.image);
    }
    if !super::shell::is_region(options.region) {
        return fail("not the name of a region", options.region);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    let kind = match options.instance_type {
        None => SMALLEST.to_owned(),
        Some(kind) if !kind.is_empty() && kind.chars().all(plain) => format!("TYPE={}", word(kind)),
        Some(kind) => return fail("not a type of instance", kind),
    };
    Ok(SCRIPT
        .replace("{type}", &kind)
        .replace("{region}", &word(options.region))
        .replace("{image}", &word(options.image)))
}
