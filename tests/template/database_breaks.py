"""Ways to break what the template says of the database and its migration (see breaks.py)."""

from tests.template.breaks import Break, drop, put

DATABASE_BREAKS: list[tuple[str, str, Break]] = [
    *(
        ("E9150", f"Migration does not run when {setting} changes", drop("Migration", name))
        for setting, name in (
            ("DATABASE_HOST", "DatabaseHost"),
            ("DATABASE_PORT", "DatabasePort"),
            ("DATABASE_NAME", "DatabaseName"),
            ("DATABASE_SECRET_ARN", "DatabaseSecretArn"),
            ("LOADER_SECRET_ARN", "LoaderSecretArn"),
            ("READER_SECRET_ARN", "ReaderSecretArn"),
            ("the instance Primary", "DatabaseInstance"),
        )
    ),
    ("E9151", "Migration has a ServiceTimeout", put("Migration", 900, "ServiceTimeout")),
    ("E9152", "Primary has no AllowMajorVersionUpgrade", drop("Primary", "AllowMajorVersionUpgrade")),
    ("E9152", "Replica has no EngineVersion", drop("Replica", "EngineVersion")),
    ("E9152", "Replica has no EngineVersion", put("Replica", {"Ref": "DatabaseVersion"}, "EngineVersion")),
    (
        "E9152",
        "Replica shares its parameter group",
        put("Replica", {"Ref": "DatabaseParameters"}, "DBParameterGroupName"),
    ),
    (
        "E9152",
        "Primary has a parameter group whose family does not follow its version",
        put("Primary", {"Ref": "ReplicaVersion"}, "EngineVersion"),
    ),
    ("E9191", "Replica3 has other properties than Replica2", put("Replica3", "gp2", "StorageType")),
    ("E9191", "Replica5 does not depend on Replica4", lambda resources: resources["Replica5"].pop("DependsOn")),
]
