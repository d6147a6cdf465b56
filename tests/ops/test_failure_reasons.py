"""Failed deployments whose messages the emulator cannot produce: recorded ones, each with its source."""

from dataclasses import dataclass

import pytest

from ops.failures.events import FailedResource, read_last_operation
from ops.failures.explanation import FailedStack, explain_build, explain_deploy, explain_last_failure
from ops.failures.reasons import REASONS, ReasonEntry, find_reason
from tests.ops.stub_cloudformation import STACK_ID, Event, StubCloudFormation

STACK = "AWS::CloudFormation::Stack"
EXECUTION_FAILED = (
    "Error: Failed to create/update the stack: orders, Waiter StackCreateComplete failed: Waiter encountered a "
    'terminal failure state: For expression "Stacks[].StackStatus" we matched expected path: "ROLLBACK_COMPLETE" at '
    "least once\n"
)
REFUSED = "Error: Failed to create changeset for the stack: orders, "
FAILED_CHANGE_SET = (
    f"{REFUSED}ex: Waiter ChangeSetCreateComplete failed: Waiter encountered a terminal failure state: For expression "
    '"Status" we matched expected path: "FAILED" Status: FAILED. Reason: '
)
HANDLER = (
    'Resource handler returned message: "{} (Service: {}, Status Code: 400, Request ID: 1f2e) (SDK Attempt Count: 1)" '
    "(RequestToken: 9c, HandlerErrorCode: {})"
)


@dataclass(frozen=True)
class Recorded:
    """A message, where it is documented or reported, and the line that the command ends with."""

    message: str
    source: str
    line: str


