"""What the emulator has acknowledged survives SIGKILL.

MiniStack keeps its state in memory and saves it when it stops; only the bodies of S3's objects are written at once.
Here every acknowledged change is in a file before the response leaves:

- `services`: the state of a service, after each request that changes it and after each operation of CloudFormation
- `objects`: an object of S3 together with its metadata, versions, retention and legal holds
- `events`: an event of S3 until its targets have it, so that it is sent again after a kill
- `local.emulator.workflows.execution_log`: each start and end of an execution
- `local.emulator.firehose.spool`: each record until it is delivered

Nothing is synced: a kill ends the process, and the kernel still writes what the process wrote. A crash of the machine
may lose data. `report` names what a start after a kill repaired.
"""
