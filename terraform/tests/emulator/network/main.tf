# A network to run functions in: the one that every account begins with.

data "aws_vpc" "this" {
  default = true
}

data "aws_subnets" "this" {
  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.this.id]
  }
}

data "aws_security_groups" "this" {
  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.this.id]
  }
}

output "vpc" {
  description = "For the module's variable of this name."
  value = {
    subnet_ids         = data.aws_subnets.this.ids
    security_group_ids = data.aws_security_groups.this.ids
  }
}
