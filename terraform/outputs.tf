# --- what to do next ---

output "tenant_url" {
  description = "What the identity provider asks for as Tenant URL, Base URL or SCIM URL."
  value       = "${var.custom_domain == null ? local.api.url : "https://${var.custom_domain.name}"}/scim/v2"
}

output "next_command" {
  description = "What to type next: it puts the credentials that `scim-bridge setup` made into their secrets."
  value       = "scim-bridge credentials push aws --to ${aws_secretsmanager_secret.scimsession.arn} --sweep-key-to ${aws_secretsmanager_secret.sweep_key.arn}"
}

output "console" {
  description = "Links into the AWS console."
  value = { for name, place in {
    alarms    = "cloudwatch/home?region=${local.region}#alarmsV2:?search=${var.name}-"
    dashboard = var.dashboard ? "cloudwatch/home?region=${local.region}#dashboards/dashboard/${var.name}" : null
    api_log   = var.api == "rest" ? null : "cloudwatch/home?region=${local.region}#logsV2:log-groups/log-group/${replace(local.log_groups.api, "/", "$252F")}"
    scim_log  = "cloudwatch/home?region=${local.region}#logsV2:log-groups/log-group/${replace(local.log_groups.functions.scim, "/", "$252F")}"
    sweep_log = "cloudwatch/home?region=${local.region}#logsV2:log-groups/log-group/${replace(local.log_groups.functions.sweep, "/", "$252F")}"
    state     = "dynamodbv2/home?region=${local.region}#table?name=${aws_dynamodb_table.state.name}"
  } : name => "https://${local.region}.${local.console}/${place}" if place != null }
}

# --- for other modules, and for tests ---

output "api_id" {
  description = "Id of the API."
  value       = local.api.id
}

output "custom_domain_target" {
  description = "What a CNAME for the custom domain has to point to, where `zone_id` did not make the records; null without a custom domain."
  value       = one(aws_apigatewayv2_domain_name.this[*].domain_name_configuration[0].target_domain_name)
}

output "function_names" {
  description = "Names of the two functions, by `scim` and `sweep`."
  value       = { for key, function in aws_lambda_function.this : key => function.function_name }
}

output "role_arns" {
  description = "ARNs of the two functions' roles, by `scim` and `sweep`."
  value       = { for key, role in aws_iam_role.function : key => role.arn }
}

output "secret_arns" {
  description = "ARNs of the two secrets, by `scimsession` and `sweep_key`."
  value = {
    scimsession = aws_secretsmanager_secret.scimsession.arn
    sweep_key   = aws_secretsmanager_secret.sweep_key.arn
  }
}

output "table_arn" {
  description = "ARN of the state table."
  value       = aws_dynamodb_table.state.arn
}

output "alarm_topic_arn" {
  description = "ARN of the SNS topic that alarms go to, for further subscriptions."
  value       = aws_sns_topic.alarms.arn
}

output "dead_letter_queue_url" {
  description = "URL of the queue for schedules that could not be delivered."
  value       = aws_sqs_queue.dead_letters.url
}

output "kms_key_arn" {
  description = "ARN of the customer-managed key; null without one."
  value       = local.kms_key_arn
}

locals {
  console = lookup({
    aws-cn     = "console.amazonaws.cn"
    aws-us-gov = "console.amazonaws-us-gov.com"
  }, local.partition, "console.aws.amazon.com")
}
