# The least: a package, and somebody to tell when something is wrong.

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
}

variable "package" {
  description = "Path of the zip with the functions' program, built for arm64."
  type        = string
}

variable "alarm_email" {
  description = "Address that alarms are sent to."
  type        = string
}

module "scim_bridge" {
  source = "../.."

  package     = var.package
  alarm_email = var.alarm_email
}

output "tenant_url" {
  description = "What the identity provider asks for as Tenant URL."
  value       = module.scim_bridge.tenant_url
}

output "next_command" {
  description = "What to type next."
  value       = module.scim_bridge.next_command
}
