package dialect

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Dialect is how a warehouse spells SQL.
type Dialect struct{ w warehouse }

type warehouse uint8

const (
	duckDB warehouse = iota
	snowflake
)

// DuckDB is the embedded warehouse.
func DuckDB() Dialect { return Dialect{duckDB} }

// Snowflake is the warehouse of production.
func Snowflake() Dialect { return Dialect{snowflake} }

// Name is the dialect's: duckdb or snowflake.
func (d Dialect) Name() string {
	if d.w == snowflake {
		return "snowflake"
	}
	return "duckdb"
}

// reserved are column names of ours that are words of SQL in one of the two.
var reserved = map[string]bool{"offset": true, "partition": true, "at": true, "value": true, "side": true, "position": true, "locate": true}

// Quote gives a column's name as it is written: in quotes where it is a word of SQL, too. Snowflake takes a name without quotes for one in capitals.
func (d Dialect) Quote(column string) string {
	if !reserved[column] {
		return column
	}
	if d.w == snowflake {
		column = strings.ToUpper(column)
	}
	return `"` + column + `"`
}

// Columns gives names with commas between, each quoted as it must be, behind an alias if there is one.
func (d Dialect) Columns(alias string, names []string) string {
	if alias != "" {
		alias += "."
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = alias + d.Quote(name)
	}
	return strings.Join(quoted, ", ")
}

