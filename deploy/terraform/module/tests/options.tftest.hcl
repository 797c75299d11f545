# What an installation has that asks for more: an artefact from the bucket, a directory, a pipeline.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  ledger_password = "of-the-test"
  ledger_secret   = { arn = "arn:aws:secretsmanager:sa-east-1:123456789012:secret:s", version_id = "v1" }

  environment = "test"
  domain_name = "delays.example.org"
  zone_id     = "Z0123456789"
  image       = "123456789012.dkr.ecr.sa-east-1.amazonaws.com/atraso-test@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  zones       = ["sa-east-1a", "sa-east-1b"]
  model       = { version = "2018.1+0a1b2c", fetch_image = "registry.example.org/aws@sha256:00" }
  egress      = { directory = { cidr = "192.0.2.0/24", port = 636 } }
  pipeline    = { owner = "example", repository = "atraso", state_bucket = "states" }
  auth        = "keys,jwt,ldap"
  secrets     = { ATRASO_SIGNING_KEY = "arn:aws:secretsmanager:sa-east-1:123456789012:secret:key" }
}

run "options" {
  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[1].dependsOn[0] == { containerName = "fetch", condition = "SUCCESS" }
    error_message = "The service starts when its artefact is there, and not otherwise."
  }

  assert {
    condition     = contains(jsondecode(aws_ecs_task_definition.this.container_definitions)[1].environment, { name = "ATRASO_MODEL", value = "/models/2018.1+0a1b2c" })
    error_message = "The service is told which artefact."
  }

  assert {
    condition     = one([for m in jsondecode(aws_ecs_task_definition.this.container_definitions)[1].mountPoints : m.readOnly if m.sourceVolume == "models"])
    error_message = "The service cannot change the artefact that it serves."
  }

  assert {
    condition     = join(" ", sort([for s in jsondecode(aws_ecs_task_definition.this.container_definitions)[1].secrets : s.name])) == "ATRASO_SIGNING_KEY PGPASSWORD"
    error_message = "Secret settings come from Secrets Manager."
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && aws_vpc_security_group_egress_rule.tasks_beyond["directory"].to_port == 636 && join(" ", keys(aws_route.nat)) == "192.0.2.0/24"
    error_message = "Tasks reach the directory and nothing else."
  }

  assert {
    condition     = join(" ", sort(keys(aws_iam_role.pipeline))) == "apply plan publish" && length(aws_iam_openid_connect_provider.github) == 1
    error_message = "Each kind of run has a role of its own."
  }

  assert {
    condition     = join(" ", concat(keys(aws_iam_role_policy.apply), ["|"], sort(keys(aws_iam_role_policy.read)), ["|"], keys(aws_iam_role_policy.publish))) == "apply | apply plan | publish"
    error_message = "Who plans changes nothing, and who publishes reads nothing."
  }

  assert {
    condition = {
      for run, doc in data.aws_iam_policy_document.by_run : run => one(flatten([for c in doc.statement[0].condition : c.values if c.variable == "token.actions.githubusercontent.com:sub"]))
      } == {
      plan = "repo:example/atraso:pull_request", publish = "repo:example/atraso:ref:refs/tags/v*", apply = "repo:example/atraso:environment:test"
    }
    error_message = "Only this repository's pull requests, tags and approved environment get a role."
  }

  assert {
    condition     = alltrue([for doc in data.aws_iam_policy_document.by_run : contains(flatten([for c in doc.statement[0].condition : c.values if c.variable == "token.actions.githubusercontent.com:aud"]), "sts.amazonaws.com")])
    error_message = "GitHub's word counts only where it was given for AWS."
  }

  assert {
    condition     = one(one([for s in data.aws_iam_policy_document.apply.statement : s if s.sid == "RolesWithinTheBoundary"]).condition).values == tolist([aws_iam_policy.boundary.arn])
    error_message = "The pipeline makes roles within the boundary only."
  }

  assert {
    condition     = one([for s in data.aws_iam_policy_document.apply.statement : s.effect if s.sid == "NotThePipelinesOwn"]) == "Deny"
    error_message = "The pipeline cannot give its own roles more."
  }

  assert {
    condition     = one(one([for s in data.aws_iam_policy_document.apply.statement : s if s.sid == "HandRolesToServices"]).condition).variable == "iam:PassedToService"
    error_message = "The pipeline hands roles to the services that need them, and to no others."
  }

  assert {
    condition     = length([for s in data.aws_iam_policy_document.apply.statement : s.sid if contains(s.resources, "*")]) == 0
    error_message = "What an apply may change has names."
  }
}
