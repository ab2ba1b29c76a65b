//! Apache Parquet: records in columns. Cargo feature `parquet`.
//!
//! A record first becomes a row ([`push`]): the lengths of its parts, and the parts as they stand in the line of
//! [`tapline_core::line`], so that nothing has to be read again. Rows grow in one buffer until the object leaves; then
//! [`encode`] goes over them once a column. The columns stand in [`COLUMNS`], and for users in `docs/sinks/s3.md`.
//!
//! # Limits
//!
//! Beside the rows there are the file as far as it was written, and [`ENCODER_BYTES`]; both are charged.
//!
//! Source: <https://github.com/apache/parquet-format>, read 2026-11-25.

use std::ops::Range;
use std::sync::Arc;

use ::parquet::basic::{
    Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel,
};
use ::parquet::column::writer::ColumnWriterImpl;
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use ::parquet::schema::types::{ColumnPath, Type};
use bytes::Bytes;
use tapline_core::batch::{Batch, Record};
use tapline_core::budget::Budget;
use tapline_core::json;
use tapline_core::line;
use tapline_core::time::{parse_rfc3339_ms, write_rfc3339};

use crate::buffer::Buffer;

/// The feature is in this build.
pub(crate) const BUILT: bool = true;

/// Level 1, as for whole bodies.
const LEVEL: i32 = 1;

/// Bytes of rows at which a group of rows ends. What a file may grow by is made room for group by group.
const GROUP_BYTES: usize = 4 << 20;

/// Bytes of values at which a page ends, and at which values are handed to it. A larger value has a page of its own.
const PAGE_BYTES: usize = 256 << 10;

/// Most values that are handed over at once.
const VALUES_MAX: usize = 256;

/// Bytes that a dictionary of values may take, before a column goes on without one.
const DICTIONARY_BYTES: usize = 64 << 10;

/// What encoding takes beside rows and file: one page plain and one compressed, the compressor, pages of a column that
/// wait for its dictionary. Measured: see `encoding_takes_no_more_memory_than_is_charged`.
const ENCODER_BYTES: usize = 3 << 20;

/// What a group adds to a file beside its values, at most: pages' headers, levels, its place in the footer.
const GROUP_OVERHEAD_BYTES: usize = 64 << 10;

/// Parts of a row.
const PARTS: usize = 8;

/// The lengths of a row's parts, each a little-endian `u32`.
const HEADER_BYTES: usize = PARTS * 4;

/// What stands at which place in a row, in the order of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Id,
    Time,
    Type,
    Level,
    RequestId,
    TraceId,
    Record,
    Attributes,
}

/// What a column makes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// The text of a part whose escapes are resolved; null where it is empty.
    Text(Part),
    /// The moment of `time`; null where that is none.
    Moment,
    /// `time` as it came, where [`Content::Moment`] does not say the same.
    OtherTime,
    /// Whether `record` is JSON and no text.
    IsJson,
    /// The text of `record`, or its JSON byte for byte.
    Record,
    /// JSON byte for byte; null where it is empty.
    Attributes,
}

/// One column of the file.
struct Column {
    name: &'static str,
    content: Content,
    /// Whether few values come again and again.
    repeats: bool,
    /// Whether its least and greatest value may let a reader skip a file.
    ranges: bool,
}

const fn column(name: &'static str, content: Content, repeats: bool, ranges: bool) -> Column {
    Column {
        name,
        content,
        repeats,
        ranges,
    }
}

/// Names and kinds are a promise to whoever made a table of them: new ones are added at the end.
const COLUMNS: [Column; 10] = [
    column("id", Content::Text(Part::Id), false, false),
    column("time", Content::Moment, false, true),
    column("type", Content::Text(Part::Type), true, true),
    column("level", Content::Text(Part::Level), true, true),
    column("request_id", Content::Text(Part::RequestId), true, true),
    column("trace_id", Content::Text(Part::TraceId), true, true),
    column("is_json", Content::IsJson, false, false),
    column("record", Content::Record, false, false),
    column("attributes", Content::Attributes, true, false),
    column("time_text", Content::OtherTime, true, false),
];

