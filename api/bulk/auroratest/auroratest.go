// Package auroratest gives a test's Postgres the functions by which Aurora reads from S3 and writes to it, with the names, types and signatures of the extensions
// aws_commons and aws_s3, so that the very statements that are meant for Aurora run. A folder stands for S3: an object is the file REGION/BUCKET/KEY.
//
// What it does not stand for: IAM roles, credentials and endpoints (which must not be given), KMS keys, the split of an export into files of 6 GB.
//
// The server reads and writes the folder itself, so its login role must be a superuser, as it is on a throw-away server. Like Aurora's the import checks
// that the role at work may insert into the table.
package auroratest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Bucket is a folder that stands for one.
type Bucket struct {
	Name, Region string
	Dir          string // of the objects: the key "a/b" is the file a/b below it
}

// The names of the bucket that [Install] makes.
const (
	Name   = "bk-test"
	Region = "eu-central-1"
)

// Install makes the functions in a database, and a bucket. What other roles need to call them they are granted, as an administrator does on Aurora.
func Install(t testing.TB, dsn string) *Bucket {
	t.Helper()
	// Not t.TempDir: the server may be another user of the system.
	root, err := os.MkdirTemp("", "bk-s3-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	b := &Bucket{Name: Name, Region: Region, Dir: filepath.Join(root, Region, Name)}
	if err := os.MkdirAll(b.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for dir := b.Dir; len(dir) >= len(root); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, strings.ReplaceAll(functions, ":root", "'"+root+"'")); err != nil {
		t.Fatalf("auroratest: make the functions: %v", err)
	}
	return b
}

// Put writes an object.
func (b *Bucket) Put(t testing.TB, key string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(b.Path(key)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.Path(key), data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Path gives the file of an object.
func (b *Bucket) Path(key string) string { return filepath.Join(b.Dir, filepath.FromSlash(key)) }

// URI gives the SQL that names an object.
func (b *Bucket) URI(key string) string {
	return fmt.Sprintf("aws_commons.create_s3_uri('%s', '%s', '%s')", b.Name, key, b.Region)
}

// functions: see the Aurora PostgreSQL guide, "Importing data from Amazon S3" and "Exporting data to Amazon S3", function reference.
const functions = `
CREATE SCHEMA aws_commons;
CREATE SCHEMA aws_s3;
CREATE TYPE aws_commons._s3_uri_1 AS (bucket text, file_path text, region text);
CREATE TYPE aws_commons._aws_credentials_1 AS (access_key text, secret_key text, session_token text);

CREATE FUNCTION aws_commons.create_s3_uri(s3_bucket text, s3_key text, aws_region text) RETURNS aws_commons._s3_uri_1
LANGUAGE sql IMMUTABLE AS $$ SELECT ROW(s3_bucket, s3_key, aws_region)::aws_commons._s3_uri_1 $$;

CREATE FUNCTION aws_commons.auroratest_path(uri aws_commons._s3_uri_1) RETURNS text
LANGUAGE sql AS $$ SELECT :root || '/' || (uri).region || '/' || (uri).bucket || '/' || (uri).file_path $$;

CREATE FUNCTION aws_s3.table_import_from_s3(table_name text, column_list text, options text, s3_info aws_commons._s3_uri_1,
    credentials aws_commons._aws_credentials_1 DEFAULT NULL, endpoint_url text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    who    text := CASE current_setting('role') WHEN 'none' THEN session_user::text ELSE current_setting('role') END;
    path   text := aws_commons.auroratest_path(s3_info);
    copied bigint;
BEGIN
    IF credentials IS NOT NULL OR endpoint_url IS NOT NULL THEN
        RAISE EXCEPTION 'auroratest: credentials and endpoints are not supported';
    END IF;
    IF NOT has_table_privilege(who, table_name, 'INSERT') THEN
        RAISE EXCEPTION 'permission denied for table %', table_name USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF (pg_stat_file(path, true)).size IS NULL THEN
        RAISE EXCEPTION 'HTTP 404. The specified key does not exist. %', s3_info.file_path;
    END IF;
    EXECUTE format('COPY %s %s FROM %L WITH %s', table_name, CASE column_list WHEN '' THEN '' ELSE '(' || column_list || ')' END, path, options);
    GET DIAGNOSTICS copied = ROW_COUNT;
    RETURN format('%s rows imported into relation "%s" from file %s of %s bytes', copied, table_name, s3_info.file_path, (pg_stat_file(path)).size);
END
$$;

CREATE FUNCTION aws_s3.query_export_to_s3(query text, s3_info aws_commons._s3_uri_1, options text DEFAULT NULL, kms_key text DEFAULT NULL,
    OUT rows_uploaded bigint, OUT files_uploaded bigint, OUT bytes_uploaded bigint)
LANGUAGE plpgsql AS $$
DECLARE
    folder text;
BEGIN
    IF kms_key IS NOT NULL THEN
        RAISE EXCEPTION 'auroratest: keys are not supported';
    END IF;
    SELECT * INTO rows_uploaded, bytes_uploaded FROM aws_s3.auroratest_copy(query, aws_commons.auroratest_path(s3_info), coalesce(options, ''));
    files_uploaded := 1;
END
$$;

CREATE FUNCTION aws_s3.auroratest_copy(query text, path text, options text, OUT rows bigint, OUT bytes bigint)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COPY (%s) TO PROGRAM %L %s', query,
        format('mkdir -p "$(dirname ''%s'')" && cat > ''%s'' && chmod a+r ''%s''', path, path, path),
        CASE options WHEN '' THEN '' ELSE 'WITH (' || trim(both '()' from options) || ')' END);
    GET DIAGNOSTICS rows = ROW_COUNT;
    bytes := (pg_stat_file(path)).size;
END
$$;

GRANT USAGE ON SCHEMA aws_commons, aws_s3 TO PUBLIC;
`
