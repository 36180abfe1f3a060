# As default.tftest.hcl, with the other kind of API.

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

run "with_an_allow_list" {
  variables {
    name          = "rest"
    api           = "rest"
    allowed_cidrs = ["192.0.2.0/24", "198.51.100.7/32"]
  }

  assert {
    condition = [for statement in jsondecode(data.aws_iam_policy_document.rest[0].json).Statement : [
      statement.Effect, statement.Resource, toset(statement.Condition.IpAddress["aws:SourceIp"])
    ]] == [["Allow", "${aws_api_gateway_rest_api.rest[0].execution_arn}/*", toset(var.allowed_cidrs)]]
    error_message = "Others than those on the list may call."
  }
  assert {
    condition     = output.tenant_url == "${aws_api_gateway_stage.rest[0].invoke_url}/scim/v2"
    error_message = "The tenant URL is ${output.tenant_url}, and the stage ${aws_api_gateway_stage.rest[0].invoke_url}."
  }
}
