"""The AWS emulator of the local stack: MiniStack, with its gaps closed in process.

Each module here closes one gap and has a `patch()`. What it replaces must still look as it did when the module was
written (`local.emulator.expectation`), so a new MiniStack stops with a sentence instead of drifting quietly.
"""
