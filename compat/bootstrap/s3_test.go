package bootstrap_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3afero"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/spf13/afero"

	"github.com/bkledger/bk/api/bulk/auroratest"
	"github.com/bkledger/bk/migrations"
)

func credentials(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
}

// serveS3 serves buckets until the test ends.
func serveS3(t *testing.T, backend gofakes3.Backend) (url string) {
	t.Helper()
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	return server.URL
}

// TestBucket: the work is in a bucket of S3.
func TestBucket(t *testing.T) {
	credentials(t)
	backend := s3mem.New()
	if err := backend.CreateBucket("works"); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, "")
	played := w.play(8, 400)
	cfg := w.config()
	cfg.Work = "s3://works/a/b?region=eu-central-1&path_style=true&endpoint=" + serveS3(t, backend)
	report, err := w.run(cfg)
	if err != nil || !report.Clean() {
		t.Fatal(report, err)
	}
	list, err := backend.ListBucket("works", nil, gofakes3.ListBucketPage{})
	if err != nil || len(list.Contents) < 20 {
		t.Fatal(list, err)
	}
	for _, object := range list.Contents {
		if !strings.HasPrefix(object.Key, "a/b/") {
			t.Errorf("%s is not below the prefix", object.Key)
		}
	}
	w.same(played)
}

// TestAurora: Bank's database writes chunks into the bucket by itself, BK's and the façade's read them by themselves, by the statements of Aurora.
func TestAurora(t *testing.T) {
	credentials(t)
	mask := syscall.Umask(0) // the server, another user, writes into folders that this process makes
	t.Cleanup(func() { syscall.Umask(mask) })
	w := newWorld(t, "")
	if err := migrations.Up(t.Context(), w.bank.DSN, nil); err != nil { // one database for all: there is one bucket to it
		t.Fatal(err)
	}
	w.bk, w.facade = w.bank.DSN, w.bank.DSN
	played := w.play(9, 400)
	bucket := auroratest.Install(t, w.bank.DSN)
	backend, err := s3afero.SingleBucket(bucket.Name, afero.NewBasePathFs(afero.NewOsFs(), bucket.Dir), nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg := w.config()
	cfg.Work = "s3://" + bucket.Name + "/day1?path_style=true&region=" + bucket.Region + "&endpoint=" + serveS3(t, backend)
	cfg.Aurora.Bank, cfg.Aurora.BK, cfg.Aurora.Facade = true, true, true
	report, err := w.run(cfg)
	if err != nil || !report.Clean() {
		t.Fatal(report, err)
	}
	if files, err := filepath.Glob(filepath.Join(bucket.Dir, "day1", "extract", "0001", "trade-*.csv")); err != nil || len(files) == 0 {
		t.Error(files, err)
	}
	if _, err := os.Stat(filepath.Join(bucket.Dir, "day1", "MANIFEST.json")); err != nil {
		t.Error(err)
	}
	w.same(played)
}
