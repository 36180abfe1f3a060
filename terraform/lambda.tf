# Two functions from one package. Their handler tells the program which of the two it is.

locals {
  functions = {
    scim = {
      name        = "${var.name}-scim"
      description = "Answers the identity provider's SCIM requests."
      timeout     = var.scim_timeout
    }
    sweep = {
      name        = "${var.name}-sweep"
      description = "Confirms newcomers, every ${local.sweep_interval}."
      timeout     = coalesce(var.sweep_timeout, local.defaults.sweep_timeout)
    }
  }

  places = {
    SCIM_BRIDGE_LOG         = var.log_level
    SCIM_BRIDGE_SCIMSESSION = aws_secretsmanager_secret.scimsession.arn
    SCIM_BRIDGE_STATE       = aws_dynamodb_table.state.arn
  }

  environment = {
    scim = merge(
      local.connector_settings,
      var.settings,
      local.places,
      # A REST API's events leave the stage out of the path, and its URL has it.
      var.api == "rest" ? { SCIM_BRIDGE_PUBLIC_URL = local.rest_url, AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH = "true" } : {},
      var.custom_domain == null ? {} : { SCIM_BRIDGE_PUBLIC_URL = "https://${var.custom_domain.name}" },
    )
    sweep = merge(
      # Nobody shows the sweep a token that could have been revoked, and it runs all the time: to read
      # two secrets each time would cost as much as half of all the rest.
      { SCIM_BRIDGE_CREDENTIALS_REFRESH = "300" },
      local.connector_settings,
      var.settings,
      local.places,
      { SCIM_BRIDGE_SWEEP_KEY = aws_secretsmanager_secret.sweep_key.arn },
    )
  }
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_115:New accounts refuse any reservation; reserved_concurrency makes one.
  #checkov:skip=CKV_AWS_116:A request is answered, not queued; a failed sweep is made good by the next one, minutes later at most. The schedule has a queue of its own.
  #checkov:skip=CKV_AWS_117:The account service is on the public internet, and nothing else is reached that a VPC would hold; vpc is there for who wants one.
  #checkov:skip=CKV_AWS_173:The environment says where secrets are and holds none; AWS's key encrypts it, or customer_managed_key.
  #checkov:skip=CKV_AWS_272:The package comes from the one who applies; there is no signer to tell apart from them.
  for_each = local.functions

  function_name                  = each.value.name
  description                    = each.value.description
  role                           = aws_iam_role.function[each.key].arn
  filename                       = var.package
  source_code_hash               = filebase64sha256(var.package)
  runtime                        = "provided.al2023"
  handler                        = each.key
  architectures                  = [var.architecture]
  layers                         = var.op_layer_arn[*]
  memory_size                    = coalesce(var.memory_size, local.defaults.memory_size)
  timeout                        = each.value.timeout
  reserved_concurrent_executions = var.reserved_concurrency[each.key]
  kms_key_arn                    = local.kms_key_arn
  tags                           = local.tags

  environment {
    variables = local.environment[each.key]
  }

  # The program writes its own JSON lines and metrics; Lambda passes them on as they are.
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.function[each.key].name
  }

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  dynamic "vpc_config" {
    for_each = var.vpc == null ? [] : [var.vpc]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  # Lambda checks that the role may do what a VPC needs.
  depends_on = [aws_iam_role_policy.function]
}
