# The module through the real provider, against the AWS stand-in that AWS_ENDPOINT_URL names. The keys
# below are good for nothing, so that these tests cannot reach a real account by mistake.

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

run "by_default" {
  assert {
    condition     = alltrue([for key, function in aws_lambda_function.this : function.logging_config[0].log_group == "/aws/lambda/scim-bridge-${key}"])
    error_message = "A function logs elsewhere than into its group."
  }

  # Whoever may read the sweep key is the bridge's Provision Manager.
  assert {
    condition = alltrue([for statement in jsondecode(aws_iam_role_policy.function["scim"].policy).Statement :
      statement.Action != "secretsmanager:GetSecretValue" || statement.Resource == output.secret_arns.scimsession
    ])
    error_message = "The function that the provider talks to may read more secrets than the scimsession."
  }
  assert {
    condition = toset(flatten([for statement in jsondecode(aws_iam_role_policy.function["sweep"].policy).Statement :
      statement.Resource if statement.Action == "secretsmanager:GetSecretValue"
    ])) == toset(values(output.secret_arns))
    error_message = "The sweep may read other secrets than its two."
  }
  assert {
    condition = [for statement in jsondecode(aws_secretsmanager_secret_policy.sweep_key.policy).Statement : [
      statement.Effect, statement.Condition.StringNotEquals["aws:PrincipalArn"]
    ]] == [["Deny", output.role_arns.sweep]]
    error_message = "Others than the sweep may read the sweep key."
  }

  # Exact actions, and a star only where AWS knows no ARN.
  assert {
    condition = alltrue(flatten([for policy in concat(values(aws_iam_role_policy.function), [aws_iam_role_policy.scheduler]) :
      [for statement in jsondecode(policy.policy).Statement :
        !strcontains(jsonencode(statement.Action), "*") && (statement.Sid == "Trace" || statement.Resource != "*")
      ]
    ]))
    error_message = "A role may do more than it needs."
  }
}
