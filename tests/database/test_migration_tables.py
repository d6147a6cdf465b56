"""Tables follow the resources, on a real MariaDB."""

from decimal import Decimal
from typing import Annotated, Any

import pytest
from msgspec import Meta

from local.database import DatabaseServers
from sluice.model.resource import Digits, Resource, load_resources
from sluice.model.resource_faults import describe_row_fault
from tests.database.migration_rig import Migrated, notes
from tests.database.things import CODES, THINGS

TEXT = "utf8mb4_nopad_bin"


@pytest.fixture
def schema(servers: DatabaseServers, database: str, connect: Any) -> Migrated:
    return Migrated(servers, database, connect)


def test_a_new_schema_gets_every_table(schema: Migrated) -> None:
    schema.sql(f"DROP DATABASE {schema.schema}")
    outcome = schema.run(*load_resources().values())
    assert schema.tables() == {
        "airports": "shared",
        "bookings": "private",
        "loaded_batches": "",
        "rejected_writes": "",
        "marks": "",
        "exclusions": "",
        "migrations": "",
    }
    assert outcome.done[0] == f"create schema {schema.schema}"
    assert outcome.notices == ()
    assert schema.columns("airports") == {
        "owner": ("varchar(128)", "ascii_bin", "NO", ""),
        "id": ("varchar(128)", "ascii_bin", "NO", "icao"),
        "version": ("char(26)", "ascii_bin", "NO", ""),
        "written_at": ("datetime(6)", None, "NO", ""),
        "deleted": ("tinyint(1)", None, "NO", ""),
        "name": ("varchar(120)", TEXT, "YES", "required"),
        "country": ("varchar(2)", TEXT, "YES", "required"),
        "lat": ("double", None, "YES", "required"),
        "lon": ("double", None, "YES", "required"),
        "elevation": ("double", None, "YES", "required"),
        "tz": ("varchar(64)", TEXT, "YES", "required"),
        "iata": ("varchar(3)", TEXT, "YES", "default"),
        "city": ("varchar(80)", TEXT, "YES", "default"),
        "subd": ("varchar(80)", TEXT, "YES", "default"),
        "lid": ("varchar(10)", TEXT, "YES", "default"),
    }


def test_every_field_type_has_its_column_type(schema: Migrated) -> None:
    schema.run(THINGS, CODES)
    columns = schema.columns("things")
    assert columns["id"] == ("uuid", None, "NO", "service-chosen")
    assert {name: column[0] for name, column in columns.items() if column[3]} == {
        "id": "uuid",
        "label": "varchar(40)",
        "story": "mediumtext",
        "count": "bigint(20)",
        "ratio": "double",
        "done": "tinyint(1)",
        "price": "decimal(12,3)",
        "day": "date",
        "moment": "datetime(6)",
        "token": "uuid",
        "colour": "varchar(5)",
        "size": "varchar(1)",
        "rank": "bigint(20)",
        "tags": "longtext",
        "attributes": "longtext",
        "part": "longtext",
        "note": "varchar(20)",
        "seen": "datetime(6)",
        "maybe": "tinyint(1)",
        "amount": "decimal(8,2)",
        "number": "bigint(20)",
    }
    assert [columns[name][3] for name in ("label", "story", "note")] == ["required", "default", "optional"]
    with pytest.raises(Exception, match="CONSTRAINT"):
        schema.sql(
            "INSERT INTO things (owner, id, version, written_at, deleted, tags) VALUES ('', UUID(), '', NOW(), 0, '[')"
        )


@pytest.mark.parametrize(
    "served", [(THINGS, CODES), tuple(load_resources().values())], ids=["every type", "the examples"]
)
def test_a_second_run_changes_nothing(schema: Migrated, served: tuple[Resource, ...]) -> None:
    schema.run(*served)
    before = schema.binary_log_position()
    assert schema.plan(*served).statements == ()
    outcome = schema.run(*served)
    assert outcome.done == ()
    assert schema.binary_log_position() == before


def test_texts_that_differ_in_case_or_trailing_spaces_are_different(schema: Migrated) -> None:
    schema.run(notes(text=str, name=Annotated[str, Meta(max_length=9)]))
    for text in ("a", "A", "a ", "á"):
        schema.sql(
            "INSERT INTO notes VALUES ('', UUID(), '', NOW(), 0, %s, %s)",
            text,
            text,
        )
    assert schema.sql("SELECT COUNT(DISTINCT text), COUNT(DISTINCT name) FROM notes") == [(4, 4)]
    assert schema.sql("SELECT COUNT(*) FROM notes WHERE text = 'a' AND name = 'a'") == [(1,)]


