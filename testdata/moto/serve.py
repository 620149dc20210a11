"""A stand-in for AWS: moto with an account in the states that an audit is for.

usage: serve.py FOLDER [--stock]

Serves on a free port of 127.0.0.1 until its standard input ends, and prints the address once the
account is seeded. Into FOLDER it writes

  report.json    a report of `amisweep scan` that names twenty access keys and a key pair
  expected.json  what is true of each of them
  trail/         log files of CloudTrail
  signers.txt    every access key id that signed a request since the seeding
  trials.txt     every launch that was asked for since then, and whether it was a DryRun
  .aws/config    a profile `target` of the account 210987654321
  secrets.txt    the secrets of the twenty keys

moto has no block public access, no default key and no LookupEvents, and drops what RegisterImage
says of disks and what CopyImage says of keys; without --stock these answer from here. Everything else that it lacks stays an HTML
page with status 500, which must become `unknown`.
"""
import base64
import datetime
import gzip
import hashlib
import json
import os
import pathlib
import sys

# A thousand snapshots that moto brings along would be asked about one by one.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
os.environ["AWS_ACCESS_KEY_ID"] = "AKIA" + "SEEDER" * 2 + "SEED"
os.environ["AWS_SECRET_ACCESS_KEY"] = "seeder"
os.environ["AWS_DEFAULT_REGION"] = "us-east-1"

import boto3
from moto.cloudtrail.responses import CloudTrailResponse
from moto.core.responses import ActionResult, BaseResponse
from moto.ec2.responses import EC2Response
from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import Ami
from moto.iam.models import AccessKeyLastUsed, iam_backends
from moto.server import ThreadedMotoServer

ACCOUNT = "123456789012"
REGION = "us-east-1"
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
EVENTS = []
SIGNERS = set()
TRIALS = []
TARGET = "210987654321"
SEEDED = []


def ago(days):
    return NOW - datetime.timedelta(days=days)