# What the SAM CLI prints, after what it did.
OUTPUTS = {
    "a stack whose creation was rolled back": Recorded(
        f"{REFUSED}An error occurred (ValidationError) when calling the CreateChangeSet operation: Stack:{STACK_ID} is "
        "in ROLLBACK_COMPLETE state and can not be updated.",
        "https://github.com/aws/aws-sam-cli/issues/4230",
        f"orders was not deployed: Stack:{STACK_ID} is in ROLLBACK_COMPLETE state and can not be updated. Its first "
        "deployment failed, so delete it (`aws cloudformation delete-stack --stack-name orders --region eu-west-1`), "
        "and deploy again; docs/how-to/repair-a-deployment.md says what remains.",
    ),
    "a stack whose rollback failed": Recorded(
        f"{REFUSED}An error occurred (ValidationError) when calling the CreateChangeSet operation: Stack:{STACK_ID} is "
        "in UPDATE_ROLLBACK_FAILED state and can not be updated.",
        "https://github.com/aws/aws-sam-cli/issues/4230 (the same message)",
        f"orders was not deployed: Stack:{STACK_ID} is in UPDATE_ROLLBACK_FAILED state and can not be updated. Finish "
        "its rollback first: `aws cloudformation continue-update-rollback --stack-name orders --region eu-west-1` "
        "(docs/how-to/repair-a-deployment.md).",
    ),
    "another operation": Recorded(
        f"{REFUSED}An error occurred (ValidationError) when calling the CreateChangeSet operation: Stack:{STACK_ID} is "
        "in UPDATE_IN_PROGRESS state and can not be updated.",
        "https://github.com/aws/aws-sam-cli/issues/4230 (the same message)",
        f"orders was not deployed: Stack:{STACK_ID} is in UPDATE_IN_PROGRESS state and can not be updated. Another "
        "deployment of it runs; wait until it ends (`aws cloudformation describe-stacks --stack-name orders --region "
        "eu-west-1`), and deploy again.",
    ),
    "expired credentials": Recorded(
        f"{REFUSED}An error occurred (ExpiredToken) when calling the CreateChangeSet operation: The security token "
        "included in the request is expired",
        "https://github.com/aws-samples/aws-iot-twinmaker-samples/issues/147",
        "orders was not deployed: The security token included in the request is expired. Sign in to AWS again, or give "
        "another --profile, and deploy again.",
    ),
    "a missing permission": Recorded(
        f"{REFUSED}An error occurred (AccessDenied) when calling the CreateChangeSet operation: User: "
        "arn:aws:iam::123456789012:user/ada is not authorized to perform: cloudformation:CreateChangeSet on resource: "
        f"{STACK_ID}",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html",
        "orders was not deployed: User: arn:aws:iam::123456789012:user/ada is not authorized to perform: "
        f"cloudformation:CreateChangeSet on resource: {STACK_ID}. Give the permission to whoever deploys, or deploy "
        "with another --profile.",
    ),
    "capabilities": Recorded(
        f"{FAILED_CHANGE_SET}Requires capabilities : [CAPABILITY_NAMED_IAM]",
        "https://github.com/aws-samples/serverless-patterns/pull/644",
        "orders was not deployed: Requires capabilities : [CAPABILITY_NAMED_IAM]. Add CAPABILITY_NAMED_IAM to "
        "`capabilities` in samconfig.toml, or give `--capabilities CAPABILITY_NAMED_IAM`.",
    ),
    "the bucket of the SAM CLI": Recorded(
        "Error: Unable to upload artifact src/ referenced by CodeUri parameter of PostFunction resource.\n\n"
        "S3 Bucket does not exist.\n",
        "https://github.com/aws/aws-sam-cli/issues/2974",
        "orders was not deployed: Unable to upload artifact src/ referenced by CodeUri parameter of PostFunction "
        "resource. S3 Bucket does not exist. The bucket of the SAM CLI is gone; delete its stack (`aws cloudformation "
        "delete-stack --stack-name aws-sam-cli-managed-default --region eu-west-1`), and deploy again: it makes a new "
        "bucket.",
    ),
    "no changes": Recorded(
        "Error: No changes to deploy. Stack orders is up to date\n",
        "samcli/commands/deploy/exceptions.py (ChangeEmptyError)",
        "orders was not deployed: No changes to deploy. Stack orders is up to date. Nothing is to do; "
        "fail_on_empty_changeset = false in samconfig.toml makes it no error.",
    ),
    "a size": Recorded(
        "Error: Templates with a size greater than 51,200 bytes must be deployed via an S3 Bucket. Please add the "
        "--s3-bucket parameter to your command.",
        "samcli/commands/deploy/exceptions.py (DeployBucketRequiredError)",
        "orders was not deployed: Templates with a size greater than 51,200 bytes must be deployed via an S3 Bucket. "
        "Please add the --s3-bucket parameter to your command. Resources with indexed fields make the template grow; "
        "drop an index or a resource (docs/how-to/adopt-a-resource.md names the limit), and set resolve_s3 = true in "
        "samconfig.toml.",
    ),
    "a failure with no entry": Recorded(
        f"{REFUSED}An error occurred (ValidationError) when calling the CreateChangeSet operation: Something new.",
        "none",
        "orders was not deployed: Something new. Correct it, and deploy again.",
    ),
    "no reason": Recorded(
        "Segmentation fault", "none", "orders was not deployed, and there is no reason; read the log, and try again."
    ),
}