/// Appends the row of one record.
pub(crate) fn push(batch: &Batch, record: &Record, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + HEADER_BYTES, 0);
    let mut at = 0;
    let mut part = |out: &mut Vec<u8>, write: &dyn Fn(&mut Vec<u8>)| {
        let from = out.len();
        write(out);
        json::mend_halves(&mut out[from..]);
        // A record is at most some megabytes long.
        let length = (out.len() - from) as u32;
        out[start + at..start + at + 4].copy_from_slice(&length.to_le_bytes());
        at += 4;
    };
    let level = record.level.map_or("", |level| level.as_str());
    part(out, &|out| line::write_id(batch, record, out));
    part(out, &|out| out.extend_from_slice(batch.bytes(record.time)));
    part(out, &|out| out.extend_from_slice(batch.bytes(record.kind)));
    part(out, &|out| out.extend_from_slice(level.as_bytes()));
    part(out, &|out| {
        out.extend_from_slice(batch.bytes(record.request_id))
    });
    part(out, &|out| {
        out.extend_from_slice(batch.bytes(record.trace_id))
    });
    part(out, &|out| {
        line::write_value(batch.bytes(record.value), out)
    });
    part(out, &|out| {
        if !record.attributes.is_empty() {
            out.push(b'{');
            out.extend_from_slice(batch.bytes(record.attributes));
            out.push(b'}');
        }
    });
}

/// Writes the file of these rows into `packed`: the same bytes for the same rows.
///
/// # Errors
///
/// What the encoder says; `packed` means nothing then. Writing to memory, it has no reason to.
pub(crate) fn encode(rows: Bytes, packed: &mut Buffer, budget: &Budget) -> Result<(), String> {
    packed.bytes = write_file(rows, budget).map_err(|error| error.to_string())?;
    packed.settle(budget);
    Ok(())
}

fn write_file(rows: Bytes, budget: &Budget) -> Result<Vec<u8>, ParquetError> {
    let mut charge = budget.charge_over(ENCODER_BYTES);
    let mut file = SerializedFileWriter::new(Vec::new(), schema()?, Arc::new(properties()?))?;
    let mut rest = rows;
    while !rest.is_empty() {
        let group = rest.split_to(group_end(&rest));
        // Counted before it is used: a group grows a file by no more than it holds.
        charge.grow_over(group.len() + GROUP_OVERHEAD_BYTES);
        file.inner_mut()
            .reserve_exact(group.len() + GROUP_OVERHEAD_BYTES);
        write_group(&mut file, &group)?;
        charge.shrink_to(ENCODER_BYTES + file.inner().len());
    }
    let mut bytes = file.into_inner()?;
    bytes.shrink_to_fit();
    Ok(bytes)
}

fn write_group(
    file: &mut SerializedFileWriter<Vec<u8>>,
    group: &Bytes,
) -> Result<(), ParquetError> {
    let mut writer = file.next_row_group()?;
    for column in &COLUMNS {
        let Some(mut to) = writer.next_column()? else {
            break;
        };
        write_column(column.content, &mut to, group)?;
        to.close()?;
    }
    writer.close()?;
    Ok(())
}

fn write_column(
    content: Content,
    to: &mut SerializedColumnWriter<'_>,
    group: &Bytes,
) -> Result<(), ParquetError> {
    let always = is_always_there(content);
    match content {
        Content::Moment => write_values(to.typed::<Int64Type>(), group, always, |row| {
            parse_rfc3339_ms(&row.part(Part::Time))
        }),
        Content::IsJson => write_values(to.typed::<BoolType>(), group, always, |row| {
            Some(json::string_inside(&row.part(Part::Record)).is_none())
        }),
        _ => write_values(to.typed::<ByteArrayType>(), group, always, |row| {
            text_of(content, row).map(ByteArray::from)
        }),
    }
}

/// The value of a column of texts.
fn text_of(content: Content, row: &Row<'_>) -> Option<Bytes> {
    let there = |text: Bytes| Some(text).filter(|text| !text.is_empty());
    match content {
        Content::Text(part) => there(unescaped(row.part(part))),
        Content::Attributes => there(row.part(Part::Attributes)),
        Content::Record => {
            let raw = row.part(Part::Record);
            let inside = json::string_inside(&raw).map(|inside| raw.slice_ref(inside));
            Some(inside.map_or(raw, unescaped))
        }
        Content::OtherTime => {
            let time = row.part(Part::Time);
            let mut same = Vec::new();
            if let Some(moment) = parse_rfc3339_ms(&time) {
                write_rfc3339(moment, &mut same);
            }
            let told = same == *time;
            there(unescaped(time)).filter(|_| !told)
        }
        Content::Moment | Content::IsJson => None,
    }
}

