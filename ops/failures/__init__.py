"""Why a deployment failed, in one sentence, and what to do."""