def stamp(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def answer(**members):
    return lambda self: ActionResult(members)


def lookup_events(self):
    wanted = self._get_param("LookupAttributes") or []
    found = [e for e in EVENTS if all(matches(e, w) for w in wanted)]
    start = int(self._get_param("NextToken") or 0)
    page = found[start : start + 50]
    answer = {"Events": [wrapped(e) for e in page]}
    if start + 50 < len(found):
        answer["NextToken"] = str(start + 50)
    return json.dumps(answer)


def matches(event, wanted):
    own = {
        "EventName": event["eventName"],
        "AccessKeyId": event["userIdentity"].get("accessKeyId"),
    }
    return own.get(wanted["AttributeKey"]) == wanted["AttributeValue"]


def wrapped(event):
    time = datetime.datetime.strptime(event["eventTime"], "%Y-%m-%dT%H:%M:%SZ")
    return {
        "EventId": event["eventID"],
        "EventName": event["eventName"],
        "EventTime": time.replace(tzinfo=datetime.timezone.utc).timestamp(),
        "EventSource": event["eventSource"],
        "AccessKeyId": event["userIdentity"].get("accessKeyId", ""),
        "CloudTrailEvent": json.dumps(event),
    }


def patch():
    EC2Response.get_image_block_public_access_state = answer(
        ImageBlockPublicAccessState="unblocked", ManagedBy="account"
    )
    EC2Response.get_snapshot_block_public_access_state = answer(
        State="unblocked", ManagedBy="account"
    )
    EC2Response.get_ebs_default_kms_key_id = answer(KmsKeyId="alias/aws/ebs")
    CloudTrailResponse.lookup_events = lookup_events
    own = Ami.block_device_mappings.fget
    Ami.block_device_mappings = property(lambda self: own(self) + getattr(self, "more", []))


def watch():
    setup = BaseResponse.setup_class

    def noted(self, request, full_url, headers, use_raw_body=False):
        signed = str(headers.get("Authorization", ""))
        if SEEDED and "Credential=" in signed:
            SIGNERS.add(signed.split("Credential=")[1].split("/")[0])
            SEEDED[0].write_text("\n".join(sorted(SIGNERS)) + "\n")
        done = setup(self, request, full_url, headers, use_raw_body)
        if SEEDED and self.service_name == "ec2" and self._get_action() == "RunInstances":
            TRIALS.append(f"RunInstances DryRun={self._get_param('DryRun', False)}")
            (SEEDED[0].parent / "trials.txt").write_text("\n".join(TRIALS) + "\n")
        return done

    BaseResponse.setup_class = noted


def event(name, days, request, source="ec2.amazonaws.com", identity=None, **more):
    number = len(EVENTS)
    record = {
        "eventVersion": "1.08",
        "eventID": f"00000000-0000-0000-0000-{number:012}",
        "eventName": name,
        "eventSource": source,
        "eventTime": stamp(ago(days)),
        "awsRegion": REGION,
        "sourceIPAddress": "198.51.100.7",
        "userIdentity": identity
        or {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/ci", "accountId": ACCOUNT},
        "requestParameters": request,
        "recipientAccountId": ACCOUNT,
    }
    record.update(more)
    EVENTS.append(record)


def images(url):
    """Ten images: each in one of the states that an audit tells apart."""
    client = boto3.client("ec2", endpoint_url=url)
    backend = ec2_backends[ACCOUNT][REGION]
    names = [
        "public", "shared-account", "shared-org", "private-encrypted", "encrypted-shared",
        "partly-encrypted", "deprecated", "disabled", "referenced", "superseded",
    ]
    ids, snapshots = {}, {}
    for name in names:
        volume = client.create_volume(AvailabilityZone=REGION + "a", Size=8,
                                      Encrypted="encrypted" in name)["VolumeId"]
        snapshot = client.create_snapshot(VolumeId=volume, Description=name)["SnapshotId"]
        image = client.register_image(Name=name, RootDeviceName="/dev/xvda")["ImageId"]
        own = backend.amis[image]
        own.owner_id = ACCOUNT
        ids[name], snapshots[name] = image, snapshot
        # What RegisterImage was told of disks is lost in moto; this is the model's own member.
        own.ebs_snapshot = backend.snapshots[snapshot]
    keys_and_copies(url, client, backend, ids, snapshots)
    share = lambda name, **who: client.modify_image_attribute(
        ImageId=ids[name], LaunchPermission={"Add": [who]})
    share("public", Group="all")
    share("shared-account", UserId="210987654321")
    share("shared-org", OrganizationArn=f"arn:aws:organizations::{ACCOUNT}:organization/o-abcdefghij")
    share("encrypted-shared", UserId="210987654321")
    client.modify_snapshot_attribute(SnapshotId=snapshots["public"], OperationType="add",
                                     Attribute="createVolumePermission", GroupNames=["all"])
    backend.amis[ids["disabled"]].state = "disabled"
    vpc = client.describe_subnets()["Subnets"][0]["SubnetId"]
    client.run_instances(ImageId=ids["referenced"], MinCount=1, MaxCount=1, SubnetId=vpc,
                         UserData="#!/bin/sh\necho hello\n")
    client.create_launch_template(LaunchTemplateName="legacy",
                                  LaunchTemplateData={"ImageId": ids["deprecated"]})
    client.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={
        "ImageId": ids["referenced"], "UserData": base64.b64encode(b"#!/bin/sh\n").decode()})
    scaling = boto3.client("autoscaling", endpoint_url=url)
    scaling.create_auto_scaling_group(AutoScalingGroupName="web", MinSize=0, MaxSize=1,
                                      AvailabilityZones=[REGION + "a"],
                                      LaunchTemplate={"LaunchTemplateName": "web"})
    scaling.create_launch_configuration(LaunchConfigurationName="old",
                                        ImageId=ids["superseded"], InstanceType="t3.micro")
    boto3.client("ssm", endpoint_url=url).put_parameter(
        Name="/golden/web", Value=ids["referenced"], Type="String", DataType="aws:ec2:image")
    pair = client.create_key_pair(KeyName="deploy", KeyType="ed25519")
    public(ids, snapshots)
    return ids, snapshots, pair


def keys_and_copies(url, client, backend, ids, snapshots):
    """The states that moto has no calls for, in the members that its answers are made of."""
    kms = boto3.client("kms", endpoint_url=url)
    key = kms.create_key(Description="images")["KeyMetadata"]["Arn"]
    allow = lambda who, actions: {
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{who}:root"}, "Action": actions,
        "Resource": "*"}
    # What many guides give the target, and a launch needs more than.
    policy = [allow(ACCOUNT, "kms:*"), allow(TARGET, ["kms:Decrypt", "kms:DescribeKey"])]
    kms.put_key_policy(KeyId=key, PolicyName="default",
                       Policy=json.dumps({"Version": "2012-10-17", "Statement": policy}))
    for name in ["private-encrypted", "encrypted-shared", "partly-encrypted"]:
        backend.snapshots[snapshots[name]].kms_key_id = key
    volume = client.create_volume(AvailabilityZone=REGION + "a", Size=4)["VolumeId"]
    plain = client.create_snapshot(VolumeId=volume, Description="data")["SnapshotId"]
    backend.amis[ids["partly-encrypted"]].more = [
        {"DeviceName": "/dev/xvdb", "Ebs": {"SnapshotId": plain, "VolumeSize": 4}}]
    backend.amis[ids["deprecated"]].deprecation_time = stamp(ago(5))
    backend.amis[ids["private-encrypted"]].source_image_id = ids["superseded"]


def target(url, folder):
    """Credentials of the account that images are shared with."""
    sts = boto3.client("sts", endpoint_url=url)
    role = sts.assume_role(RoleArn=f"arn:aws:iam::{TARGET}:role/launch", RoleSessionName="target")
    own = role["Credentials"]
    (folder / ".aws").mkdir()
    (folder / ".aws" / "config").write_text(
        f"[profile target]\naws_access_key_id = {own['AccessKeyId']}\n"
        f"aws_secret_access_key = {own['SecretAccessKey']}\n"
        f"aws_session_token = {own['SessionToken']}\n")
    return own["AccessKeyId"]


def public(ids, snapshots):
    """The story of two images: one is public since 30 days, one was for three."""
    grant = lambda image, verb, days: event("ModifyImageAttribute", days, {
        "imageId": image, "attributeType": "launchPermission",
        "launchPermission": {verb: {"items": [{"group": "all"}]}}})
    grant(ids["public"], "add", 30)
    grant(ids["superseded"], "add", 60)
    grant(ids["superseded"], "remove", 57)
    event("ModifySnapshotAttribute", 29, {
        "snapshotId": snapshots["public"], "attributeType": "CREATE_VOLUME_PERMISSION",
        "createVolumePermission": {"add": {"items": [{"groups": "all"}]}}})
    other = {"type": "AWSAccount", "accountId": "555566667777", "principalId": "AIDAOTHER"}
    event("SharedSnapshotVolumeCreated", 20, None, identity=other,
          sourceIPAddress="ec2.amazonaws.com",
          serviceEventDetails={"snapshotId": snapshots["public"]})


ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
READER = "arn:aws:iam::aws:policy/ReadOnlyAccess"
QUARANTINE = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV2"
ALL = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
ODD = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}]}
SOME = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
NONE = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Deny", "Action": "*", "Resource": "*"}]}

