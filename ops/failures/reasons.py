"""The reasons of failed deployments, and what to do about each.

Each entry names where its words come from: AWS's documentation where it quotes them, else a report that quotes them.
An entry says only what to do; the reason itself is printed before it, in AWS's words.
"""

import re
from dataclasses import dataclass

_SAM_CLI = "https://github.com/aws/aws-sam-cli"
_GUIDE = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide"
REPAIR = "docs/how-to/repair-a-deployment.md"
_NO_CHANGES = re.compile(r"No changes to deploy|No updates are to be performed|didn't contain changes")


@dataclass(frozen=True)
class ReasonEntry:
    """`pattern` occurs in the reason. `advice` may contain {stack}, {region} and the named groups of the pattern."""

    name: str
    pattern: re.Pattern[str]
    advice: str
    source: str


def _describe(name: str, pattern: str, advice: str, source: str) -> ReasonEntry:
    return ReasonEntry(name, re.compile(pattern, re.IGNORECASE | re.DOTALL), advice, source)


REASONS = (
    # The migration, in its own words (src/sluice/schema and src/sluice/handlers/migrate.py).
    _describe(
        "secret of the administrator",
        r"AWS answered ResourceNotFoundException to GetSecretValue|secret could not be read from AWS",
        "Correct DatabaseAdminSecretArn, which must name a secret of {region}, and deploy again.",
        "src/sluice/schema/ddl_executor.py",
    ),
    _describe(
        "form of a secret",
        r"secret is not a JSON object with username and password|'s secret needs a user name and a password",
        "Correct the secret, and deploy again.",
        "src/sluice/schema/ddl_executor.py",
    ),
    _describe(
        "credentials of the administrator",
        r"the database rejects the admin's credentials",
        "Correct the secret that DatabaseAdminSecretArn names, or grant the privilege, and deploy again.",
        "src/sluice/schema/ddl_executor.py",
    ),
    _describe(
        "database unavailable",
        r"Deploy again when the database is available",
        "If it is available, correct PrimaryEndpoint, PrimaryPort or the security groups.",
        "src/sluice/handlers/migrate.py",
    ),
    _describe(
        "migration refused",
        r"^Nothing was changed\.|Message returned: Nothing was changed\.",
        "Then deploy again.",
        "src/sluice/schema/rules.py",
    ),
    _describe(
        "migration silent",
        r"did not receive a response from your Custom Resource|timed out after \d+s waiting for ResponseURL",
        "Read the log of MigrateFunction, which did not answer, and deploy again: the migration continues.",
        f"{_GUIDE}/template-custom-resources-lambda.html",
    ),
    # The machine and the credentials.
    _describe(
        "credentials",
        r"ExpiredToken|security token included in the request is (expired|invalid)|InvalidClientTokenId"
        r"|Unable to locate credentials|Unable to resolve credentials|token has expired"
        r"|SSO session .* (expired|invalid)"
        r"|UnrecognizedClientException|SignatureDoesNotMatch",
        "Sign in to AWS again, or give another --profile, and deploy again.",
        "https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html",
    ),
    _describe(
        "network",
        r"Could not connect to the endpoint URL|Connect timeout on endpoint URL|Read timeout on endpoint URL"
        r"|Failed to resolve|Name or service not known",
        "Check the network, a proxy and --region, and deploy again.",
        "https://github.com/boto/botocore/blob/develop/botocore/exceptions.py",
    ),
    _describe(
        "no template",
        r"Template file not found|template\.yaml\W+(does not exist|not found)|Template .* does not exist",
        "Run the command in the checkout of Sluice, and `sam build` first.",
        f"{_SAM_CLI}/blob/develop/samcli/commands/_utils/options.py",
    ),
    _describe(
        "missing file",
        r"api\.json.*(does not exist|refers to a file|not a valid|no such file)|refers to a file or folder.*api\.json",
        "`sam build` writes api.json from the resource classes; run it again, and deploy again.",
        f"{_SAM_CLI}/blob/develop/samcli/commands/package/exceptions.py (InvalidLocalPathError)",
    ),
    # The build.
    _describe(
        "package",
        r"Could not satisfy the requirement",
        "Check the network and the package index of pip, or correct the requirements in src/ and layers/, and build "
        "again.",
        "https://github.com/aws/aws-lambda-builders/blob/develop/aws_lambda_builders/workflows/python_pip/packager.py",
    ),
    _describe(
        "python",
        r"Binary validation failed for python.*for runtime: (?P<runtime>python[\d.]+\d)",
        "Install {runtime}, or set the parameter Runtime to a version that is installed; `sluice preflight` checks it.",
        "https://github.com/aws/aws-lambda-builders/blob/develop/aws_lambda_builders/validator.py",
    ),
    # The bucket of the SAM CLI.
    _describe(
        "bucket of the SAM CLI",
        r"S3 Bucket does not exist|NoSuchBucket|The specified bucket does not exist"
        r"|Stack aws-sam-cli-managed-default is missing Tags",
        "The bucket of the SAM CLI is gone; delete its stack "
        "(`aws cloudformation delete-stack --stack-name aws-sam-cli-managed-default --region {region}`), and deploy "
        "again: it makes a new bucket.",
        f"{_SAM_CLI}/issues/2045",
    ),
    _describe(
        "bucket in another Region",
        r"deployment s3 bucket is in a different region",
        "Leave --s3-bucket out and set resolve_s3 = true in samconfig.toml.",
        f"{_SAM_CLI}/blob/develop/samcli/commands/deploy/exceptions.py (DeployBucketInDifferentRegionError)",
    ),
    # What CloudFormation refuses before it changes anything.
    _describe(
        "capabilities",
        r"Requires capabilities\s*:\s*\[(?P<capabilities>[^]]+)\]",
        "Add {capabilities} to `capabilities` in samconfig.toml, or give `--capabilities {capabilities}`.",
        f"{_SAM_CLI}/issues/943, and API_CreateChangeSet (InsufficientCapabilitiesException)",
    ),
    _describe(
        "creation rolled back",
        r"is in (ROLLBACK_COMPLETE|ROLLBACK_FAILED) state and can ?not be updated",
        "Its first deployment failed, so delete it (`aws cloudformation delete-stack --stack-name {stack} --region "
        f"{{region}}`), and deploy again; {REPAIR} says what remains.",
        f"{_SAM_CLI}/issues/4230",
    ),
    _describe(
        "rollback failed",
        r"is in UPDATE_ROLLBACK_FAILED state and can ?not be updated",
        "Finish its rollback first: `aws cloudformation continue-update-rollback --stack-name {stack} --region "
        f"{{region}}` ({REPAIR}).",
        f"{_GUIDE}/using-cfn-updating-stacks-continueupdaterollback.html",
    ),
    _describe(
        "operation in progress",
        r"is in \w*_IN_PROGRESS state and can ?not be updated|OperationInProgress|another operation .* in progress",
        "Another deployment of it runs; wait until it ends (`aws cloudformation describe-stacks --stack-name {stack} "
        "--region {region}`), and deploy again.",
        f"{_GUIDE}/troubleshooting.html",
    ),
    _describe(
        "deletion failed",
        r"is in (DELETE_FAILED|DELETE_IN_PROGRESS) state and can ?not be updated",
        f"Delete it completely first ({{stack}}; {REPAIR}), and deploy again.",
        f"{_GUIDE}/troubleshooting.html",
    ),
    _describe(
        "rule",
        r"Template error: rule \w+ failed|Rule .*assert",
        "Correct the parameter in samconfig.toml, and deploy again.",
        f"{_GUIDE}/rules-section-structure.html",
    ),
    _describe(
        "unknown parameter",
        r"Parameters: \[(?P<names>[^]]+)\] do not exist in the template",
        "Remove {names} from samconfig.toml; docs/reference/parameters.md lists the parameters.",
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html (ValidationError)",
    ),
    _describe(
        "missing parameter",
        r"Parameters: \[(?P<names>[^]]+)\] must have values",
        "Give {names} in samconfig.toml; docs/reference/parameters.md describes the parameters.",
        f"{_GUIDE}/parameters-section-structure.html",
    ),
    _describe(
        "parameter value",
        r"Parameter '?(?P<name>\w+)'? (must|has to|failed to satisfy constraint)|Parameter '(?P<described>\w+)' ",
        "Correct it in samconfig.toml, and deploy again; docs/reference/parameters.md describes it.",
        f"{_GUIDE}/parameters-section-structure.html",
    ),
    _describe(
        "no changes",
        _NO_CHANGES.pattern,
        "Nothing is to do; fail_on_empty_changeset = false in samconfig.toml makes it no error.",
        f"{_SAM_CLI}/blob/develop/samcli/commands/deploy/exceptions.py (ChangeEmptyError)",
    ),
    _describe(
        "template too large",
        r"Number of resources, \d+, is greater than maximum allowed|Template may not exceed \d+ bytes"
        r"|templateBody' failed to satisfy constraint|size greater than 51,200 bytes",
        "Resources with indexed fields make the template grow; drop an index or a resource "
        "(docs/how-to/adopt-a-resource.md names the limit), and set resolve_s3 = true in samconfig.toml.",
        f"{_GUIDE}/cloudformation-limits.html",
    ),
    _describe(
        "loops",
        # An older SAM CLI, or one without the setting, takes a loop for a resource.
        r"Fn::ForEach|AWS::LanguageExtensions|'list' object has no attribute 'get'",
        "Set language_extensions = true for this environment in samconfig.toml, build, and deploy again.",
        "docs/adr/0100-repeat-template-resources-with-foreach.md",
    ),
    # Names and quotas.
    _describe(
        "api log role",
        r"CloudWatch Logs role ARN must be set in account settings",
        "Deploy with ApiLogRole=create, which makes the role that API Gateway logs with.",
        "https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html",
    ),
    _describe(
        "domain taken",
        r"Domain already associated|domain prefix .* already|Domain already exists",
        "Another user pool has the name; deploy with another DomainPrefix or stack name.",
        "https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain-prefix.html",
    ),
    _describe(
        "host name taken",
        r"CNAMEAlreadyExists|CNAMEs you provided are already associated",
        "Remove the host name from the distribution that has it, or deploy with another CustomDomain.",
        "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/CNAMEs.html",
    ),
    _describe(
        "certificate",
        r"SSL certificate doesn't exist, isn't in us-east-1|InvalidViewerCertificate",
        "Name a certificate of us-east-1 for CustomDomain in CertificateArn, and deploy again.",
        "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cnames-and-https-requirements.html",
    ),
    _describe(
        "name taken",
        r"already exists|AlreadyExists|BucketAlreadyOwnedByYou|already in use",
        "Something outside of the stack has this name: delete it, or deploy under another stack name.",
        "https://github.com/serverless/serverless/issues/10002, and "
        "https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html",
    ),
    _describe(
        "concurrency",
        r"decreases account's UnreservedConcurrentExecution below its minimum",
        "Deploy with smaller values of WriteConcurrency, ReadConcurrency and LoadConcurrency, or request more "
        "concurrent executions of Lambda in Service Quotas; `sluice preflight` computes what fits.",
        "https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html",
    ),
    _describe(
        "code too large",
        r"Unzipped size must be smaller than|combined with layers exceeds the maximum allowed size",
        "Take packages or large files out of src/, and build again.",
        "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html",
    ),
    _describe(
        "quota",
        r"LimitExceeded|QuotaExceeded|ServiceLimitExceeded|maximum number of|has been reached|TooMany(?!Requests)\w+"
        r"|exceed(s|ed)? (the |your )?(quota|limit)",
        "Request a higher quota in Service Quotas ({region}), or delete what nobody uses, and deploy again.",
        "https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html",
    ),
    _describe(
        "throttled",
        r"Rate exceeded|HandlerErrorCode: Throttling|ThrottlingException|TooManyRequestsException",
        "AWS was called too often; deploy again in a few minutes.",
        "https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html",
    ),
    _describe(
        "capacity",
        r"InsufficientDBInstanceCapacity|Insufficient\w*Capacity",
        "AWS has none of this class at the moment; deploy with another DatabaseInstanceClass, or later.",
        "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html",
    ),
    _describe(
        "database class",
        r"does not support creating a DB instance with the following combination|Cannot find version .* for mariadb"
        r"|InvalidParameterCombination.*DB",
        "Choose another DatabaseInstanceClass or DatabaseVersion; `sluice preflight` asks RDS which it offers.",
        "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.Support.html",
    ),
    _describe(
        "replica before primary",
        r"DBUpgradeDependencyFailure",
        "Upgrade the replica first: deploy with ReplicaVersion, then with DatabaseVersion (docs/how-to/deploy.md).",
        "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html",
    ),
    # What parameters name.
    _describe(
        "secret",
        r"Secrets Manager can't find the specified secret|secretsmanager:\S+ could not be resolved",
        "Correct the ARN in DatabaseAdminSecretArn or CacheSecretArn; it must name a secret of {region}.",
        "https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1187",
    ),
    _describe(
        "network of the database",
        r"(subnet ID|security group) '[^']+' does not exist|InvalidSubnetID|InvalidGroup\.NotFound",
        "Correct SubnetIds and SecurityGroupIds, which must exist in {region} and belong to one VPC.",
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html",
    ),
    # What a rollback or a deletion cannot delete.
    _describe(
        "protected",
        r"Cannot delete protected DB Instance|deletion protection is activated",
        f"Turn its protection off and delete the stack again; {REPAIR} has the commands.",
        "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_DeleteInstance.html",
    ),
    _describe(
        "bucket not empty",
        r"bucket you tried to delete is not empty|BucketNotEmpty|denies s3:DeleteBucket",
        f"Empty the bucket and delete the stack again; {REPAIR} has the commands.",
        "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
    ),
    _describe(
        "permission",
        r"is not authorized to perform|AccessDenied(Exception)?\b|UnauthorizedOperation",
        "Give the permission to whoever deploys, or deploy with another --profile.",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html",
    ),
)


