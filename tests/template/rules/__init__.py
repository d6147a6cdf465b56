"""The architecture as rules of cfn-lint, for the translated template."""
