terraform {
  required_version = ">= 1.11" # write-only arguments keep the database's password out of state and plan

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}
