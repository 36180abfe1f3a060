# The way in: every path and method goes to one function, which knows who may do what.

locals {
  # What the rest of the module knows of the API, whichever it is. A part that is not made is null here.
  apis = {
    http = {
      id            = one(aws_apigatewayv2_api.http[*].id)
      execution_arn = one(aws_apigatewayv2_api.http[*].execution_arn)
      stage         = one(aws_apigatewayv2_stage.http[*].name)
      url           = one(aws_apigatewayv2_api.http[*].api_endpoint)
      # Names of its metrics, and the dimensions that they are under.
      client_errors = "4xx"
      server_errors = "5xx"
      dimensions    = tomap({ ApiId = one(aws_apigatewayv2_api.http[*].id) })
    }
    rest = {
      id            = one(aws_api_gateway_rest_api.rest[*].id)
      execution_arn = one(aws_api_gateway_rest_api.rest[*].execution_arn)
      stage         = one(aws_api_gateway_stage.rest[*].stage_name)
      url           = local.rest_url
      client_errors = "4XXError"
      server_errors = "5XXError"
      dimensions    = tomap({ ApiName = var.name, Stage = local.rest_stage })
    }
  }

  api = local.apis[var.api]
}

resource "aws_lambda_permission" "api" {
  statement_id  = "api"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this["scim"].function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${local.api.execution_arn}/*/*"
}
