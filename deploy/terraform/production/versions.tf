terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }

  # Bucket and region are of your account: terraform init -backend-config=bucket=NAME -backend-config=region=REGION
  backend "s3" {
    key          = "atraso/production.tfstate"
    encrypt      = true
    use_lockfile = true # one apply at a time: a lock beside the state, in the same bucket
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { Project = "atraso", Environment = "production" }
  }
}
