# Every variable that can be wrong, and each refuses by itself.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  package = "versions.tf" # any file will do
}

run "what_cannot_be_is_refused" {
  command = plan

  variables {
    package              = "no-such.zip"
    architecture         = "arm"
    name                 = "Bridge"
    connector            = "connect"
    settings             = { SCIM_BRIDGE_DELAY = "1" }
    log_level            = "verbose"
    memory_size          = 64
    scim_timeout         = 29 # the API would give up before
    reserved_concurrency = { scim = 0 }
    vpc                  = { subnet_ids = [], security_group_ids = ["sg-1"] }
    throttle             = { rate = 0 }
    allowed_cidrs        = ["192.0.2.0"]
    web_acl_arn          = "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/given/1" # and an HTTP API
    custom_domain        = { name = "scim.example.com" }                                  # neither certificate nor zone
    log_retention_days   = 100
    alarm_email          = "ops"
  }

  expect_failures = [
    var.package,
    var.architecture,
    var.name,
    var.connector,
    var.settings,
    var.log_level,
    var.memory_size,
    var.scim_timeout,
    var.reserved_concurrency,
    var.vpc,
    var.throttle,
    var.allowed_cidrs,
    var.web_acl_arn,
    var.custom_domain,
    var.log_retention_days,
    var.alarm_email,
  ]
}

run "and_what_is_wrong_in_another_way" {
  command = plan

  variables {
    name          = "a2345678901234567890123456789012345678901"
    settings      = { SCIM_BRIDGE_STATE = "elsewhere" } # the module's own
    allowed_cidrs = ["192.0.2.0/24"]                    # and an HTTP API
    custom_domain = { name = "https://scim.example.com", zone_id = "Z123" }
  }

  expect_failures = [
    var.name,
    var.settings,
    var.allowed_cidrs,
    var.custom_domain,
  ]
}

run "a_longer_budget_wants_a_longer_sweep" {
  command = plan

  variables {
    settings = { SCIM_BRIDGE_CONFIRMATION_BUDGET = "60" }
  }

  expect_failures = [var.sweep_timeout]
}

run "and_with_op_a_longer_one" {
  command = plan

  variables {
    connector     = "op"
    sweep_timeout = 150 # as long as the budget
  }

  expect_failures = [var.sweep_timeout]
}

run "a_layer_is_for_op" {
  command = plan

  variables {
    op_layer_arn = "arn:aws:lambda:eu-west-1:123456789012:layer:op:3"
  }

  expect_failures = [var.op_layer_arn]
}

run "a_layer_is_of_one_version" {
  command = plan

  variables {
    connector    = "op"
    op_layer_arn = "arn:aws:lambda:eu-west-1:123456789012:layer:op"
  }

  expect_failures = [var.op_layer_arn]
}

run "a_path_needs_a_layer" {
  command = plan

  variables {
    connector = "op"
    op_path   = "/opt/bin/op"
  }

  expect_failures = [var.op_path]
}

run "a_path_is_in_the_layer" {
  command = plan

  variables {
    connector    = "op"
    op_layer_arn = "arn:aws:lambda:eu-west-1:123456789012:layer:op:3"
    op_path      = "/var/task/op"
  }

  expect_failures = [var.op_path]
}

run "lambda_has_a_limit" {
  command = plan

  variables {
    sweep_timeout = 901
  }

  expect_failures = [var.sweep_timeout]
}

run "there_are_two_kinds_of_api" {
  command = plan

  variables {
    api = "websocket"
  }

  expect_failures = [var.api]
}
