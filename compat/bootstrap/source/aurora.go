package source

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Aurora gives the exporter of Amazon Aurora: the server writes the object into a bucket by itself, with the extension aws_s3.
func Aurora(bucket, region string) Exporter {
	return func(ctx context.Context, conn *pgx.Conn, query, key string) (int64, error) {
		var rows, files, bytes int64
		err := conn.QueryRow(ctx, `SELECT rows_uploaded, files_uploaded, bytes_uploaded
			FROM aws_s3.query_export_to_s3($1, aws_commons.create_s3_uri($2, $3, $4), $5)`, query, bucket, key, region, "format csv").Scan(&rows, &files, &bytes)
		if err != nil {
			return 0, fmt.Errorf("aws_s3.query_export_to_s3 to s3://%s/%s: %w", bucket, key, err)
		}
		if files > 1 { // it begins a new one at 6 GB
			return 0, fmt.Errorf("s3://%s/%s became %d files of %d bytes: fewer rows a chunk are needed", bucket, key, files, bytes)
		}
		return rows, nil
	}
}
