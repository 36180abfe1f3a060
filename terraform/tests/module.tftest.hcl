# The module by itself: no cloud, no stand-in. What a policy says and whether the cloud takes it all is
# in tests/emulator.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  package = "versions.tf" # any file will do
}

run "by_default" {
  assert {
    condition     = output.tenant_url == "https://abc123.execute-api.eu-west-1.amazonaws.com/scim/v2"
    error_message = "The tenant URL is ${output.tenant_url}."
  }
  assert {
    condition = output.next_command == join(" ", [
      "scim-bridge credentials push aws",
      "--to arn:aws:secretsmanager:eu-west-1:123456789012:secret:mock-AbCdEf",
      "--sweep-key-to arn:aws:secretsmanager:eu-west-1:123456789012:secret:mock-AbCdEf",
    ])
    error_message = "The next command is ${output.next_command}."
  }
  assert {
    condition = alltrue([for key, function in aws_lambda_function.this : alltrue([
      function.handler == key,
      function.runtime == "provided.al2023",
      function.architectures == tolist(["arm64"]),
      function.memory_size == 256,
      function.timeout == { scim = 28, sweep = 60 }[key],
      function.reserved_concurrent_executions == -1,
      length(function.vpc_config) == 0,
      length(coalesce(function.layers, [])) == 0,
    ])])
    error_message = "A function is not made as promised."
  }
  assert {
    condition = aws_lambda_function.this["scim"].environment[0].variables == tomap({
      SCIM_BRIDGE_LOG         = "info"
      SCIM_BRIDGE_SCIMSESSION = output.secret_arns.scimsession
      SCIM_BRIDGE_STATE       = output.table_arn
    })
    error_message = "The environment of scim is not what the program expects."
  }
  assert {
    condition = aws_lambda_function.this["sweep"].environment[0].variables == tomap({
      SCIM_BRIDGE_CREDENTIALS_REFRESH = "300"
      SCIM_BRIDGE_LOG                 = "info"
      SCIM_BRIDGE_SCIMSESSION         = output.secret_arns.scimsession
      SCIM_BRIDGE_STATE               = output.table_arn
      SCIM_BRIDGE_SWEEP_KEY           = output.secret_arns.sweep_key
    })
    error_message = "The environment of sweep is not what the program expects."
  }
  assert {
    condition = alltrue([
      length(aws_kms_key.this) == 0,
      length(aws_apigatewayv2_domain_name.this) == 0,
      length(aws_sns_topic_subscription.email) == 0,
      length(aws_cloudwatch_dashboard.this) == 1,
      aws_dynamodb_table.state.deletion_protection_enabled,
      aws_dynamodb_table.state.point_in_time_recovery[0].enabled,
      aws_secretsmanager_secret.scimsession.recovery_window_in_days == 30,
      aws_sqs_queue.dead_letters.sqs_managed_sse_enabled,
    ])
    error_message = "What costs money is made, or what protects is not."
  }
  assert {
    condition = alltrue([
      aws_apigatewayv2_stage.http[0].default_route_settings[0].throttling_rate_limit == 25,
      aws_apigatewayv2_stage.http[0].default_route_settings[0].throttling_burst_limit == 100,
      # No header is in it, and no query.
      !can(regex("(?i)header|authori|query|rawPath", aws_apigatewayv2_stage.http[0].access_log_settings[0].format)),
      length(aws_api_gateway_gateway_response.rest) == 0,
    ])
    error_message = "The API is not throttled, or logs what it must not."
  }
  assert {
    condition     = setsubtract(keys(local.sweep_actions), keys(local.scim_actions)) == toset(["sweep_key"]) && setunion(local.scim_actions.table, local.sweep_actions.table) == toset(local.scim_actions.table)
    error_message = "The sweep may do more to what both share than the function that answers."
  }
  assert {
    condition = alltrue([
      keys(local.resources.scim) == ["index", "logs", "scimsession", "table", "trace"],
      keys(local.resources.sweep) == ["index", "logs", "scimsession", "sweep_key", "table", "trace"],
    ])
    error_message = "A function may touch something that it does not need, or not what it needs."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : length(alarm.alarm_actions) == 1 && length(alarm.alarm_description) > 40])
    error_message = "An alarm wakes nobody, or does not say what to do."
  }
  assert {
    condition = alltrue([
      aws_scheduler_schedule.sweep.schedule_expression == "rate(1 minute)",
      aws_cloudwatch_metric_alarm.this["sweep-failing"].period == 300,
    ])
    error_message = "The sweep does not come every minute."
  }
}

