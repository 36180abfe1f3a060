# The way in by a REST API, which is what `api = "rest"` makes: it costs more a request, but takes an
# allow-list of addresses and a WAF.

locals {
  # A REST API's own URL ends in the stage. The functions learn it before there is a stage.
  rest_stage = "bridge"
  rest_url   = one([for api in aws_api_gateway_rest_api.rest : "https://${api.id}.execute-api.${local.region}.${data.aws_partition.this.dns_suffix}/${local.rest_stage}"])
  rest_ways  = var.api == "rest" ? toset(["all", "root"]) : toset([])

  # What the gateway answers without the function, by its names for them. `wait`: seconds until the
  # provider is to try again.
  gateway_errors = {
    ACCESS_DENIED          = { status = "403", detail = "this address is not on the bridge's list of those that may call: an administrator adds it to allowed_cidrs" }
    WAF_FILTERED           = { status = "403", detail = "the firewall in front of the bridge refuses this request: an administrator looks at the rules of its web ACL" }
    RESOURCE_NOT_FOUND     = { status = "404", detail = "there is nothing at this path" }
    REQUEST_TOO_LARGE      = { status = "413", detail = "the request is larger than the gateway in front of the bridge takes: send less at once" }
    UNSUPPORTED_MEDIA_TYPE = { status = "415", detail = "send application/scim+json or application/json" }
    THROTTLED              = { status = "429", detail = "these are more requests a second than the gateway in front of the bridge takes: send them more slowly, or an administrator raises throttle", wait = 1 }
    QUOTA_EXCEEDED         = { status = "429", detail = "a quota of the gateway in front of the bridge is used up", wait = 60 }
    INTEGRATION_FAILURE    = { status = "503", detail = "the bridge could not be reached: try again", wait = 5 }
    INTEGRATION_TIMEOUT    = { status = "504", detail = "the bridge did not answer in time: try again", wait = 5 }
    DEFAULT_4XX            = { status = "400", detail = "the gateway in front of the bridge does not take this request" }
    DEFAULT_5XX            = { status = "502", detail = "the bridge gave no answer that the gateway in front of it can pass on: try again; the bridge's log says more", wait = 5 }
  }
}

resource "aws_api_gateway_rest_api" "rest" {
  count = var.api == "rest" ? 1 : 0

  name                         = var.name
  description                  = "SCIM 2.0 for the identity provider."
  disable_execute_api_endpoint = var.custom_domain != null
  tags                         = local.tags

  endpoint_configuration {
    types = ["REGIONAL"]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_resource" "rest" {
  count = var.api == "rest" ? 1 : 0

  rest_api_id = aws_api_gateway_rest_api.rest[0].id
  parent_id   = aws_api_gateway_rest_api.rest[0].root_resource_id
  path_part   = "{proxy+}"
}

resource "aws_api_gateway_method" "rest" {
  #checkov:skip=CKV_AWS_59:The bearer token is checked by the bridge, because it is also what opens its credentials.
  #checkov:skip=CKV2_AWS_53:The bridge checks requests itself, and answers as SCIM says.
  for_each = local.rest_ways

  rest_api_id   = aws_api_gateway_rest_api.rest[0].id
  resource_id   = each.key == "root" ? aws_api_gateway_rest_api.rest[0].root_resource_id : aws_api_gateway_resource.rest[0].id
  http_method   = "ANY"
  authorization = "NONE"
}

resource "aws_api_gateway_integration" "rest" {
  for_each = local.rest_ways

  rest_api_id             = aws_api_gateway_rest_api.rest[0].id
  resource_id             = aws_api_gateway_method.rest[each.key].resource_id
  http_method             = aws_api_gateway_method.rest[each.key].http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = aws_lambda_function.this["scim"].invoke_arn
  timeout_milliseconds    = 29000
}

# Everybody, or those on the list. The deployment below waits for it, so that nobody slips in before.
data "aws_iam_policy_document" "rest" {
  count = var.api == "rest" ? 1 : 0

  statement {
    sid       = "Allowed"
    actions   = ["execute-api:Invoke"]
    resources = ["${aws_api_gateway_rest_api.rest[0].execution_arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    dynamic "condition" {
      for_each = length(var.allowed_cidrs) == 0 ? [] : [var.allowed_cidrs]

      content {
        test     = "IpAddress"
        variable = "aws:SourceIp"
        values   = condition.value
      }
    }
  }
}

resource "aws_api_gateway_rest_api_policy" "rest" {
  count = var.api == "rest" ? 1 : 0

  rest_api_id = aws_api_gateway_rest_api.rest[0].id
  policy      = data.aws_iam_policy_document.rest[0].json
}

resource "aws_api_gateway_gateway_response" "rest" {
  for_each = { for type, error in local.gateway_errors : type => error if var.api == "rest" }

  rest_api_id   = aws_api_gateway_rest_api.rest[0].id
  response_type = each.key
  status_code   = each.value.status

  response_templates = {
    "application/scim+json" = jsonencode({
      schemas = ["urn:ietf:params:scim:api:messages:2.0:Error"]
      status  = each.value.status
      detail  = each.value.detail
    })
  }

  response_parameters = {
    for wait in try([each.value.wait], []) : "gatewayresponse.header.Retry-After" => "'${wait}'"
  }
}

resource "aws_api_gateway_deployment" "rest" {
  count = var.api == "rest" ? 1 : 0

  rest_api_id = aws_api_gateway_rest_api.rest[0].id

  # A change of what is deployed holds only once it is deployed again.
  triggers = {
    deployed = sha256(jsonencode([
      sort(var.allowed_cidrs),
      [for way in aws_api_gateway_integration.rest : [way.id, way.uri]],
      local.gateway_errors,
    ]))
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [aws_api_gateway_rest_api_policy.rest, aws_api_gateway_gateway_response.rest]
}

resource "aws_api_gateway_stage" "rest" {
  #checkov:skip=CKV_AWS_76:A REST API's access log needs a role set for the whole account, which is not a module's to set. The bridge logs every request.
  #checkov:skip=CKV_AWS_120:Answers are for one caller and one moment.
  #checkov:skip=CKV2_AWS_4:As for the access log.
  #checkov:skip=CKV2_AWS_29:web_acl_arn attaches one.
  #checkov:skip=CKV2_AWS_51:A provider proves itself by its token; none offers a certificate.
  #checkov:skip=CKV2_AWS_77:What the WAF ACL holds is for whom it belongs to; the functions are Rust.
  count = var.api == "rest" ? 1 : 0

  rest_api_id          = aws_api_gateway_rest_api.rest[0].id
  deployment_id        = aws_api_gateway_deployment.rest[0].id
  stage_name           = local.rest_stage
  xray_tracing_enabled = var.tracing
  tags                 = local.tags
}

resource "aws_api_gateway_method_settings" "rest" {
  #checkov:skip=CKV_AWS_225:Answers are for one caller and one moment.
  #checkov:skip=CKV_AWS_308:Nothing is cached.
  count = var.api == "rest" ? 1 : 0

  rest_api_id = aws_api_gateway_rest_api.rest[0].id
  stage_name  = aws_api_gateway_stage.rest[0].stage_name
  method_path = "*/*"

  settings {
    throttling_rate_limit  = var.throttle.rate
    throttling_burst_limit = var.throttle.burst
  }
}

resource "aws_wafv2_web_acl_association" "rest" {
  for_each = toset(var.web_acl_arn[*])

  resource_arn = aws_api_gateway_stage.rest[0].arn
  web_acl_arn  = each.value
}
