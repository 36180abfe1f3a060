terraform {
  # 1.9: a variable's validation may look at other variables.
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # What the tests run with. Version 6 has not been tried.
      version = ">= 5.100.0, < 6.0.0"
    }
  }
}
