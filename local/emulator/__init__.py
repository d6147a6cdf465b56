"""The AWS emulator of the local stack: MiniStack, patched in process where it differs from AWS.

Each patch module closes one gap and has a function `patch()`. It checks that the code it replaces still looks as it did
when the patch was written (`local.emulator.patching`). A new MiniStack therefore stops the start with a message that
names the function, and does not change the behaviour unnoticed.
"""
