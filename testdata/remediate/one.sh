#!/usr/bin/env bash
# Printed by amisweep remediate. Nothing in it has been run: read it first.
# It stops at the first command that fails, and does not write over what it saved before.
set -euo pipefail -o noclobber
export AWS_PAGER=

# Whether the credentials are of this account.
account() {
  [ "$(aws sts get-caller-identity --query Account --output text)" = "$1" ]
}

if account 444455556666; then

  # us-east-1: 1. Save who has them now
  aws ec2 --region us-east-1 describe-image-attribute --image-id ami-0aaaaaaaaaaaaaa01 --attribute launchPermission > ami-0aaaaaaaaaaaaaa01.launch-permission.json
  aws ec2 --region us-east-1 describe-snapshot-attribute --snapshot-id snap-0bbbbbbbbbbbbbb01 --attribute createVolumePermission > snap-0bbbbbbbbbbbbbb01.create-volume-permission.json
  aws ec2 --region us-east-1 describe-snapshot-attribute --snapshot-id snap-0bbbbbbbbbbbbbb02 --attribute createVolumePermission > snap-0bbbbbbbbbbbbbb02.create-volume-permission.json
  # to keep a snapshot as evidence, locked against deletion:
  # aws ec2 --region us-east-1 lock-snapshot --lock-mode governance --lock-duration 30 --snapshot-id SNAPSHOT

  # us-east-1: 2. Take them back
  aws ec2 --region us-east-1 modify-image-attribute --image-id ami-0aaaaaaaaaaaaaa01 --launch-permission 'Remove=[{Group=all}]'
  aws ec2 --region us-east-1 modify-snapshot-attribute --snapshot-id snap-0bbbbbbbbbbbbbb01 --attribute createVolumePermission --operation-type remove --group-names all

  # us-east-1: 3. Block public access
  aws ec2 --region us-east-1 enable-image-block-public-access --image-block-public-access-state block-new-sharing
  # as it stands: unknown: needs ec2:GetSnapshotBlockPublicAccessState
  # every public snapshot of the region becomes private
  aws ec2 --region us-east-1 enable-snapshot-block-public-access --state block-all-sharing
  aws ec2 --region us-east-1 enable-ebs-encryption-by-default

  # us-east-1: 4. Make encrypted copies, and move what refers to them
  KMS_KEY_us_east_1=arn:aws:kms:us-east-1:444455556666:key/00000002-12ab-34cd-56ef-1234567890ab
  COPY=$(aws ec2 --region us-east-1 copy-image --source-region us-east-1 --source-image-id ami-0aaaaaaaaaaaaaa01 --name web-golden-2026-11-encrypted --copy-image-tags --encrypted --kms-key-id "$KMS_KEY_us_east_1" --query ImageId --output text)
  aws ec2 --region us-east-1 wait image-available --image-ids "$COPY"
  echo "encrypted copy of ami-0aaaaaaaaaaaaaa01: $COPY"
  # move these from ami-0aaaaaaaaaaaaaa01 to the copy:
  #   auto-scaling-group web-asg in 444455556666 us-east-1 (replaces none of its 3 instances any more)
  #   instance i-0dddddddddddddd01 in 444455556666 us-east-1 (goes on running, and cannot be launched again)
  #   launch-template lt-0eeeeeeeeeeeeee01 v7 (web) in 444455556666 us-east-1
  #   ssm-parameter /golden/web in 444455556666 us-east-1

  # us-east-1: 5. Disable, where nothing refers to it
  # ami-0aaaaaaaaaaaaaa01 is not to be disabled: 4 refer to it:
  #   auto-scaling-group web-asg in 444455556666 us-east-1 (replaces none of its 3 instances any more)
  #   instance i-0dddddddddddddd01 in 444455556666 us-east-1 (goes on running, and cannot be launched again)
  #   launch-template lt-0eeeeeeeeeeeeee01 v7 (web) in 444455556666 us-east-1
  #   ssm-parameter /golden/web in 444455556666 us-east-1

  # us-east-1: 6. Allow the providers in use only, first in audit mode
  # every provider in use today: strike those you do not trust; check with
  # amisweep whatif allowed-amis --criteria FILE --facts FILE
  aws ec2 --region us-east-1 replace-image-criteria-in-allowed-images-settings --image-criteria '[{"ImageProviders":["888877776666","amazon"]}]'
  aws ec2 --region us-east-1 enable-allowed-images-settings --allowed-images-settings-state audit-mode

else
  echo 'left out: these credentials are not of 444455556666' >&2
fi