// Literal gives a text as a literal.
func (d Dialect) Literal(text string) string {
	if d.w == snowflake { // a backslash begins an escape there
		text = strings.ReplaceAll(text, `\`, `\\`)
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// Type gives a column's type.
func (d Dialect) Type(t Type) string {
	if d.w == snowflake {
		return [...]string{Text: "VARCHAR", Integer: "NUMBER(10,0)", Long: "NUMBER(19,0)", Decimal: "NUMBER(38,10)", Flag: "BOOLEAN", Time: "TIMESTAMP_NTZ(6)", Bytes: "BINARY"}[t]
	}
	return [...]string{Text: "VARCHAR", Integer: "INTEGER", Long: "BIGINT", Decimal: "DECIMAL(38,10)", Flag: "BOOLEAN", Time: "TIMESTAMP", Bytes: "BLOB"}[t]
}

// Create makes a table, if it is not there.
func (d Dialect) Create(t *Table) string { return d.create("CREATE TABLE IF NOT EXISTS", t) }

// CreateTemporary makes a table that goes with the session, in place of one of that name.
func (d Dialect) CreateTemporary(t *Table) string {
	return d.create("CREATE OR REPLACE TEMPORARY TABLE", t)
}

func (d Dialect) create(verb string, t *Table) string {
	lines := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		lines[i] = "    " + d.Quote(c.Name) + " " + d.Type(c.Type)
		if !c.Nullable {
			lines[i] += " NOT NULL"
		}
	}
	return verb + " " + t.Name + " (\n" + strings.Join(lines, ",\n") + "\n)"
}

// CreateTables makes all tables that are not there, a statement each.
func (d Dialect) CreateTables() []string {
	var statements []string
	for _, t := range Tables() {
		statements = append(statements, d.Create(&t))
	}
	return statements
}

// Insert inserts rows, each with a placeholder for every column of the table.
func (d Dialect) Insert(t *Table, rows int) string {
	row := "(" + strings.TrimSuffix(strings.Repeat("?, ", len(t.Columns)), ", ") + ")"
	return "INSERT INTO " + t.Name + " (" + d.Columns("", t.Names()) + ") VALUES " + strings.TrimSuffix(strings.Repeat(row+", ", rows), ", ")
}

// InsertOne inserts a row of literals, if there is none yet for which a condition holds.
func (d Dialect) InsertOne(table string, names, literals []string, unless string) string {
	return "INSERT INTO " + table + " (" + d.Columns("", names) + ") SELECT " + strings.Join(literals, ", ") + " WHERE NOT EXISTS (SELECT 1 FROM " + table + " WHERE " + unless + ")"
}

// MaxInsertRows is how many rows of a table one [Dialect.Insert] may have: Snowflake takes 16,384 placeholders.
func (d Dialect) MaxInsertRows(t *Table) int { return min(1000, 16384/len(t.Columns)) }

// Where gives a condition that holds for one row: names and literals in turn.
func (d Dialect) Where(pairs ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		if i > 0 {
			b.WriteString(" AND ")
		}
		b.WriteString(d.Quote(pairs[i]) + " = " + pairs[i+1])
	}
	return b.String()
}

// Time gives a time as a literal of the type [Time], to the microsecond.
func (d Dialect) Time(t time.Time) string {
	kind := "TIMESTAMP"
	if d.w == snowflake {
		kind = "TIMESTAMP_NTZ"
	}
	return d.Literal(t.UTC().Format("2006-01-02 15:04:05.000000")) + "::" + kind
}

// EpochMilliseconds gives a time's milliseconds since 1970.
func (d Dialect) EpochMilliseconds(time string) string {
	if d.w == snowflake {
		return "DATE_PART(epoch_millisecond, " + time + ")"
	}
	return "epoch_ms(" + time + ")"
}

// Now gives the time as the type [Time] has it: UTC, without a zone.
func (d Dialect) Now() string {
	if d.w == snowflake {
		return "SYSDATE()"
	}
	return "(current_timestamp AT TIME ZONE 'UTC')"
}

// CountIf counts the rows for which something holds, as 64 bits.
func (d Dialect) CountIf(condition string) string {
	if d.w == snowflake {
		return "COUNT_IF(" + condition + ")"
	}
	return "COUNT(*) FILTER (WHERE " + condition + ")"
}

// MinBy gives what a column has in the row in which another one is least.
func (d Dialect) MinBy(what, least string) string { return "MIN_BY(" + what + ", " + least + ")" }

// AnyValue gives what a column has in some row.
func (d Dialect) AnyValue(what string) string { return "ANY_VALUE(" + what + ")" }

// Cast gives a value as another type.
func (d Dialect) Cast(value string, to Type) string {
	return "CAST(" + value + " AS " + d.Type(to) + ")"
}

// Sum adds decimals up, exactly, as a decimal again. (DuckDB gives a sum of DECIMAL(38,10) that type, Snowflake may give more digits.)
func (d Dialect) Sum(what string) string { return d.Cast("SUM("+what+")", Decimal) }

// DecimalText gives a decimal as the contract writes it: no exponent, no zeros behind the point's last digit, zero as 0.
func (d Dialect) DecimalText(what string) string {
	if d.w == snowflake {
		return "RTRIM(RTRIM(TO_VARCHAR(" + what + ", 'FM9999999999999999999999999990.0000000000'), '0'), '.')"
	}
	return "rtrim(rtrim(CAST(" + what + " AS VARCHAR), '0'), '.')"
}

// CreateAs makes a temporary table of a query, in place of one of that name.
func (d Dialect) CreateAs(table, query string) string {
	return "CREATE OR REPLACE TEMPORARY TABLE " + table + " AS " + query
}

// ExportParquet writes a query's rows to a Parquet file (DuckDB), or to files below a path of a stage (Snowflake: @stage/path).
func (d Dialect) ExportParquet(query, to string) string {
	if d.w == snowflake {
		return "COPY INTO " + to + " FROM (" + query + ") FILE_FORMAT = (TYPE = PARQUET) HEADER = TRUE OVERWRITE = TRUE"
	}
	return "COPY (" + query + ") TO " + d.Literal(to) + " (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE " + strconv.Itoa(parquetRowGroup) + ")"
}

const parquetRowGroup = 122_880 // rows, DuckDB's own

// ImportParquet fills a table from Parquet files, columns by their names. Snowflake loads no file twice into a table.
func (d Dialect) ImportParquet(t *Table, from string) string {
	if d.w == snowflake {
		return "COPY INTO " + t.Name + " FROM " + from + " FILE_FORMAT = (TYPE = PARQUET, BINARY_AS_TEXT = FALSE, USE_LOGICAL_TYPE = TRUE) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = ABORT_STATEMENT"
	}
	return "INSERT INTO " + t.Name + " BY NAME SELECT " + d.Columns("", t.Names()) + " FROM read_parquet(" + d.Literal(from) + ")"
}

// UploadFile puts a local file into a stage (Snowflake; its driver does that). DuckDB reads files where they lie: "".
func (d Dialect) UploadFile(file, stage string) string {
	if d.w == snowflake {
		return fmt.Sprintf("PUT %s %s AUTO_COMPRESS = FALSE OVERWRITE = FALSE", d.Literal("file://"+file), stage)
	}
	return ""
}