def test_the_schema_s_default_collation_is_corrected(schema: Migrated) -> None:
    schema.sql(f"ALTER DATABASE {schema.schema} CHARACTER SET latin1 COLLATE latin1_swedish_ci")
    assert schema.run(notes(text=str)).done[0].endswith(f"from latin1_swedish_ci to {TEXT}")
    # A session that selected the schema earlier keeps the old default, so this one selects it now.
    with schema.connect().cursor() as cursor:
        cursor.execute("CREATE TABLE later (a VARCHAR(9))")
    assert schema.columns("later")["a"][1] == TEXT


def test_a_plan_without_a_schema_has_every_table_and_changes_nothing(schema: Migrated) -> None:
    schema.sql(f"DROP DATABASE {schema.schema}")
    before = schema.binary_log_position()
    assert [statement.description for statement in schema.plan(notes(text=str)).statements] == [
        "create table loaded_batches",
        "create table rejected_writes",
        "create table marks",
        "create table exclusions",
        "create table migrations",
        "create table notes",
    ]
    assert schema.binary_log_position() == before


def with_a_row(schema: Migrated, before: Resource) -> None:
    schema.run(before)
    schema.sql(
        "INSERT INTO notes (owner, id, version, written_at, deleted, text, price) "
        "VALUES ('me', UUID(), 'v', NOW(6), 0, 'kept', 12.34)"
    )


def test_a_text_that_needs_two_length_bytes_is_copied(schema: Migrated) -> None:
    schema.run(notes(text=Annotated[str, Meta(max_length=60)]))
    wider = notes(text=Annotated[str, Meta(max_length=100)])
    assert schema.plan(wider).statements[0].copies
    outcome = schema.run(wider)
    assert outcome.done == ("alter notes: change text VARCHAR(60) to VARCHAR(100) (ALGORITHM=COPY, LOCK=SHARED)",)


OLD: dict[str, Any] = {"text": Annotated[str, Meta(max_length=20)], "price": Annotated[Decimal, Digits(6, 2)]}


@pytest.mark.parametrize(
    ("new", "column", "shape", "done"),
    [
        (OLD | {"tag": (str | None, None)}, "tag", ("mediumtext", TEXT, "YES", "optional"), "INSTANT"),
        (
            OLD | {"tag": (dict[str, int] | None, None)},
            "tag",
            ("longtext", "utf8mb4_bin", "YES", "optional"),
            "INSTANT",
        ),
        (OLD | {"size": (int, 7)}, "size", ("bigint(20)", None, "YES", "default"), "INSTANT"),
        (OLD | {"text": (OLD["text"], "")}, "text", ("varchar(20)", TEXT, "YES", "default"), "INSTANT"),
        (OLD | {"text": (OLD["text"] | None, None)}, "text", ("varchar(20)", TEXT, "YES", "optional"), "INSTANT"),
        (
            OLD | {"text": Annotated[str, Meta(max_length=60)]},
            "text",
            ("varchar(60)", TEXT, "YES", "required"),
            "INSTANT",
        ),
        (
            OLD | {"text": Annotated[str, Meta(max_length=500)]},
            "text",
            ("varchar(500)", TEXT, "YES", "required"),
            "INSTANT",
        ),
        (OLD | {"text": str}, "text", ("mediumtext", TEXT, "YES", "required"), "COPY"),
        (
            OLD | {"price": Annotated[Decimal, Digits(9, 4)]},
            "price",
            ("decimal(9,4)", None, "YES", "required"),
            "COPY",
        ),
    ],
    ids=["optional", "json", "default", "to default", "to optional", "wider", "much wider", "to text", "more digits"],
)
def test_an_allowed_change_keeps_the_rows(
    schema: Migrated, new: dict[str, Any], column: str, shape: tuple[str, ...], done: str
) -> None:
    with_a_row(schema, notes(**OLD))
    [statement] = schema.plan(notes(**new)).statements
    assert statement.copies == (done == "COPY")
    outcome = schema.run(notes(**new))
    assert schema.columns("notes")[column] == shape
    assert len(outcome.done) == 1
    assert f"ALGORITHM={done}" in outcome.done[0]
    assert schema.sql("SELECT owner, text, price FROM notes") == [("me", "kept", Decimal("12.34"))]
    assert schema.run(notes(**new)).done == ()


def test_the_changes_of_a_kind_to_a_table_are_one_statement(schema: Migrated) -> None:
    with_a_row(schema, notes(**OLD))
    plan = schema.plan(notes(**OLD | {"text": str, "tag": (str | None, None), "size": (int, 7)}))
    assert [statement.description for statement in plan.statements] == [
        "alter notes: add tag MEDIUMTEXT, add size BIGINT",
        "alter notes: change text VARCHAR(20) to MEDIUMTEXT",
    ]


