"""Checks of the machine that builds: `sam build` needs them."""

import subprocess

from ops.checks import CheckResult
from ops.preflight.plan import DeploymentPlan
from ops.tools import find_tool


def check_python(plan: DeploymentPlan) -> CheckResult:
    """`sam build` installs the packages with the Python version of the functions."""
    runtime = plan.template.parameters["Runtime"]
    if find_tool(runtime):
        return CheckResult("python", "ok", f"{runtime} is installed.")
    hint = "Install it or run `make setup`, or set the parameter Runtime to a version that is installed."
    return CheckResult("python", "failed", f"{runtime} is not on the PATH, and `sam build` needs it.", hint)


def check_make(_plan: DeploymentPlan) -> CheckResult:
    """The layer with the certificate authorities is built by a makefile."""
    if find_tool("make"):
        return CheckResult("make", "ok", "make is installed.")
    hint = "Install make."
    return CheckResult("make", "failed", "make is not on the PATH, and `sam build` needs it for a layer.", hint)


def check_sam(_plan: DeploymentPlan) -> CheckResult:
    """The template has loops, which older versions of the SAM CLI cannot build."""
    path = find_tool("sam")
    hint = "Install the SAM CLI, version 1.170 or newer, or run `make setup`."
    if path is None:
        return CheckResult("sam", "failed", "The SAM CLI is not on the PATH.", hint)
    process = subprocess.run(  # noqa: S603 - the SAM CLI that `sluice deploy` runs
        [path, "build", "--help"], capture_output=True, text=True, check=False, timeout=120
    )
    if "--language-extensions" not in process.stdout:
        return CheckResult("sam", "failed", "The SAM CLI cannot build the template's loops (Fn::ForEach).", hint)
    return CheckResult("sam", "ok", "The SAM CLI can build the template.")