# The reasons of resources.
REASONS_OF_RESOURCES = {
    "concurrency": Recorded(
        HANDLER.format(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
            "below its minimum value of [50].",
            "Lambda",
            "InvalidRequest",
        ),
        "https://github.com/aws-samples/siem-on-amazon-opensearch-service/issues/175",
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
        "its minimum value of [50]. Deploy with smaller values of WriteConcurrency, ReadConcurrency and "
        "LoadConcurrency, or request more concurrent executions of Lambda in Service Quotas; `sluice preflight` "
        "computes what fits.",
    ),
    "a quota": Recorded(
        HANDLER.format("The maximum number of VPCs has been reached.", "Ec2", "GeneralServiceException"),
        "https://github.com/awslabs/landing-zone-accelerator-on-aws/issues/241",
        "The maximum number of VPCs has been reached. Request a higher quota in Service Quotas (eu-west-1), or delete "
        "what nobody uses, and deploy again.",
    ),
    "the log role of API Gateway": Recorded(
        HANDLER.format(
            "CloudWatch Logs role ARN must be set in account settings to enable logging", "ApiGateway", "InvalidRequest"
        ),
        "https://github.com/aws-samples/amazon-bedrock-knowledgebase-slackbot/issues/6",
        "CloudWatch Logs role ARN must be set in account settings to enable logging. Deploy with ApiLogRole=create, "
        "which makes the role that API Gateway logs with.",
    ),
    "a name": Recorded(
        "Resource handler returned message: \"Resource of type 'AWS::Logs::LogGroup' with identifier "
        '\'{"/properties/LogGroupName":"/orders"}\' already exists." (RequestToken: 25, '
        "HandlerErrorCode: AlreadyExists)",
        "https://github.com/serverless/serverless/issues/3168",
        "Resource of type 'AWS::Logs::LogGroup' with identifier '{\"/properties/LogGroupName\":\"/orders\"}' already "
        "exists. Something outside of the stack has this name: delete it, or deploy under another stack name.",
    ),
    "a secret": Recorded(
        "Secrets Manager can't find the specified secret. (Service: AWSSecretsManager; Status Code: 400; Error Code: "
        "ResourceNotFoundException; Request ID: 1f2e; Proxy: null)",
        "https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1187",
        "Secrets Manager can't find the specified secret. Correct the ARN in DatabaseAdminSecretArn or CacheSecretArn; "
        "it must name a secret of eu-west-1.",
    ),
    "a silent function": Recorded(
        "CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId "
        "[6da1]. If you are using the Python cfn-response module, you may need to update your Lambda function code so "
        "that CloudFormation can attach the updated version.",
        "https://github.com/DataDog/datadog-aws-controltower/issues/9",
        "CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId "
        "[6da1]. If you are using the Python cfn-response module, you may need to update your Lambda function code so "
        "that CloudFormation can attach the updated version. Read the log of MigrateFunction, which did not answer, "
        "and deploy again: the migration continues.",
    ),
    "a reason with no entry": Recorded(
        HANDLER.format("Invalid something", "Sns", "InvalidRequest"),
        "none",
        "Invalid something. `./sluice explain --events --stack-name orders --region eu-west-1` shows what happened "
        "before; correct the cause, and deploy again.",
    ),
}


def stack_of(cloudformation: StubCloudFormation) -> FailedStack:
    return FailedStack(cloudformation, "orders", "eu-west-1")


def create(*events: Event, end: str = "ROLLBACK_COMPLETE") -> StubCloudFormation:
    """A creation in which these events happened, then the rollback."""
    return StubCloudFormation(
        ("orders", STACK, "REVIEW_IN_PROGRESS", "User Initiated"),
        ("orders", STACK, "CREATE_IN_PROGRESS", "User Initiated"),
        *events,
        ("orders", STACK, "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Topic]."),
        ("Topic", "AWS::SNS::Topic", "DELETE_COMPLETE", ""),
        ("orders", STACK, end, ""),
    )


@pytest.mark.parametrize("recorded", OUTPUTS.values(), ids=OUTPUTS)
def test_a_deployment_that_does_not_begin_ends_with_one_line(recorded: Recorded) -> None:
    output = f"\tDeploying with following values\n\x1b[33mInitiating deployment\x1b[0m\n{recorded.message}"
    assert explain_deploy(stack_of(StubCloudFormation()), output) == recorded.line


@pytest.mark.parametrize("recorded", REASONS_OF_RESOURCES.values(), ids=REASONS_OF_RESOURCES)
def test_a_resource_that_fails_ends_with_its_reason_and_what_to_do(recorded: Recorded) -> None:
    cloudformation = create(
        ("Topic", "AWS::SNS::Topic", "CREATE_IN_PROGRESS", ""),
        ("Topic", "AWS::SNS::Topic", "CREATE_FAILED", recorded.message),
        ("Queue", "AWS::SQS::Queue", "CREATE_FAILED", "Resource creation cancelled"),
        ("orders", STACK, "CREATE_FAILED", "The following resource(s) failed to create: [Topic, Queue]."),
    )
    assert explain_deploy(stack_of(cloudformation), EXECUTION_FAILED) == (
        f"Topic (AWS::SNS::Topic) could not be created: {recorded.line} Before that, delete the stack: "
        "`aws cloudformation delete-stack --stack-name orders --region eu-west-1`."
    )


