# Printed by amisweep remediate, for account 444455556666. Nothing has been applied.
# The argument `region` takes version 6 of the AWS provider.
# Shares that exist are not taken back by this: use --emit cli.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}

provider "aws" {
  allowed_account_ids = ["444455556666"]
}

variable "kms_key" {
  type        = map(string)
  description = "ARN of a customer-managed key, by region"
}

resource "aws_ec2_image_block_public_access" "eu_west_1" {
  region = "eu-west-1"
  state  = "block-new-sharing"
}

# Every public snapshot of the region becomes private.
resource "aws_ebs_snapshot_block_public_access" "eu_west_1" {
  region = "eu-west-1"
  state  = "block-all-sharing"
}

resource "aws_ebs_encryption_by_default" "eu_west_1" {
  region  = "eu-west-1"
  enabled = true
}

resource "aws_ec2_image_block_public_access" "us_east_1" {
  region = "us-east-1"
  state  = "block-new-sharing"
}

# Every public snapshot of the region becomes private.
resource "aws_ebs_snapshot_block_public_access" "us_east_1" {
  region = "us-east-1"
  state  = "block-all-sharing"
}

resource "aws_ebs_encryption_by_default" "us_east_1" {
  region  = "us-east-1"
  enabled = true
}

# Every provider in use today: strike those you do not trust.
resource "aws_ec2_allowed_images_settings" "us_east_1" {
  region = "us-east-1"
  state  = "audit-mode"
  image_criterion {
    image_providers = ["888877776666", "amazon"]
  }
}

# The encrypted copy of web-golden-2026-11.
resource "aws_ami_copy" "ami_0aaaaaaaaaaaaaa01" {
  region            = "us-east-1"
  name              = "web-golden-2026-11-encrypted"
  source_ami_id     = "ami-0aaaaaaaaaaaaaa01"
  source_ami_region = "us-east-1"
  encrypted         = true
  kms_key_id        = var.kms_key["us-east-1"]
}

# The encrypted copy of a'; $(touch /tmp/amisweep-was-here) `id`?# ?[31mred?"${x}.
resource "aws_ami_copy" "ami_0aaaaaaaaaaaaaa04" {
  region            = "us-east-1"
  name              = "a'- -(touch /tmp/amisweep-was-here) -id--- -[31mred----x--encrypted"
  source_ami_id     = "ami-0aaaaaaaaaaaaaa04"
  source_ami_region = "us-east-1"
  encrypted         = true
  kms_key_id        = var.kms_key["us-east-1"]
}
