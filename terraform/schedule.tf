# The sweep's clock.

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dead-letters"
  message_retention_seconds = 4 * 24 * 60 * 60
  sqs_managed_sse_enabled   = var.customer_managed_key ? null : true
  kms_master_key_id         = local.kms_key_arn
  tags                      = local.tags
}

resource "aws_scheduler_schedule_group" "this" {
  name = var.name
  tags = local.tags
}

resource "aws_scheduler_schedule" "sweep" {
  #checkov:skip=CKV_AWS_297:What the schedule holds is the constant below and two ARNs; AWS's key encrypts it.
  name                = "sweep"
  description         = "Confirms newcomers, every ${local.sweep_interval}."
  group_name          = aws_scheduler_schedule_group.this.name
  schedule_expression = "rate(${local.defaults.sweep_minutes} ${local.defaults.sweep_minutes == 1 ? "minute" : "minutes"})"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this["sweep"].arn
    role_arn = aws_iam_role.scheduler.arn
    input    = jsonencode({ source = "scim-bridge.schedule" })

    dead_letter_config {
      arn = aws_sqs_queue.dead_letters.arn
    }

    # The schedule brings the next sweep soon, so an old one is of no use.
    retry_policy {
      maximum_event_age_in_seconds = 60
      maximum_retry_attempts       = 1
    }
  }

  depends_on = [aws_iam_role_policy.scheduler]
}

# Lambda too would try a failed sweep twice again, beside those that follow.
resource "aws_lambda_function_event_invoke_config" "sweep" {
  function_name                = aws_lambda_function.this["sweep"].function_name
  maximum_event_age_in_seconds = 60
  maximum_retry_attempts       = 0
}