def test_the_first_failure_counts_also_when_it_comes_after_cancelled_ones() -> None:
    cloudformation = create(
        ("Queue", "AWS::SQS::Queue", "CREATE_FAILED", "Resource creation cancelled"),
        ("Topic", "AWS::SNS::Topic", "CREATE_FAILED", "first"),
        ("Group", "AWS::Logs::LogGroup", "CREATE_FAILED", "second"),
    )
    operation = read_last_operation(cloudformation, "orders")
    assert operation
    assert operation.cause == FailedResource("Topic", "AWS::SNS::Topic", "created", "first")
    assert operation.status == "ROLLBACK_COMPLETE"


def test_an_earlier_operation_does_not_count() -> None:
    cloudformation = create(("Topic", "AWS::SNS::Topic", "CREATE_FAILED", "first"))
    cloudformation.events[STACK_ID] += [
        ("orders", STACK, "UPDATE_IN_PROGRESS", "User Initiated"),
        ("orders", STACK, "UPDATE_COMPLETE", ""),
    ]
    operation = read_last_operation(cloudformation, "orders")
    assert explain_last_failure(stack_of(cloudformation), operation) is None


def test_a_failure_in_a_nested_stack_is_that_of_its_resource() -> None:
    nested = "arn:aws:cloudformation:eu-west-1:123456789012:stack/orders-Inner/7"
    cloudformation = create(
        ("Inner", STACK, "CREATE_FAILED", f"Embedded stack {nested} was not successfully created: Topic"),
    )
    cloudformation.nested_ids["Inner"] = nested
    cloudformation.events[nested] = [
        ("Topic", "AWS::SNS::Topic", "CREATE_FAILED", "Rate exceeded"),
        ("Topic", "AWS::SNS::Topic", "DELETE_COMPLETE", ""),
    ]
    line = explain_deploy(stack_of(cloudformation), EXECUTION_FAILED)
    assert line.startswith("Topic (AWS::SNS::Topic) could not be created: Rate exceeded. AWS was called too often;")
    del cloudformation.events[nested]
    assert explain_deploy(stack_of(cloudformation), EXECUTION_FAILED).startswith("Inner (AWS::CloudFormation::Stack)")


def test_a_rollback_that_fails_is_told_after_the_cause() -> None:
    refusal = (
        "Received response status [FAILED] from custom resource. Message returned: Nothing was changed. orders.size is "
        "narrowed: keep INT. (RequestId: 17-2)"
    )
    cloudformation = StubCloudFormation(
        ("orders", STACK, "UPDATE_IN_PROGRESS", "User Initiated"),
        ("Migration", "Custom::Migration", "UPDATE_FAILED", refusal),
        ("orders", STACK, "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update: [Migration]."),
        ("Primary", "AWS::RDS::DBInstance", "UPDATE_FAILED", "Cannot downgrade (HandlerErrorCode: InvalidRequest)"),
        ("orders", STACK, "UPDATE_ROLLBACK_FAILED", ""),
    )
    assert explain_deploy(stack_of(cloudformation), EXECUTION_FAILED) == (
        "The migration failed: Nothing was changed. orders.size is narrowed: keep INT. Then deploy again. The rollback "
        "failed too: Primary (AWS::RDS::DBInstance) could not be updated: Cannot downgrade (HandlerErrorCode: "
        "InvalidRequest). Before that, finish the rollback: `aws cloudformation continue-update-rollback --stack-name "
        "orders --region eu-west-1` (docs/how-to/repair-a-deployment.md)."
    )


