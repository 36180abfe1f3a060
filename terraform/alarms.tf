# What somebody should be woken for, and the topic that wakes them.

locals {
  minute = 60

  scim  = { FunctionName = local.functions.scim.name }
  sweep = { FunctionName = local.functions.sweep.name }

  # An alarm looks at `of` over `minutes`; `silence` says what no data means.
  alarms = {
    server-errors = {
      description = "Five or more requests in five minutes were answered with 5xx. The status and the reason are in ${local.log_groups.functions.scim}."
      metric      = { namespace = "AWS/ApiGateway", name = local.api.server_errors, dimensions = local.api.dimensions }
      of          = "Sum", is = "GreaterThanOrEqualToThreshold", than = 5, minutes = 5, silence = "notBreaching"
    }
    scim-throttled = {
      description = "Lambda refused to run ${local.functions.scim.name}: the account's or the function's concurrency is used up. The provider tries again; raise the limit or the reservation."
      metric      = { namespace = "AWS/Lambda", name = "Throttles", dimensions = local.scim }
      of          = "Sum", is = "GreaterThanThreshold", than = 0, minutes = 5, silence = "notBreaching"
    }
    sweep-throttled = {
      description = "Lambda refused to run ${local.functions.sweep.name}: the account's or the function's concurrency is used up. Raise the limit or the reservation."
      metric      = { namespace = "AWS/Lambda", name = "Throttles", dimensions = local.sweep }
      of          = "Sum", is = "GreaterThanThreshold", than = 0, minutes = 5, silence = "notBreaching"
    }
    sweep-failing = {
      description = "Three or more sweeps failed in ${5 * local.defaults.sweep_minutes} minutes. The reason is in ${local.log_groups.functions.sweep}."
      metric      = { namespace = "AWS/Lambda", name = "Errors", dimensions = local.sweep }
      of          = "Sum", is = "GreaterThanOrEqualToThreshold", than = 3, minutes = 5 * local.defaults.sweep_minutes, silence = "notBreaching"
    }
    sweep-late = {
      description = "No sweep has got through for ten minutes, so nobody is confirmed. Before the credentials are in their secrets this is as it should be; else the reason is in ${local.log_groups.functions.sweep}."
      metric      = { namespace = "ScimBridge", name = "Sweeps", dimensions = local.sweep }
      of          = "Sum", is = "LessThanThreshold", than = 1, minutes = 10, silence = "breaching"
    }
    guard-tripped = {
      description = "The guard refused to remove people or to empty a group. See what the provider is doing before you lift it: scim-bridge guard --help."
      metric      = { namespace = "ScimBridge", name = "GuardRefusals", dimensions = local.scim }
      of          = "Sum", is = "GreaterThanThreshold", than = 0, minutes = 5, silence = "notBreaching"
    }
    credentials-expiring = {
      description = "The provider's last token ends within 14 days: scim-bridge token rotate, and give the provider the new one."
      metric      = { namespace = "ScimBridge", name = "DaysToTokenExpiry", dimensions = local.sweep }
      of          = "Minimum", is = "LessThanThreshold", than = 14, minutes = 60, silence = "notBreaching"
    }
    dead-letters = {
      description = "The schedule could not invoke ${local.functions.sweep.name}. The reason is in the attributes of the messages in ${aws_sqs_queue.dead_letters.name}; purge it when it is mended."
      metric      = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = aws_sqs_queue.dead_letters.name } }
      of          = "Maximum", is = "GreaterThanThreshold", than = 0, minutes = 5, silence = "notBreaching"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.metric.namespace
  metric_name         = each.value.metric.name
  dimensions          = each.value.metric.dimensions
  statistic           = each.value.of
  comparison_operator = each.value.is
  threshold           = each.value.than
  period              = each.value.minutes * local.minute
  evaluation_periods  = 1
  treat_missing_data  = each.value.silence
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  tags                = local.tags
}

resource "aws_sns_topic" "alarms" {
  #checkov:skip=CKV_AWS_26:CloudWatch cannot publish to a topic under AWS's own key; customer_managed_key makes one that it can use. Alarms hold no secrets.
  name              = "${var.name}-alarms"
  display_name      = var.name
  kms_master_key_id = local.kms_key_arn
  tags              = local.tags
}

data "aws_iam_policy_document" "alarms" {
  statement {
    sid       = "Alarms"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms.arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = values(aws_cloudwatch_metric_alarm.this)[*].arn
    }
  }
}

resource "aws_sns_topic_policy" "alarms" {
  arn    = aws_sns_topic.alarms.arn
  policy = data.aws_iam_policy_document.alarms.json
}

resource "aws_sns_topic_subscription" "email" {
  for_each = toset(var.alarm_email[*])

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.value
}
