"""The edge of the local stack: CloudFront with its web ACL and cache, and the web ACL of the API stage.

One process has two listeners on the loopback address (`server`): the address of the distribution
(`cloudfront.distribution_handler`) and the address of the API stage (`api_stage`), which is the origin of the
distribution. The edge reads the configuration from the deployed services, again after each change (`configuration`). It
rejects every part that it cannot enforce (`config_checks`). The cache of API Gateway itself belongs to the emulator,
behind the authorizer.
"""
