# What is refused before anything is planned.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  ledger_password = "of-the-test"
  ledger_secret   = { arn = "arn:aws:secretsmanager:sa-east-1:123456789012:secret:s", version_id = "v1" }

  environment = "test"
  domain_name = "delays.example.org"
  zone_id     = "Z0123456789"
  image       = "registry.example.org/atraso@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  zones       = ["sa-east-1a", "sa-east-1b"]
}

run "an_image_by_tag" {
  command = plan
  variables {
    image = "registry.example.org/atraso:latest"
  }
  expect_failures = [var.image]
}

run "a_single_zone" {
  command = plan
  variables {
    zones = ["sa-east-1a"]
  }
  expect_failures = [var.zones]
}

run "a_single_task" {
  command = plan
  variables {
    min_tasks = 1
  }
  expect_failures = [var.min_tasks]
}

run "nobody_asked_who_calls" {
  command = plan
  variables {
    auth = "none"
  }
  expect_failures = [var.auth]
}

run "tokens_that_tasks_sign_each_with_a_key_of_their_own" {
  command = plan
  variables {
    auth = "keys,jwt"
  }
  expect_failures = [var.secrets]
}

run "a_secret_among_the_settings" {
  command = plan
  variables {
    settings = { ATRASO_LDAP_BIND_PASSWORD = "x" }
  }
  expect_failures = [var.settings]
}

run "no_backups" {
  command = plan
  variables {
    backup_days = 0
  }
  expect_failures = [var.backup_days]
}

run "a_name_too_long_for_a_balancer" {
  command = plan
  variables {
    environment = "the-second-staging-of-santiago"
  }
  expect_failures = [var.environment]
}