def test_objects_created_by_hand_stay(schema: Migrated) -> None:
    schema.run(notes(**OLD))
    schema.sql("ALTER TABLE notes ADD COLUMN mine INT, ADD INDEX by_text (text), ADD UNIQUE INDEX one_price (price)")
    schema.sql("ALTER TABLE loaded_batches ADD INDEX by_time (loaded_at)")
    schema.sql("CREATE TABLE elsewhere (id INT, KEY (id))")
    before = schema.binary_log_position()
    outcome = schema.run(notes(**OLD))
    assert sorted(outcome.notices) == [
        "The column notes.mine was not created by a migration; it is left unchanged.",
        "The index by_text of notes was not created by a migration; it is left unchanged.",
        "The index by_time of loaded_batches was not created by a migration; it is left unchanged.",
        (
            "The index one_price of notes was not created by a migration and is unique: a load replaces any row with "
            "the same value, also another item's. Drop it (ALTER TABLE notes DROP INDEX one_price), and rebuild."
        ),
        "The table elsewhere belongs to no resource; it is left unchanged.",
    ]
    assert (outcome.done, schema.binary_log_position()) == ((), before)


def test_the_table_of_a_removed_resource_stays_with_its_rows(schema: Migrated) -> None:
    with_a_row(schema, notes(**OLD))
    outcome = schema.run(notes(collection="others", text=str))
    assert outcome.notices == ("The table notes belongs to no resource; it is left unchanged.",)
    assert schema.sql("SELECT text FROM notes") == [("kept",)]
    assert schema.run(notes(**OLD)).done == ()


BY_COUNT = {"by-count": ["owner", "deleted", "count", "id"]}


@pytest.mark.parametrize("schema_is_there", [True, False])
def test_a_new_table_has_its_indexes(schema: Migrated, schema_is_there: bool) -> None:
    if not schema_is_there:
        schema.sql(f"DROP DATABASE {schema.schema}")
    resource = notes(count=int | None, text=Annotated[str, Meta(max_length=512)], indexes=["count", ("text", "count")])
    outcome = schema.run(resource)
    both = {**BY_COUNT, "by-text-count": ["owner", "deleted", "text", "count", "id"]}
    assert schema.indexes("notes") == both
    assert outcome.notices == ()
    before = schema.binary_log_position()
    assert schema.run(resource).done == ()
    assert schema.binary_log_position() == before


def test_an_index_is_added_to_a_table_that_has_rows(schema: Migrated) -> None:
    schema.run(notes(count=int | None))
    schema.sql("INSERT INTO notes VALUES ('ada', UUID(), 'v', NOW(6), 0, 1), ('ada', UUID(), 'v', NOW(6), 1, NULL)")
    [done] = schema.run(notes(count=int | None, indexes=["count"])).done
    assert done == "alter notes: add index by-count (ALGORITHM=INPLACE, LOCK=NONE)"
    assert schema.indexes("notes") == BY_COUNT
    assert schema.sql("SELECT COUNT(*) FROM notes") == [(2,)]


def test_an_index_is_added_with_its_column(schema: Migrated) -> None:
    schema.run(notes(text=str))
    done = schema.run(notes(text=str, count=(int | None, None), indexes=["count"])).done
    assert [step.partition(" (")[0] for step in done] == [
        "alter notes: add count BIGINT",
        "alter notes: add index by-count",
    ]
    assert schema.indexes("notes") == BY_COUNT


def test_an_index_that_is_no_longer_declared_stays(schema: Migrated) -> None:
    schema.run(notes(count=int | None, indexes=["count"]))
    outcome = schema.run(notes(count=int | None))
    assert (outcome.done, len(outcome.notices), "by-count" in outcome.notices[0]) == ((), 1, True)
    assert schema.indexes("notes") == BY_COUNT


@pytest.mark.parametrize("kind", ["8", "16", "39", "63", "64", "512", "2000", "decimal", "json"])
def test_each_row_that_the_check_of_the_classes_takes_can_be_created(schema: Migrated, kind: str) -> None:
    types: dict[str, Any] = {"decimal": Annotated[Decimal, Digits(65, 2)], "json": dict[str, Any]}
    field: Any = types.get(kind) or Annotated[str, Meta(max_length=int(kind))]

    def create(count: int) -> Resource:
        fields: dict[str, Any] = {"slug": str} | {f"field{number}": field for number in range(count)}
        return notes(key="slug", **fields)

    fitting, too_many = 1, 500
    while too_many - fitting > 1:
        middle = (fitting + too_many) // 2
        if describe_row_fault(create(middle)):
            too_many = middle
        else:
            fitting = middle
    schema.run(create(fitting))
    assert fitting >= 25
