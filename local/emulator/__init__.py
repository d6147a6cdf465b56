"""The AWS emulator of the local stack: MiniStack, patched in process where it differs from AWS.

Each service has a folder, and `server.PATCHES` lists the patch modules in the order in which they are applied.
Each patch module names the gaps that it closes and has a function `patch()`. It checks that the code it replaces still
looks as it did when the patch was written (`local.emulator.patching`). A new MiniStack therefore stops the start with a
message that names the function, and does not change the behaviour unnoticed.
"""
