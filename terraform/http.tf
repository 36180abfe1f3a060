# The way in by an HTTP API, which is what `api = "http"` makes.

resource "aws_apigatewayv2_api" "http" {
  count = var.api == "http" ? 1 : 0

  name          = var.name
  description   = "SCIM 2.0 for the identity provider."
  protocol_type = "HTTP"
  # With a name of one's own the other one is only a way around it.
  disable_execute_api_endpoint = var.custom_domain != null
  tags                         = local.tags
}

resource "aws_apigatewayv2_integration" "http" {
  count = var.api == "http" ? 1 : 0

  api_id                 = aws_apigatewayv2_api.http[0].id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.this["scim"].invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 29000
}

resource "aws_apigatewayv2_route" "http" {
  #checkov:skip=CKV_AWS_309:The bearer token is checked by the bridge, because it is also what opens its credentials.
  count = var.api == "http" ? 1 : 0

  api_id             = aws_apigatewayv2_api.http[0].id
  route_key          = "$default"
  authorization_type = "NONE"
  target             = "integrations/${aws_apigatewayv2_integration.http[0].id}"
}

resource "aws_apigatewayv2_stage" "http" {
  count = var.api == "http" ? 1 : 0

  api_id      = aws_apigatewayv2_api.http[0].id
  name        = "$default"
  auto_deploy = true
  tags        = local.tags

  default_route_settings {
    throttling_rate_limit  = var.throttle.rate
    throttling_burst_limit = var.throttle.burst
  }

  # No header, for one of them carries the token, and no query, for filters carry addresses.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.api[0].arn
    format = jsonencode({
      time               = "$context.requestTime"
      requestId          = "$context.requestId"
      sourceIp           = "$context.identity.sourceIp"
      method             = "$context.httpMethod"
      path               = "$context.path"
      protocol           = "$context.protocol"
      status             = "$context.status"
      responseLength     = "$context.responseLength"
      responseLatency    = "$context.responseLatency"
      integrationStatus  = "$context.integration.status"
      integrationLatency = "$context.integration.latency"
      integrationError   = "$context.integrationErrorMessage"
    })
  }
}