# What each user has, and whether that makes an administrator.
MAKES = [
    ("attached", "yes"), ("inline", "yes"), ("group", "yes"), ("reader", "no"), ("none", "no"),
    ("some", "no"), ("member", "no"), ("denied", "no"), ("odd", "unknown"), ("quarantined", "yes"),
]


def give(iam, user, kind):
    if kind in ("attached", "denied", "quarantined"):
        iam.attach_user_policy(UserName=user, PolicyArn=ADMIN)
    if kind == "inline":
        iam.put_user_policy(UserName=user, PolicyName="all", PolicyDocument=json.dumps(ALL))
    if kind == "group":
        iam.add_user_to_group(UserName=user, GroupName="admins")
    if kind == "reader":
        iam.attach_user_policy(UserName=user, PolicyArn=READER)
    if kind == "some":
        iam.put_user_policy(UserName=user, PolicyName="some", PolicyDocument=json.dumps(SOME))
    if kind == "odd":
        iam.put_user_policy(UserName=user, PolicyName="odd", PolicyDocument=json.dumps(ODD))
    if kind == "denied":
        iam.put_user_policy(UserName=user, PolicyName="none", PolicyDocument=json.dumps(NONE))
    if kind == "member":
        iam.add_user_to_group(UserName=user, GroupName="readers")
    if kind == "quarantined":
        iam.attach_user_policy(UserName=user, PolicyArn=QUARANTINE)


