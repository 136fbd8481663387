package report

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/parity"
)

const (
	wide = 1280
	high = 2600
)

// browser finds a headless one, or skips.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("there is no Chromium on this machine; compat/parity/report/install fetches one")
	return ""
}

// browse opens a page and gives what the browser prints.
func browse(t *testing.T, program, page string, flags ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	args := append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--hide-scrollbars", "--disable-dev-shm-usage", "--user-data-dir=" + t.TempDir(), "--window-size=1280,2600",
	}, flags...)
	cmd := exec.CommandContext(ctx, program, append(args, "file://"+page)...)
	var out, errors bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errors
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, errors.String())
	}
	return out.String()
}

func writePage(t *testing.T, r *parity.Report) string {
	t.Helper()
	page := filepath.Join(t.TempDir(), "parity.html")
	file, err := os.Create(page)
	must(t, err)
	must(t, HTML(file, r))
	must(t, file.Close())
	return page
}

// TestPageInBrowser looks at the page in a real browser: its picture has what it should have, and its text says the numbers.
func TestPageInBrowser(t *testing.T) {
	t.Parallel()
	program := browser(t)
	page := writePage(t, sample())

	dom := browse(t, program, page, "--dump-dom")
	for _, want := range []string{
		"561 unexplained, 6 explained", "1,234,567", "wrong_decimal:price", "&lt;i&gt;167.42&lt;/i&gt;", "EXPIRED, would explain 9", "bank.trades/3@1000", "2013-10-07", "100 of 140", "Business dates",
	} {
		if !strings.Contains(dom, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	for _, bad := range []string{"<script", "<i>167", "<b>IBM", "http://", "https://", "ZgotmplZ"} {
		if strings.Contains(dom, bad) {
			t.Errorf("%q is on the page", bad)
		}
	}

	shot := filepath.Join(t.TempDir(), "parity.png")
	browse(t, program, page, "--screenshot="+shot)
	picture := open(t, shot)
	if size := picture.Bounds().Size(); size.X != wide || size.Y != high {
		t.Errorf("the picture has %v", size)
	}
	ink := colors(picture)
	for name, want := range map[string]struct{ r, g, b, least uint32 }{
		"bars of what is unexplained": {0xc0, 0x36, 0x2c, 5000}, "bars of what is explained": {0xb9, 0xc3, 0xd0, 100}, "bars of days": {0x52, 0x77, 0xa8, 10_000}, "paper": {0xff, 0xff, 0xff, 500_000},
	} {
		if n := ink[[3]uint32{want.r, want.g, want.b}]; n < want.least {
			t.Errorf("%s: %d pixels of their colour, fewer than %d", name, n, want.least)
		}
	}
	if len(ink) < 100 { // text has many shades
		t.Errorf("only %d colours: is there text?", len(ink))
	}
	keep(t, shot, "parity.png")

	quiet := writePage(t, equal())
	if dom := browse(t, program, quiet, "--dump-dom"); !strings.Contains(dom, "both sides say the same") || strings.Contains(dom, "Causes by rows") {
		t.Error("the page of equal sides does not say so")
	}
}

func open(t *testing.T, file string) image.Image {
	t.Helper()
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	picture, err := png.Decode(f)
	must(t, err)
	return picture
}

func colors(picture image.Image) map[[3]uint32]uint32 {
	all := map[[3]uint32]uint32{}
	size := picture.Bounds()
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x++ {
			r, g, b, _ := picture.At(x, y).RGBA()
			all[[3]uint32{r >> 8, g >> 8, b >> 8}]++
		}
	}
	return all
}

// keep copies a picture to the folder that BK_PICTURES names, for people.
func keep(t *testing.T, file, name string) {
	t.Helper()
	if dir := os.Getenv("BK_PICTURES"); dir != "" {
		content, err := os.ReadFile(file)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
}
