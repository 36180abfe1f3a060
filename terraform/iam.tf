# What each part may do: exact actions on exact ARNs. An action that cannot be bound to an ARN says so.

locals {
  # What both functions may do beside the bridge's own work, by what it is done to.
  common_actions = {
    logs  = ["logs:CreateLogStream", "logs:PutLogEvents"]
    trace = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    key   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
    network = [
      "ec2:AssignPrivateIpAddresses",
      "ec2:CreateNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:UnassignPrivateIpAddresses",
    ]
    network_view = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
  }

  # The work itself: a test compares it with what the program was seen to do. The sweep's index is
  # also scim's, which sweeps where there is no sweep key.
  scim_actions = merge(local.common_actions, {
    scimsession = ["secretsmanager:GetSecretValue"]
    table = [
      "dynamodb:BatchGetItem",
      "dynamodb:DeleteItem",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:Query",
      "dynamodb:UpdateItem",
    ]
    index = ["dynamodb:Query"]
  })

  sweep_actions = merge(local.common_actions, {
    scimsession = ["secretsmanager:GetSecretValue"]
    sweep_key   = ["secretsmanager:GetSecretValue"]
    table = [
      "dynamodb:BatchGetItem",
      "dynamodb:DeleteItem",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:UpdateItem",
    ]
    index = ["dynamodb:Query"]
  })

  actions = { scim = local.scim_actions, sweep = local.sweep_actions }

  # ARNs for the keys of the maps above. What a deployment does not use is missing here and not allowed.
  resources = { for name in keys(local.functions) : name => merge(
    {
      scimsession = aws_secretsmanager_secret.scimsession.arn
      table       = aws_dynamodb_table.state.arn
      index       = "${aws_dynamodb_table.state.arn}/index/work"
      logs        = "${aws_cloudwatch_log_group.function[name].arn}:*"
    },
    name == "sweep" ? { sweep_key = aws_secretsmanager_secret.sweep_key.arn } : {},
    # X-Ray knows no ARNs for traces.
    var.tracing ? { trace = "*" } : {},
    var.customer_managed_key ? { key = local.kms_key_arn } : {},
    # Lambda makes the network interfaces and nobody knows their names before; to look at them, EC2 knows no ARNs.
    var.vpc == null ? {} : {
      network      = "arn:${local.partition}:ec2:${local.region}:${local.account}:*/*"
      network_view = "*"
    },
  ) }
}

data "aws_iam_policy_document" "assume_lambda" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "function" {
  for_each = local.functions

  name               = "${each.value.name}-function"
  description        = "The function ${each.value.name}."
  assume_role_policy = data.aws_iam_policy_document.assume_lambda.json
  tags               = local.tags
}

data "aws_iam_policy_document" "function" {
  for_each = local.functions

  dynamic "statement" {
    for_each = local.resources[each.key]

    content {
      sid       = replace(title(replace(statement.key, "_", " ")), " ", "")
      actions   = local.actions[each.key][statement.key]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions

  name   = "bridge"
  role   = aws_iam_role.function[each.key].id
  policy = data.aws_iam_policy_document.function[each.key].json
}

# The schedule invokes one function, and keeps in one queue what it could not deliver.

data "aws_iam_policy_document" "assume_scheduler" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_scheduler_schedule_group.this.arn]
    }
  }
}

resource "aws_iam_role" "scheduler" {
  name               = "${var.name}-scheduler"
  description        = "The schedule of ${local.functions.sweep.name}."
  assume_role_policy = data.aws_iam_policy_document.assume_scheduler.json
  tags               = local.tags
}

data "aws_iam_policy_document" "scheduler" {
  statement {
    sid       = "Sweep"
    actions   = ["lambda:InvokeFunction"]
    resources = [aws_lambda_function.this["sweep"].arn]
  }

  statement {
    sid       = "DeadLetters"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead_letters.arn]
  }

  dynamic "statement" {
    for_each = local.kms_key_arn[*]

    content {
      sid       = "Key"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "invoke"
  role   = aws_iam_role.scheduler.id
  policy = data.aws_iam_policy_document.scheduler.json
}
