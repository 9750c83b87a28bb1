"""Streaming reads of `events`, `items` and `users` tables, CSV or Parquet, as columns of text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from models.errors import DataInvalid

SUFFIXES = (".csv.gz", ".csv", ".parquet")
BLOCK_BYTES = 1 << 22
BATCH_ROWS = 1 << 16


@dataclass(slots=True)
class Malformed:
    """Rows whose number of fields is not that of the header: counted, first one kept."""

    count: int = 0
    example: str = ""

    def note(self, row: pa_csv.InvalidRow) -> str:
        """Handler for the CSV reader: remember the row and go on."""
        self.count += 1
        self.example = self.example or f"{row.text[:120]!r}: {row.actual_columns} fields"
        return "skip"


@dataclass(frozen=True, slots=True)
class Table:
    """One file of the common format; `batches` reads it once, front to back."""

    path: Path
    names: tuple[str, ...]
    malformed: Malformed = field(default_factory=Malformed)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Batches of columns, all as text, an empty field as null.

        Raises:
            DataInvalid: the file is truncated, damaged or not what its name says.
        """
        try:
            yield from _parquet(self) if self.path.suffix == ".parquet" else _csv(self)
        except (OSError, pa.ArrowException) as error:
            raise DataInvalid(_broken(self.path, error)) from error


def find_table(folder: Path, stem: str) -> Path | None:
    """Return the one file `stem` + .csv.gz, .csv or .parquet in the folder, None without one."""
    if not folder.is_dir():
        raise DataInvalid(f"{folder} is not a folder: name the folder that holds events.csv.gz")
    found = [folder / f"{stem}{end}" for end in SUFFIXES if (folder / f"{stem}{end}").is_file()]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise DataInvalid(f"{folder} holds {names}: keep one of them")
    return found[0] if found else None


def open_table(folder: Path, stem: str, required: Sequence[str]) -> Table:
    """Open a table that must be there and check that it has the columns it needs.

    Raises:
        DataInvalid: no such file, an unreadable header, or a missing column.
    """
    path = find_table(folder, stem)
    if path is None:
        raise DataInvalid(f"{folder} has no {stem}.csv.gz, {stem}.csv or {stem}.parquet: add one")
    try:
        names = tuple(_names(path))
    except (OSError, pa.ArrowException) as error:
        raise DataInvalid(_broken(path, error)) from error
    missing = [name for name in required if name not in names]
    if missing:
        raise DataInvalid(
            f"{path} lacks the column {missing[0]!r}: its header is {','.join(names)}"
        )
    if len(set(names)) < len(names):
        raise DataInvalid(f"{path} names a column twice: its header is {','.join(names)}")
    return Table(path, names)


def _names(path: Path) -> list[str]:
    if path.suffix == ".parquet":
        with pa_parquet.ParquetFile(path) as file:
            return list(file.schema_arrow.names)
    with _reader(path, Malformed(), ()) as reader:
        return list(reader.schema.names)


def _reader(path: Path, malformed: Malformed, names: Sequence[str]) -> pa_csv.CSVStreamingReader:
    stream = pa.input_stream(path, compression="gzip" if path.suffix == ".gz" else None)
    return pa_csv.open_csv(
        stream,
        read_options=pa_csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
        parse_options=pa_csv.ParseOptions(invalid_row_handler=malformed.note),
        convert_options=pa_csv.ConvertOptions(
            column_types={name: pa.string() for name in names},
            strings_can_be_null=True,
            null_values=[""],
        ),
    )


def _csv(table: Table) -> Iterator[pa.RecordBatch]:
    with _reader(table.path, table.malformed, table.names) as reader:
        yield from reader


def _parquet(table: Table) -> Iterator[pa.RecordBatch]:
    with pa_parquet.ParquetFile(table.path) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
            columns = [
                _text(table.path, name, column)
                for name, column in zip(table.names, batch.columns, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, names=list(table.names))


def _text(path: Path, name: str, column: pa.Array) -> pa.Array:
    """Return a Parquet column as text; an instant becomes epoch seconds."""
    if pa.types.is_floating(column.type) and name.endswith("_id"):
        raise DataInvalid(f"{path}: {name} holds floating-point numbers: write ids as text")
    if pa.types.is_timestamp(column.type):
        micros = pc.cast(column.cast(pa.timestamp("us")), pa.int64())
        column = pc.divide(pc.cast(micros, pa.float64(), safe=False), 1e6)
    text = column.cast(pa.string())
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _broken(path: Path, error: Exception) -> str:
    detail = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "Truncated" in detail:
        return f"{path} ends in the middle (truncated gzip): copy it again"
    if "zlib" in detail:
        return f"{path} is damaged or not gzip ({detail}): copy it again"
    if "Empty CSV" in detail:
        return f"{path} is empty: it needs a header and at least one row"
    if "UTF8" in detail:
        return f"{path} is not UTF-8 ({detail}): save it as UTF-8"
    return f"{path} cannot be read ({detail}): check that it is what its name says"