run "with_op" {
  variables {
    connector = "op"
    settings  = { SCIM_BRIDGE_EMAIL_CHANGE = "refuse" }
  }

  assert {
    condition = alltrue([for key, function in aws_lambda_function.this : alltrue([
      function.memory_size == 2048,
      function.timeout == { scim = 28, sweep = 180 }[key],
      length(coalesce(function.layers, [])) == 0,
      function.environment[0].variables.SCIM_BRIDGE_OP == "/var/task/op",
      function.environment[0].variables.SCIM_BRIDGE_CONFIRMATION_BUDGET == "150",
      function.environment[0].variables.SCIM_BRIDGE_CONFIRMATION_INTERVAL == "180",
      function.environment[0].variables.SCIM_BRIDGE_EMAIL_CHANGE == "refuse",
    ])])
    error_message = "A function is not made for op."
  }
  assert {
    condition = alltrue([
      aws_scheduler_schedule.sweep.schedule_expression == "rate(3 minutes)",
      aws_lambda_function.this["sweep"].description == "Confirms newcomers, every 3 minutes.",
      # Three failures need three sweeps.
      aws_cloudwatch_metric_alarm.this["sweep-failing"].period == 900,
    ])
    error_message = "Sweeps with op may overlap, or fail unnoticed."
  }
}

run "with_op_in_a_layer" {
  variables {
    connector     = "op"
    op_layer_arn  = "arn:aws:lambda:eu-west-1:123456789012:layer:op:3"
    memory_size   = 1024
    sweep_timeout = 100
    settings      = { SCIM_BRIDGE_CONFIRMATION_BUDGET = "80" }
  }

  assert {
    condition = alltrue([for key, function in aws_lambda_function.this : alltrue([
      function.layers == tolist(["arn:aws:lambda:eu-west-1:123456789012:layer:op:3"]),
      function.memory_size == 1024,
      function.timeout == { scim = 28, sweep = 100 }[key],
      function.environment[0].variables.SCIM_BRIDGE_OP == "/opt/bin/op",
      function.environment[0].variables.SCIM_BRIDGE_CONFIRMATION_BUDGET == "80",
    ])])
    error_message = "The layer is not used, or what was chosen does not hold."
  }
}

run "with_op_elsewhere_in_a_layer" {
  command = plan

  variables {
    connector    = "op"
    op_layer_arn = "arn:aws:lambda:eu-west-1:123456789012:layer:op:3"
    op_path      = "/opt/1password/op"
  }

  assert {
    condition     = aws_lambda_function.this["sweep"].environment[0].variables.SCIM_BRIDGE_OP == "/opt/1password/op"
    error_message = "op is looked for elsewhere."
  }
}

run "with_everything" {
  variables {
    name                 = "other"
    architecture         = "x86_64"
    tags                 = { Team = "identity" }
    settings             = { SCIM_BRIDGE_CONFIRMATION_DELAY = "60", SCIM_BRIDGE_CREDENTIALS_REFRESH = "30" }
    log_level            = "debug"
    memory_size          = 512
    reserved_concurrency = { sweep = 1 }
    tracing              = false
    throttle             = { rate = 50 }
    custom_domain        = { name = "scim.example.com", zone_id = "Z123" }
    customer_managed_key = true
    deletion_protection  = false
    log_retention_days   = 365
    alarm_email          = "ops@example.com"
    dashboard            = false
    vpc                  = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
  }

  assert {
    condition     = output.tenant_url == "https://scim.example.com/scim/v2"
    error_message = "The tenant URL is ${output.tenant_url}."
  }
  assert {
    condition = alltrue([
      aws_apigatewayv2_api.http[0].disable_execute_api_endpoint,
      aws_lambda_function.this["scim"].environment[0].variables.SCIM_BRIDGE_PUBLIC_URL == "https://scim.example.com",
      !contains(keys(aws_lambda_function.this["sweep"].environment[0].variables), "SCIM_BRIDGE_PUBLIC_URL"),
      length(aws_acm_certificate.this) == 1,
      keys(aws_route53_record.domain) == ["A", "AAAA"],
    ])
    error_message = "The custom domain is not complete, or not the only way in."
  }
  assert {
    condition = alltrue([for function in aws_lambda_function.this : alltrue([
      function.architectures == tolist(["x86_64"]),
      function.memory_size == 512,
      function.kms_key_arn == output.kms_key_arn,
      function.tracing_config[0].mode == "PassThrough",
      length(function.vpc_config) == 1,
      function.environment[0].variables.SCIM_BRIDGE_LOG == "debug",
      function.environment[0].variables.SCIM_BRIDGE_CONFIRMATION_DELAY == "60",
      function.environment[0].variables.SCIM_BRIDGE_CREDENTIALS_REFRESH == "30",
      function.tags == tomap({ Application = "other", Team = "identity" }),
    ])])
    error_message = "A function does not heed the variables."
  }
  assert {
    condition = alltrue([
      aws_lambda_function.this["scim"].reserved_concurrent_executions == -1,
      aws_lambda_function.this["sweep"].reserved_concurrent_executions == 1,
    ])
    error_message = "The reservation is not the sweep's alone."
  }
  assert {
    condition = alltrue([for arn in concat(
      values(aws_cloudwatch_log_group.function)[*].kms_key_id,
      [
        aws_cloudwatch_log_group.api[0].kms_key_id,
        aws_dynamodb_table.state.server_side_encryption[0].kms_key_arn,
        aws_secretsmanager_secret.scimsession.kms_key_id,
        aws_secretsmanager_secret.sweep_key.kms_key_id,
        aws_sns_topic.alarms.kms_master_key_id,
        aws_sqs_queue.dead_letters.kms_master_key_id,
      ],
    ) : arn == output.kms_key_arn])
    error_message = "Something is kept under another key than the customer's."
  }
  assert {
    condition     = keys(local.resources.scim) == ["index", "key", "logs", "network", "network_view", "scimsession", "table"]
    error_message = "The functions may not use the key or the network, or may still trace."
  }
  assert {
    condition = alltrue([
      aws_secretsmanager_secret.sweep_key.recovery_window_in_days == 0,
      !aws_dynamodb_table.state.deletion_protection_enabled,
      length(aws_cloudwatch_dashboard.this) == 0,
      keys(aws_sns_topic_subscription.email) == ["ops@example.com"],
    ])
    error_message = "A switch does not switch."
  }
}

