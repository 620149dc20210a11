#!/usr/bin/env bash
# Printed by amisweep remediate. Nothing in it has been run: read it first.
# It stops at the first command that fails, and does not write over what it saved before.
set -euo pipefail -o noclobber
export AWS_PAGER=

# Whether the credentials are of this account.
account() {
  [ "$(aws sts get-caller-identity --query Account --output text)" = "$1" ]
}

if account 111122223333; then

  # us-east-1: 3. Block public access
  # as it stands: unknown: needs ec2:GetImageBlockPublicAccessState
  aws ec2 --region us-east-1 enable-image-block-public-access --image-block-public-access-state block-new-sharing
  # as it stands: unknown: needs ec2:GetSnapshotBlockPublicAccessState
  # every public snapshot of the region becomes private
  aws ec2 --region us-east-1 enable-snapshot-block-public-access --state block-all-sharing
  # as it stands: unknown: needs ec2:GetEbsEncryptionByDefault
  aws ec2 --region us-east-1 enable-ebs-encryption-by-default

else
  echo 'left out: these credentials are not of 111122223333' >&2
fi

if account 444455556666; then

  # us-east-1: 1. Save who has them now
  aws ec2 --region us-east-1 describe-image-attribute --image-id ami-0aaaaaaaaaaaaaa01 --attribute launchPermission > ami-0aaaaaaaaaaaaaa01.launch-permission.json
  aws ec2 --region us-east-1 describe-snapshot-attribute --snapshot-id snap-0bbbbbbbbbbbbbb01 --attribute createVolumePermission > snap-0bbbbbbbbbbbbbb01.create-volume-permission.json
  aws ec2 --region us-east-1 describe-snapshot-attribute --snapshot-id snap-0bbbbbbbbbbbbbb02 --attribute createVolumePermission > snap-0bbbbbbbbbbbbbb02.create-volume-permission.json
  aws ec2 --region us-east-1 describe-image-attribute --image-id ami-0aaaaaaaaaaaaaa04 --attribute launchPermission > ami-0aaaaaaaaaaaaaa04.launch-permission.json
  aws ec2 --region us-east-1 describe-snapshot-attribute --snapshot-id snap-0bbbbbbbbbbbbbb05 --attribute createVolumePermission > snap-0bbbbbbbbbbbbbb05.create-volume-permission.json
  aws ec2 --region us-east-1 describe-image-attribute --image-id ami-0aaaaaaaaaaaaaa05 --attribute launchPermission > ami-0aaaaaaaaaaaaaa05.launch-permission.json
  aws ec2 --region us-east-1 describe-snapshot-attribute --snapshot-id snap-0bbbbbbbbbbbbbb77 --attribute createVolumePermission > snap-0bbbbbbbbbbbbbb77.create-volume-permission.json
  aws ec2 --region us-east-1 describe-snapshot-attribute --snapshot-id snap-0bbbbbbbbbbbbbb40 --attribute createVolumePermission > snap-0bbbbbbbbbbbbbb40.create-volume-permission.json
  # to keep a snapshot as evidence, locked against deletion:
  # aws ec2 --region us-east-1 lock-snapshot --lock-mode governance --lock-duration 30 --snapshot-id SNAPSHOT

  # us-east-1: 2. Take them back
  aws ec2 --region us-east-1 modify-image-attribute --image-id ami-0aaaaaaaaaaaaaa01 --launch-permission 'Remove=[{Group=all},{UserId=999900001111}]'
  aws ec2 --region us-east-1 modify-snapshot-attribute --snapshot-id snap-0bbbbbbbbbbbbbb01 --attribute createVolumePermission --operation-type remove --group-names all
  # 12345; rm -rf / is not the id of an account
  aws ec2 --region us-east-1 modify-image-attribute --image-id ami-0aaaaaaaaaaaaaa04 --launch-permission 'Remove=[{OrganizationArn=arn:aws:organizations::999900001111:organization/o-stranger123}]'
  aws ec2 --region us-east-1 modify-snapshot-attribute --snapshot-id snap-0bbbbbbbbbbbbbb05 --attribute createVolumePermission --operation-type remove --user-ids 888877776666 999900001111
  # ami-0aaaaaaaaaaaaaa05: who it is shared with is unknown: needs ec2:DescribeImageAttribute
  # snap-0bbbbbbbbbbbbbb77: who it is shared with is unknown: needs ec2:DescribeSnapshots
  aws ec2 --region us-east-1 modify-snapshot-attribute --snapshot-id snap-0bbbbbbbbbbbbbb40 --attribute createVolumePermission --operation-type remove --group-names all

  # us-east-1: 3. Block public access
  aws ec2 --region us-east-1 enable-image-block-public-access --image-block-public-access-state block-new-sharing
  # as it stands: unknown: needs ec2:GetSnapshotBlockPublicAccessState
  # every public snapshot of the region becomes private
  aws ec2 --region us-east-1 enable-snapshot-block-public-access --state block-all-sharing
  aws ec2 --region us-east-1 enable-ebs-encryption-by-default

  # us-east-1: 4. Make encrypted copies, and move what refers to them
  : "${KMS_KEY_us_east_1:?set it to a customer-managed key of this region}"
  COPY=$(aws ec2 --region us-east-1 copy-image --source-region us-east-1 --source-image-id ami-0aaaaaaaaaaaaaa01 --name web-golden-2026-11-encrypted --copy-image-tags --encrypted --kms-key-id "$KMS_KEY_us_east_1" --query ImageId --output text)
  aws ec2 --region us-east-1 wait image-available --image-ids "$COPY"
  echo "encrypted copy of ami-0aaaaaaaaaaaaaa01: $COPY"
  # move these from ami-0aaaaaaaaaaaaaa01 to the copy:
  #   auto-scaling-group web-asg in 444455556666 us-east-1 (replaces none of its 3 instances any more)
  #   instance i-0dddddddddddddd01 in 444455556666 us-east-1 (goes on running, and cannot be launched again)
  #   launch-template lt-0eeeeeeeeeeeeee01 v7 (web) in 444455556666 us-east-1
  #   ssm-parameter /golden/web in 444455556666 us-east-1
  COPY=$(aws ec2 --region us-east-1 copy-image --source-region us-east-1 --source-image-id ami-0aaaaaaaaaaaaaa04 --name 'a'\''- -(touch /tmp/amisweep-was-here) -id--- -[31mred----x--encrypted' --copy-image-tags --encrypted --kms-key-id "$KMS_KEY_us_east_1" --query ImageId --output text)
  aws ec2 --region us-east-1 wait image-available --image-ids "$COPY"
  echo "encrypted copy of ami-0aaaaaaaaaaaaaa04: $COPY"

  # us-east-1: 5. Disable, where nothing refers to it
  # ami-0aaaaaaaaaaaaaa01 is not to be disabled: 4 refer to it:
  #   auto-scaling-group web-asg in 444455556666 us-east-1 (replaces none of its 3 instances any more)
  #   instance i-0dddddddddddddd01 in 444455556666 us-east-1 (goes on running, and cannot be launched again)
  #   launch-template lt-0eeeeeeeeeeeeee01 v7 (web) in 444455556666 us-east-1
  #   ssm-parameter /golden/web in 444455556666 us-east-1
  # the facts show nothing that refers to ami-0aaaaaaaaaaaaaa04. Disabled, nobody launches it, you included,
  # and its launch permissions are erased: enable-image does not bring them back. To do it:
  # aws ec2 --region us-east-1 disable-image --image-id ami-0aaaaaaaaaaaaaa04
  # the facts show nothing that refers to ami-0aaaaaaaaaaaaaa05. Disabled, nobody launches it, you included,
  # and its launch permissions are erased: enable-image does not bring them back. To do it:
  # aws ec2 --region us-east-1 disable-image --image-id ami-0aaaaaaaaaaaaaa05

  # us-east-1: 6. Allow the providers in use only, first in audit mode
  # every provider in use today: strike those you do not trust; check with
  # amisweep whatif allowed-amis --criteria FILE --facts FILE
  aws ec2 --region us-east-1 replace-image-criteria-in-allowed-images-settings --image-criteria '[{"ImageProviders":["888877776666","amazon"]}]'
  aws ec2 --region us-east-1 enable-allowed-images-settings --allowed-images-settings-state audit-mode

else
  echo 'left out: these credentials are not of 444455556666' >&2
fi