def is_without_changes(reason: str) -> bool:
    """Whether a change set has the status FAILED only because it would change nothing."""
    return _NO_CHANGES.search(reason) is not None


def find_reason(reason: str) -> ReasonEntry | None:
    """The first entry that occurs in the text; None for any other reason."""
    return next((entry for entry in REASONS if entry.pattern.search(reason)), None)


def format_advice(entry: ReasonEntry, reason: str, *, stack: str, region: str) -> str:
    """What to do, with the names of this deployment."""
    match = entry.pattern.search(reason)
    names = {name: value for name, value in (match.groupdict() if match else {}).items() if value}
    return entry.advice.format(stack=stack, region=region, **names)


_WRAPPINGS = (
    # The handlers of resource types.
    re.compile(r'^Resource handler returned message: "(?P<inner>.*)" \(RequestToken: .*\)$', re.DOTALL),
    # Custom resources.
    re.compile(
        r"^Received response status \[FAILED\] from custom resource\. Message returned: "
        r"(?P<inner>.*?)(?: \(RequestId: [\w-]+\))?$",
        re.DOTALL,
    ),
    # botocore.
    re.compile(r"^An error occurred \(\w+\) when calling the \w+ operation(?: \([^)]*\))?: (?P<inner>.*)$", re.DOTALL),
    # The SDKs' footers.
    re.compile(r"^(?P<inner>.*?) ?\(Service: .*\)$", re.DOTALL),
    re.compile(r"^(?P<inner>.*) \(SDK Attempt Count: \d+\)$", re.DOTALL),
    re.compile(r"^Template (?:format )?error: (?:rule \w+ failed: )?(?P<inner>.*)$", re.DOTALL),
)


def unwrap_reason(reason: str) -> str:
    """The sentence of the service that failed, without what CloudFormation and the SDKs put around it."""
    text = " ".join(reason.split())
    for wrapping in _WRAPPINGS:
        if match := wrapping.match(text):
            text = match["inner"].strip()
    return text.strip().rstrip(".")
