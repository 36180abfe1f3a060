# One page that shows whether the bridge is well, in three rows: alarms, requests, confirmation.

locals {
  api_place = flatten([for name, value in local.api.dimensions : [name, value]])

  metric_widgets = [
    {
      title = "Requests and server errors"
      metrics = [
        ["ScimBridge", "Requests", "FunctionName", local.functions.scim.name],
        concat(["AWS/ApiGateway", local.api.client_errors], local.api_place),
        concat(["AWS/ApiGateway", local.api.server_errors], local.api_place),
      ]
    },
    {
      title = "How long requests take, in ms"
      metrics = [
        concat(["AWS/ApiGateway", "Latency"], local.api_place, [{ stat = "p50" }]),
        concat(["AWS/ApiGateway", "Latency"], local.api_place, [{ stat = "p99" }]),
      ]
    },
    {
      title = "Refused by a guard, or for want of concurrency"
      metrics = [
        ["ScimBridge", "GuardRefusals", "FunctionName", local.functions.scim.name],
        ["AWS/Lambda", "Throttles", "FunctionName", local.functions.scim.name],
        ["AWS/Lambda", "Throttles", "FunctionName", local.functions.sweep.name],
      ]
    },
    {
      title = "Confirmation"
      metrics = [
        ["ScimBridge", "Confirmed", "FunctionName", local.functions.sweep.name],
        ["ScimBridge", "Waiting", "FunctionName", local.functions.sweep.name, { stat = "Maximum" }],
        ["ScimBridge", "Held", "FunctionName", local.functions.sweep.name, { stat = "Maximum" }],
        ["ScimBridge", "Failed", "FunctionName", local.functions.sweep.name],
      ]
    },
    {
      title = "Sweeps that got through, and that failed"
      metrics = [
        ["ScimBridge", "Sweeps", "FunctionName", local.functions.sweep.name],
        ["AWS/Lambda", "Errors", "FunctionName", local.functions.sweep.name],
      ]
    },
    {
      title = "Days until the provider's last token ends"
      metrics = [
        ["ScimBridge", "DaysToTokenExpiry", "FunctionName", local.functions.sweep.name, { stat = "Minimum" }],
      ]
    },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard ? 1 : 0

  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = concat(
      [{
        type = "alarm", x = 0, y = 0, width = 24, height = 3
        properties = {
          title  = "Alarms"
          alarms = values(aws_cloudwatch_metric_alarm.this)[*].arn
        }
      }],
      [for place, widget in local.metric_widgets : {
        type = "metric", x = place % 3 * 8, y = 3 + floor(place / 3) * 6, width = 8, height = 6
        properties = {
          title   = widget.title
          metrics = widget.metrics
          region  = local.region
          stat    = "Sum"
          period  = 300
          view    = "timeSeries"
        }
      }],
    )
  })
}
