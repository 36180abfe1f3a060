# What the bridge remembers: who waits to be confirmed, external ids, managed groups, guards.

resource "aws_dynamodb_table" "state" {
  #checkov:skip=CKV_AWS_119:AWS's key for DynamoDB by default; customer_managed_key makes another. The table holds no secrets.
  name                        = "${var.name}-state"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.deletion_protection
  tags                        = local.tags

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  attribute {
    name = "work"
    type = "S"
  }

  attribute {
    name = "place"
    type = "S"
  }

  # Only items with something to do carry `work`, so the index is as small as the work.
  global_secondary_index {
    name            = "work"
    hash_key        = "work"
    range_key       = "place"
    projection_type = "KEYS_ONLY"
  }

  ttl {
    attribute_name = "expires"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = local.kms_key_arn
  }
}
