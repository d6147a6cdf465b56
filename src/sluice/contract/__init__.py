"""The contract that clients are given: an OpenAPI document made of the resource classes, and a page that shows it."""
