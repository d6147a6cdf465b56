"""The resources that the service serves, one file for each. The service loads every module of this package."""