def keys(url):
    """Twenty keys: active, inactive and deleted ones of users with all kinds of rights."""
    iam = boto3.client("iam", endpoint_url=url)
    backend = iam_backends[ACCOUNT]["aws"]
    # Of the thousand policies of AWS only those in use are worth a page.
    for arn in [arn for arn in backend.managed_policies if arn not in (ADMIN, READER, QUARANTINE)]:
        del backend.managed_policies[arn]
    iam.create_group(GroupName="admins")
    iam.attach_group_policy(GroupName="admins", PolicyArn=ADMIN)
    iam.create_group(GroupName="readers")
    iam.attach_group_policy(GroupName="readers", PolicyArn=READER)
    found, secrets = [], []
    for number in range(20):
        kind, admin = MAKES[number % len(MAKES)]
        user = f"user{number:02}"
        iam.create_user(UserName=user)
        give(iam, user, kind)
        key = iam.create_access_key(UserName=user)["AccessKey"]
        id = key["AccessKeyId"]
        secrets.append(key["SecretAccessKey"])
        state = ["active", "active", "inactive", "active", "deleted"][number % 5]
        last = None
        if number % 3 == 0:
            last = stamp(ago(number + 1))
            for own in backend.users[user].access_keys:
                if own.access_key_id == id:
                    own.last_used = AccessKeyLastUsed(ago(number + 1), "s3", REGION)
        if state == "inactive":
            iam.update_access_key(UserName=user, AccessKeyId=id, Status="Inactive")
        if state == "deleted":
            iam.delete_access_key(UserName=user, AccessKeyId=id)
        # Calls inside the window of the public image, and one before it that does not count.
        calls = number % 4
        identity = {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/{user}",
                    "accountId": ACCOUNT, "accessKeyId": id, "userName": user}
        for call in range(calls):
            event("ListBuckets", 10 + call, None, "s3.amazonaws.com", identity)
        event("GetUser", 45, None, "iam.amazonaws.com", identity)
        deleted = state == "deleted"
        found.append({"id": id, "user": user, "state": state, "administrator": admin,
                      "quarantined": kind == "quarantined",
                      "last_used": None if deleted else last, "calls": calls})
    return found, secrets


def report(keys, pair):
    findings = [
        {"id": f"{n:012x}", "rule": "aws.credentials.file", "title": "AWS secret access key",
         "facts": {"access_key_id": key["id"]},
         "places": [{"locator": f"disk:/home/{key['user']}/.aws/credentials@10+40"}]}
        for n, key in enumerate(keys)
    ]
    findings.append({"id": "f" * 12, "rule": "ssh.private_key.user", "title": "SSH private key",
                     "facts": {"fingerprint": pair}, "places": []})
    return {"schema": "amisweep.report/1", "findings": findings, "noted": []}


def fingerprint(pair):
    """OpenSSH's own: the SHA-256 of the public half, which the private one holds in the clear."""
    body = "".join(pair["KeyMaterial"].strip().splitlines()[1:-1])
    raw = base64.b64decode(body)
    at = raw.index(b"\x00\x00\x00\x0bssh-ed25519")
    public = raw[at : at + 4 + 11 + 4 + 32]
    digest = base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip("=")
    return "SHA256:" + digest


def main():
    folder = pathlib.Path(sys.argv[1])
    if "--stock" not in sys.argv:
        patch()
    watch()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    ids, snapshots, pair = images(url)
    found, secrets = keys(url)
    write = lambda name, value: (folder / name).write_text(json.dumps(value, indent=1))
    write("report.json", report(found, fingerprint(pair)))
    write("expected.json", {"images": ids, "snapshots": snapshots, "keys": found,
                            "target": target(url, folder)})
    (folder / "secrets.txt").write_text("\n".join(secrets) + "\n")
    logs = folder / "trail" / "AWSLogs" / ACCOUNT / "CloudTrail" / REGION
    logs.mkdir(parents=True)
    half = len(EVENTS) // 2
    (logs / "a.json.gz").write_bytes(gzip.compress(json.dumps({"Records": EVENTS[:half]}).encode()))
    (logs / "b.json").write_text(json.dumps({"Records": EVENTS[half:]}))
    SEEDED.append(folder / "signers.txt")
    print(url, flush=True)
    sys.stdin.read()
    server.stop()


main()
