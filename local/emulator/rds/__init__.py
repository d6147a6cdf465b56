"""Gap: MiniStack's RDS runs Docker containers and restores nothing. The package replaces the operations that a restore
needs, on the MariaDB servers of the local stack (`local.database`).

`sluice-local-primary` is the server in the folder `primary`, and so on; the prefix belongs to every identifier. Changes
are asynchronous, as on RDS: the status tells. A restore or a rename that a kill of the emulator interrupts goes on at
its next start. What differs: nothing has a maintenance window, so that every change is made at once; an instance whose
data directory is gone has the status `failed`, and can still be renamed or deleted.
"""