run "with_a_certificate_of_ones_own" {
  variables {
    custom_domain = { name = "scim.example.com", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/given" }
  }

  assert {
    condition = alltrue([
      length(aws_acm_certificate.this) == 0,
      length(aws_route53_record.domain) == 0,
      aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].certificate_arn == "arn:aws:acm:eu-west-1:123456789012:certificate/given",
      output.custom_domain_target != null,
    ])
    error_message = "The given certificate is not used, or another one is made."
  }
}

run "with_an_allow_list" {
  variables {
    api           = "rest"
    allowed_cidrs = ["192.0.2.0/24"]
    web_acl_arn   = "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/given/1"
  }

  assert {
    condition = alltrue([
      output.tenant_url == "https://abc123.execute-api.eu-west-1.amazonaws.com/bridge/scim/v2",
      aws_lambda_function.this["scim"].environment[0].variables.SCIM_BRIDGE_PUBLIC_URL == "https://abc123.execute-api.eu-west-1.amazonaws.com/bridge",
      length(aws_apigatewayv2_api.http) == 0,
      one(aws_api_gateway_method_settings.rest[0].settings).throttling_rate_limit == 25,
      length(aws_wafv2_web_acl_association.rest) == 1,
    ])
    error_message = "The REST API is not complete, or not the only one."
  }

  assert {
    condition = alltrue([for type, answer in aws_api_gateway_gateway_response.rest : alltrue([
      one(keys(answer.response_templates)) == "application/scim+json",
      jsondecode(answer.response_templates["application/scim+json"]).schemas == ["urn:ietf:params:scim:api:messages:2.0:Error"],
      jsondecode(answer.response_templates["application/scim+json"]).status == answer.status_code,
      length(jsondecode(answer.response_templates["application/scim+json"]).detail) > 0,
      contains(["429", "502", "503", "504"], answer.status_code) == can(answer.response_parameters["gatewayresponse.header.Retry-After"]),
    ])])
    error_message = "What the gateway answers by itself is no SCIM error."
  }

  assert {
    condition = { for type, answer in aws_api_gateway_gateway_response.rest : type => answer.status_code } == {
      ACCESS_DENIED          = "403"
      WAF_FILTERED           = "403"
      RESOURCE_NOT_FOUND     = "404"
      REQUEST_TOO_LARGE      = "413"
      UNSUPPORTED_MEDIA_TYPE = "415"
      THROTTLED              = "429"
      QUOTA_EXCEEDED         = "429"
      INTEGRATION_FAILURE    = "503"
      INTEGRATION_TIMEOUT    = "504"
      DEFAULT_4XX            = "400"
      DEFAULT_5XX            = "502"
    }
    error_message = "The gateway answers something else by itself."
  }
}
