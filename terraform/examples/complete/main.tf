# Everything that can be chosen, chosen: a domain of one's own, a key of one's own, a VPC, reservations.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100.0, < 6.0.0"
    }
  }
}

provider "aws" {
  region = "eu-west-1"

  default_tags {
    tags = { Team = "identity" }
  }
}

variable "package" {
  description = "Path of the zip with the functions' program, built for x86_64."
  type        = string
}

variable "alarm_email" {
  description = "Address that alarms are sent to."
  type        = string
}

variable "domain" {
  description = "Name to serve under, such as scim.example.com."
  type        = string
}

variable "zone_id" {
  description = "Route 53 zone in which the name lies."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets with a way out to the internet."
  type        = list(string)
}

variable "security_group_ids" {
  description = "Security groups that let HTTPS out."
  type        = list(string)
}

module "scim_bridge" {
  source = "../.."

  name         = "scim-bridge-production"
  package      = var.package
  architecture = "x86_64"

  settings = {
    SCIM_BRIDGE_ALLOWED_DOMAINS    = "example.com"
    SCIM_BRIDGE_CONFIRMATION_DELAY = "600"
    SCIM_BRIDGE_GUARD_PEOPLE       = "25"
  }
  log_level = "debug"

  memory_size          = 512
  sweep_timeout        = 120
  reserved_concurrency = { scim = 20, sweep = 1 }
  throttle             = { rate = 50, burst = 200 }

  vpc = {
    subnet_ids         = var.subnet_ids
    security_group_ids = var.security_group_ids
  }

  custom_domain = {
    name    = var.domain
    zone_id = var.zone_id
  }

  customer_managed_key = true
  log_retention_days   = 365
  alarm_email          = var.alarm_email
}

output "tenant_url" {
  description = "What the identity provider asks for as Tenant URL."
  value       = module.scim_bridge.tenant_url
}

output "next_command" {
  description = "What to type next."
  value       = module.scim_bridge.next_command
}

output "console" {
  description = "Links into the AWS console."
  value       = module.scim_bridge.console
}