/// A text without its escapes; a copy only where it has some.
fn unescaped(escaped: Bytes) -> Bytes {
    match memchr::memchr(b'\\', &escaped) {
        None => escaped,
        Some(_) => Bytes::from(json::unescape(&escaped).into_owned()),
    }
}

/// Hands the values of a group over, in portions of bounded size.
fn write_values<T: DataType>(
    to: &mut ColumnWriterImpl<'_, T>,
    group: &Bytes,
    always: bool,
    value_of: impl Fn(&Row<'_>) -> Option<T::T>,
) -> Result<(), ParquetError> {
    let mut values = Vec::with_capacity(VALUES_MAX);
    let mut levels = Vec::with_capacity(VALUES_MAX);
    let (mut at, mut bytes) = (0, 0);
    while at < group.len() {
        let row = Row { group, at };
        let value = value_of(&row);
        let end = row.end();
        bytes += end - at;
        levels.push(i16::from(value.is_some()));
        values.extend(value);
        at = end;
        if levels.len() == VALUES_MAX || bytes >= PAGE_BYTES || at >= group.len() {
            to.write_batch(&values, (!always).then_some(&levels), None)?;
            values.clear();
            levels.clear();
            bytes = 0;
        }
    }
    Ok(())
}

/// A row that begins at `at`.
struct Row<'a> {
    group: &'a Bytes,
    at: usize,
}

impl Row<'_> {
    fn length(&self, part: usize) -> usize {
        let at = self.at + 4 * part;
        let length = self
            .group
            .get(at..at + 4)
            .and_then(|four| four.try_into().ok());
        length.map_or(0, u32::from_le_bytes) as usize
    }

    fn start_of(&self, part: usize) -> usize {
        let before: usize = (0..part).map(|part| self.length(part)).sum();
        self.at + HEADER_BYTES + before
    }

    fn part(&self, part: Part) -> Bytes {
        let start = self.start_of(part as usize);
        let range: Range<usize> = start..start + self.length(part as usize);
        self.group.slice(range)
    }

    fn end(&self) -> usize {
        self.start_of(PARTS)
    }
}

/// Where the first group of rows ends.
fn group_end(rows: &Bytes) -> usize {
    let mut at = 0;
    while at < rows.len() && at < GROUP_BYTES {
        at = Row { group: rows, at }.end();
    }
    at
}

fn is_always_there(content: Content) -> bool {
    matches!(
        content,
        Content::Text(Part::Id) | Content::IsJson | Content::Record
    )
}

fn schema() -> Result<Arc<Type>, ParquetError> {
    let mut fields = Vec::with_capacity(COLUMNS.len());
    for column in &COLUMNS {
        let (physical, logical) = match column.content {
            Content::Moment => {
                let logical = LogicalType::timestamp(true, TimeUnit::MILLIS);
                (Physical::INT64, Some(logical))
            }
            Content::IsJson => (Physical::BOOLEAN, None),
            _ => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let repetition = match is_always_there(column.content) {
            true => Repetition::REQUIRED,
            false => Repetition::OPTIONAL,
        };
        let field = Type::primitive_type_builder(column.name, physical)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .build()?;
        fields.push(Arc::new(field));
    }
    let root = Type::group_type_builder("record").with_fields(fields);
    Ok(Arc::new(root.build()?))
}

fn properties() -> Result<WriterProperties, ParquetError> {
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("tapline version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(LEVEL)?))
        .set_data_page_size_limit(PAGE_BYTES)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_offset_index_disabled(true);
    for column in &COLUMNS {
        let path = || ColumnPath::from(column.name);
        let statistics = match column.ranges {
            true => EnabledStatistics::Chunk,
            false => EnabledStatistics::None,
        };
        properties = properties
            .set_column_dictionary_enabled(path(), column.repeats)
            .set_column_statistics_enabled(path(), statistics);
    }
    Ok(properties.build())
}

#[cfg(test)]
mod tests;
