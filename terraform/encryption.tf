# A key of the customer's own, if wanted. Without it AWS's keys encrypt everything.

locals {
  kms_key_arn = one(aws_kms_key.this[*].arn)
}

resource "aws_kms_key" "this" {
  #checkov:skip=CKV2_AWS_64:Its policy is the resource below, because the policy names the key.
  count = var.customer_managed_key ? 1 : 0

  description             = "Everything that ${var.name} keeps."
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_protection ? 30 : 7
  tags                    = local.tags
}

resource "aws_kms_alias" "this" {
  count = var.customer_managed_key ? 1 : 0

  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this[0].key_id
}

data "aws_iam_policy_document" "key" {
  count = var.customer_managed_key ? 1 : 0

  # Without this nobody could administer the key. What roles may do, their own policies say.
  statement {
    #checkov:skip=CKV_AWS_109:A key's policy speaks of this key only, and its account has to administer it.
    #checkov:skip=CKV_AWS_111:As above.
    #checkov:skip=CKV_AWS_356:In a key's policy the star is the key.
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account}:root"]
    }
  }

  statement {
    sid = "Logs"
    actions = [
      "kms:Decrypt",
      "kms:DescribeKey",
      "kms:Encrypt",
      "kms:GenerateDataKey",
      "kms:GenerateDataKeyWithoutPlaintext",
      "kms:ReEncryptFrom",
      "kms:ReEncryptTo",
    ]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.${local.region}.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values = [
        for name in concat(values(local.log_groups.functions), [local.log_groups.api]) :
        "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${name}"
      ]
    }
  }

  statement {
    sid       = "Alarms"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_kms_key_policy" "this" {
  count = var.customer_managed_key ? 1 : 0

  key_id = aws_kms_key.this[0].key_id
  policy = data.aws_iam_policy_document.key[0].json
}
