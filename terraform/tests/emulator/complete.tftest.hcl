# As default.tftest.hcl, with all that the stand-in knows. It knows no domain names of APIs.

provider "aws" {
  region      = "eu-west-1"
  access_key  = "testing"
  secret_key  = "testing"
  max_retries = 3
}

variables {
  package             = "versions.tf" # any file will do
  deletion_protection = false
}

run "network" {
  module {
    source = "./tests/emulator/network"
  }
}

run "with_everything" {
  variables {
    name                 = "complete"
    architecture         = "x86_64"
    reserved_concurrency = { scim = 5, sweep = 1 }
    customer_managed_key = true
    alarm_email          = "ops@example.com"
    vpc                  = run.network.vpc
  }

  assert {
    condition = alltrue([
      for arn in [aws_dynamodb_table.state.server_side_encryption[0].kms_key_arn, aws_lambda_function.this["scim"].kms_key_arn] :
      arn == output.kms_key_arn
    ])
    error_message = "The customer's key is not used."
  }
  assert {
    condition     = aws_lambda_function.this["sweep"].vpc_config[0].vpc_id != ""
    error_message = "The sweep is not in the network."
  }
}
