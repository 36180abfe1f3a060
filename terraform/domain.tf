# A name of one's own in front of the API, if wanted.

locals {
  # What is to be made for it.
  certificate = try(var.custom_domain.certificate_arn, "") == null ? 1 : 0
  records     = try(var.custom_domain.zone_id, null) == null ? toset([]) : toset(["A", "AAAA"])
}

resource "aws_acm_certificate" "this" {
  count = local.certificate

  domain_name       = var.custom_domain.name
  validation_method = "DNS"
  tags              = local.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "certificate" {
  count = local.certificate

  zone_id         = var.custom_domain.zone_id
  name            = one(aws_acm_certificate.this[0].domain_validation_options).resource_record_name
  type            = one(aws_acm_certificate.this[0].domain_validation_options).resource_record_type
  records         = [one(aws_acm_certificate.this[0].domain_validation_options).resource_record_value]
  ttl             = 300
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "this" {
  count = local.certificate

  certificate_arn         = aws_acm_certificate.this[0].arn
  validation_record_fqdns = [aws_route53_record.certificate[0].fqdn]
}

resource "aws_apigatewayv2_domain_name" "this" {
  count = var.custom_domain == null ? 0 : 1

  domain_name = var.custom_domain.name
  tags        = local.tags

  domain_name_configuration {
    certificate_arn = coalesce(var.custom_domain.certificate_arn, one(aws_acm_certificate_validation.this[*].certificate_arn))
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "this" {
  count = var.custom_domain == null ? 0 : 1

  api_id      = local.api.id
  domain_name = aws_apigatewayv2_domain_name.this[0].id
  stage       = local.api.stage
}

resource "aws_route53_record" "domain" {
  for_each = local.records

  zone_id = var.custom_domain.zone_id
  name    = var.custom_domain.name
  type    = each.key

  alias {
    name                   = aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].target_domain_name
    zone_id                = aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].hosted_zone_id
    evaluate_target_health = false
  }
}
