# Two containers for secrets. What is in them is put there by `scim-bridge credentials push aws` and
# never passes through Terraform, so it is in no state file.

locals {
  recovery_days = var.deletion_protection ? 30 : 0
}

resource "aws_secretsmanager_secret" "scimsession" {
  #checkov:skip=CKV_AWS_149:AWS's key for Secrets Manager by default; customer_managed_key makes another. The value is sealed by itself.
  #checkov:skip=CKV2_AWS_57:Nothing in the cloud could make a new scimsession; `scim-bridge token rotate` and `setup --replace` do.
  name                    = "${var.name}/scimsession"
  description             = "Sealed credentials of the account's Provision Manager. Opens with a bearer token or the sweep key."
  kms_key_id              = local.kms_key_arn
  recovery_window_in_days = local.recovery_days
  tags                    = local.tags
}

resource "aws_secretsmanager_secret" "sweep_key" {
  #checkov:skip=CKV_AWS_149:AWS's key for Secrets Manager by default; customer_managed_key makes another.
  #checkov:skip=CKV2_AWS_57:A sweep key and its scimsession change together; `scim-bridge setup --replace` makes both.
  name                    = "${var.name}/sweep-key"
  description             = "Opens the scimsession for the sweep. Readable by the function ${local.functions.sweep.name} alone."
  kms_key_id              = local.kms_key_arn
  recovery_window_in_days = local.recovery_days
  tags                    = local.tags
}

# The scimsession and its key are apart only as long as nobody reads both. This holds for
# administrators too: one who wants the key has to change the policy first, which CloudTrail records.
data "aws_iam_policy_document" "sweep_key" {
  statement {
    sid       = "SweepAlone"
    effect    = "Deny"
    actions   = ["secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue"]
    resources = ["*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "StringNotEquals"
      variable = "aws:PrincipalArn"
      values   = [aws_iam_role.function["sweep"].arn]
    }
  }
}

resource "aws_secretsmanager_secret_policy" "sweep_key" {
  secret_arn          = aws_secretsmanager_secret.sweep_key.arn
  policy              = data.aws_iam_policy_document.sweep_key.json
  block_public_policy = true
}
