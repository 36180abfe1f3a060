# scim-bridge on AWS: an API in front of one function, a schedule in front of another, a table and
# two secrets behind both. Each concern has its file. There is no provider block, so that this is a
# root module and a child module alike: region and credentials come from the environment or the caller.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.id

  tags = merge({ Application = var.name }, var.tags)
}
