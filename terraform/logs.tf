resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts logs with its own key by default; customer_managed_key makes another. No line holds a secret.
  #checkov:skip=CKV_AWS_338:How long logs have to be kept differs by company; log_retention_days says it.
  for_each = local.log_groups.functions

  name              = each.value
  retention_in_days = var.log_retention_days
  kms_key_id        = local.kms_key_arn
  tags              = local.tags

  # CloudWatch looks into the key's policy for the group's name.
  depends_on = [aws_kms_key_policy.this]
}

resource "aws_cloudwatch_log_group" "api" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts logs with its own key by default; customer_managed_key makes another. No line holds a secret.
  #checkov:skip=CKV_AWS_338:How long logs have to be kept differs by company; log_retention_days says it.
  count = var.api == "http" ? 1 : 0

  name              = local.log_groups.api
  retention_in_days = var.log_retention_days
  kms_key_id        = local.kms_key_arn
  tags              = local.tags

  depends_on = [aws_kms_key_policy.this]
}

locals {
  log_groups = {
    functions = { for key, function in local.functions : key => "/aws/lambda/${function.name}" }
    # Under this prefix the account's one policy for delivered logs does not grow with every API.
    api = "/aws/vendedlogs/${var.name}/api"
  }
}
