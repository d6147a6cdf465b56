"""What stands before the API on AWS, enforced locally as it is deployed: CloudFront with its web ACL and cache, then
the
web ACL of the API's stage. The stage's own cache is in the emulator, behind its authorizer.

One process with two listeners on loopback (`server`): the distribution's (`distribution_side`) and the API's own
(`stage_side`), which is where the distribution's origin is too. What they enforce is read from the services of the
deployed stack (`deployed`), again whenever it changes, and whatever of it is not understood is refused (`refusal`).
"""