def test_an_early_validation_is_told_with_the_details_that_only_describe_events_has() -> None:
    # https://github.com/aws/aws-sam-cli/issues/9154
    reason = (
        "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. To troubleshoot "
        "Early Validation errors, use the DescribeEvents API for detailed failure information."
    )
    cloudformation = StubCloudFormation(change_sets=(("CREATE_COMPLETE", ""), ("FAILED", reason)))
    cloudformation.validations = [
        {
            "LogicalResourceId": "BatchBucket",
            "ResourceType": "AWS::S3::Bucket",
            "ValidationStatus": "FAILED",
            "ValidationStatusReason": "Resource of type 'AWS::S3::Bucket' with identifier 'orders-1' already exists.",
            "ValidationPath": "/Resources/BatchBucket",
        }
    ]
    line = (
        "BatchBucket (AWS::S3::Bucket) could not be deployed: Resource of type 'AWS::S3::Bucket' with identifier "
        "'orders-1' already exists (at /Resources/BatchBucket). Something outside of the stack has this name: delete "
        "it, or deploy under another stack name."
    )
    assert explain_deploy(stack_of(cloudformation), FAILED_CHANGE_SET + reason) == line
    assert explain_last_failure(stack_of(cloudformation), None) == line
    # Without the permission, AWS's own sentence remains.
    cloudformation.validations = []
    assert explain_deploy(stack_of(cloudformation), FAILED_CHANGE_SET + reason).startswith(
        "orders was not deployed: The following hook(s)/validation failed:"
    )


def test_a_change_set_without_changes_is_no_failure() -> None:
    reason = "The submitted information didn't contain changes. Submit different information to create a change set."
    cloudformation = StubCloudFormation(change_sets=(("FAILED", reason),))
    assert explain_last_failure(stack_of(cloudformation), None) is None


BUILDERS = "https://github.com/aws/aws-lambda-builders/blob/develop/aws_lambda_builders"
BUILDS = {
    "a package": Recorded(
        "Error: PythonPipBuilder:ResolveDependencies - Could not satisfy the requirement: msgspec==0.19\n",
        f"{BUILDERS}/workflows/python_pip/packager.py, without a network",
        "Could not satisfy the requirement: msgspec==0.19. Check the network and the package index of pip, or correct "
        "the requirements in src/ and layers/, and build again.",
    ),
    "a version of Python": Recorded(
        "Error: PythonPipBuilder:Validation - Binary validation failed for python, searched for python in following "
        "locations  : ['/usr/bin/python3', '/bin/python3'] which did not satisfy constraints for runtime: python3.12. "
        "Do you have python for runtime: python3.12 on your PATH?\n",
        f"{BUILDERS}/validator.py",
        "Binary validation failed for python which did not satisfy constraints for runtime: python3.12. Do you have "
        "python for runtime: python3.12 on your PATH? Install python3.12, or set the parameter Runtime to a version "
        "that is installed; `sluice preflight` checks it.",
    ),
    "a resource class": Recorded(
        "Error: CustomMakeBuilder:MakeBuild - Make Failed: src/resources/a.py:7: size is narrow: widen\nother.py:9",
        f"{BUILDERS}/workflows/custom_make/make.py, with what `sluice.model check` prints",
        "src/resources/a.py:7: size is narrow: widen. Correct it, and build again.",
    ),
    "a template": Recorded(
        "Error: [InvalidTemplateException(\"'Resources' section is required\")] 'Resources' section is required\n",
        "samcli/commands/validate/lib/exceptions.py",
        "'Resources' section is required. Correct it, and build again.",
    ),
    "an exception": Recorded(
        "Traceback (most recent call last):\n  File x\nsamcli.ConfigException: 'version' key is not present \n",
        "samcli/lib/config/samconfig.py",
        "'version' key is not present. Correct it, and build again.",
    ),
}


@pytest.mark.parametrize("recorded", BUILDS.values(), ids=BUILDS)
def test_a_failed_build_ends_with_its_error(recorded: Recorded) -> None:
    assert explain_build(recorded.message) == f"`sam build` failed: {recorded.line}"


@pytest.mark.parametrize("entry", REASONS, ids=lambda entry: entry.name)
def test_each_entry_names_its_source_and_completes_a_line(entry: ReasonEntry) -> None:
    assert entry.source.startswith(("https://", "src/", "docs/"))
    assert entry.advice.endswith(".")


def test_no_entry_hides_another() -> None:
    """Each recorded reason of AWS has its own entry."""
    entries = [find_reason(recorded.message) for recorded in REASONS_OF_RESOURCES.values()]
    names = [entry.name if entry else "" for entry in entries]
    assert names == ["concurrency", "quota", "api log role", "name taken", "secret", "migration silent", ""]
